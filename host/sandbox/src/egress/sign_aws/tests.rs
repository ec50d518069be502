//! The vectors of AWS's Signature Version 4 test suite, the worked examples of Amazon S3's API reference, and what they say
//! nothing of.

use super::*;
use crate::egress::{Outgoing, Part, Signer};
use bytes::Bytes;
use http::Method;
use railhead_model::manifest::{CredentialKind, CredentialUse};
use serde_json::json;

const SUITE_SECRET: &str = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const S3_SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const STS_TOKEN: &str = "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA==";

/// A query of the suite: all characters that stand for themselves.
const UNRESERVED: &str = "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

type Headers<'a> = &'a [(&'a str, &'a str)];

fn secret(id: &str, secret: &str, token: Option<&str>, usage: CredentialUse) -> Arc<Secret> {
    let keys = json!({ "access_key_id": id, "secret_access_key": secret, "session_token": token });
    Secret::parse("keys", CredentialKind::Aws, usage, &[], keys.to_string().as_bytes()).unwrap()
}

fn signer(keys: Arc<Secret>, service: &str) -> AwsSigner {
    AwsSigner { keys, service: service.to_owned(), region: "us-east-1".to_owned() }
}

fn suite_time() -> Timestamp {
    Timestamp::parse("2015-08-30T12:36:00Z").unwrap()
}

fn header_map(headers: Headers<'_>) -> HeaderMap {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_str(value).unwrap());
    }
    map
}

/// Signs as egress does; gives all headers afterwards.
fn signed(signer: &AwsSigner, method: &str, url: &str, headers: Headers<'_>, body: &[u8], now: Timestamp) -> HeaderMap {
    let mut headers = header_map(headers);
    let (method, url) = (Method::from_bytes(method.as_bytes()).unwrap(), Url::parse(url).unwrap());
    let (headers_of, timestamp, left) = (&mut headers, "", 0);
    run(
        signer,
        &mut Wire { method: &method, url: &url, headers: headers_of, body, now, timestamp, left, made: Vec::new() },
    )
    .unwrap();
    headers
}

fn signature(headers: &HeaderMap) -> &str {
    headers[AUTHORIZATION].to_str().unwrap().rsplit_once("Signature=").unwrap().1
}

/// The signature of raw paths and queries, which a URL would write in another way.
fn raw_signature(method: &str, path: &str, query: &str, headers: Headers<'_>, body: &str) -> String {
    let keys = secret("AKIDEXAMPLE", SUITE_SECRET, None, CredentialUse::SignRequest);
    let mut map = header_map(headers);
    map.insert(DATE, HeaderValue::from_static("20150830T123600Z"));
    let scope = Scope::new(suite_time(), "us-east-1", "service");
    let (lines, names) = canonical_headers("example.amazonaws.com", &map);
    let request = canonical_request((method, path, query, Paths::Usual), (&lines, &names), &sha256(body.as_bytes()));
    scope.signature(&keys.aws().unwrap(), &request)
}

#[test]
fn the_suites_paths_queries_and_headers() {
    let every = format!("{UNRESERVED}={UNRESERVED}");
    let path = format!("/{UNRESERVED}");
    let vanilla = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
    let form = ("content-type", "application/x-www-form-urlencoded");
    let duplicates = [("my-header1", "value2"), ("my-header1", "value2"), ("my-header1", "value1")];
    let order = ["value4", "value1", "value3", "value2"].map(|value| ("my-header1", value));
    let trim = [("my-header1", " value1"), ("my-header2", " \"a   b   c\" ")];
    #[rustfmt::skip]
    let vectors: [(&str, &str, &str, &str, Headers<'_>, &str, &str); 26] = [
        ("get-vanilla", "GET", "/", "", &[], "", vanilla),
        ("get-header-key-duplicate", "GET", "/", "", &duplicates, "", "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"),
        ("get-header-value-order", "GET", "/", "", &order, "", "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"),
        ("get-header-value-trim", "GET", "/", "", &trim, "", "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"),
        ("get-unreserved", "GET", &path, "", &[], "", "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"),
        ("get-utf8", "GET", "/ሴ", "", &[], "", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
        ("get-vanilla-empty-query-key", "GET", "/", "Param1=value1", &[], "", "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"),
        ("get-vanilla-query-order-key-case", "GET", "/", "Param2=value2&Param1=value1", &[], "", "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"),
        ("get-vanilla-query-order-key", "GET", "/", "Param1=value2&Param1=Value1", &[], "", "eedbc4e291e521cf13422ffca22be7d2eb8146eecf653089df300a15b2382bd1"),
        ("get-vanilla-query-order-value", "GET", "/", "Param1=value2&Param1=value1", &[], "", "5772eed61e12b33fae39ee5e7012498b51d56abc0abb7c60486157bd471c4694"),
        ("get-vanilla-query-unreserved", "GET", "/", &every, &[], "", "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"),
        ("get-vanilla-utf8-query", "GET", "/", "ሴ=bar", &[], "", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
        ("get-relative-relative", "GET", "/example1/example2/../..", "", &[], "", vanilla),
        ("get-relative", "GET", "/example/..", "", &[], "", vanilla),
        ("get-slash-dot-slash", "GET", "/./", "", &[], "", vanilla),
        ("get-slash-pointless-dot", "GET", "/./example", "", &[], "", "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"),
        ("get-slash", "GET", "//", "", &[], "", vanilla),
        ("get-slashes", "GET", "//example//", "", &[], "", "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"),
        ("get-space", "GET", "/example space/", "", &[], "", "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"),
        ("post-vanilla", "POST", "/", "", &[], "", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ("post-header-key-sort", "POST", "/", "", &[("my-header1", "value1")], "", "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"),
        ("post-header-value-case", "POST", "/", "", &[("my-header1", "VALUE1")], "", "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"),
        ("post-vanilla-query", "POST", "/", "Param1=value1", &[], "", "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"),
        ("post-x-www-form-urlencoded", "POST", "/", "", &[form], "Param1=value1", "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a"),
        ("post-sts-header-before", "POST", "/", "", &[("x-amz-security-token", STS_TOKEN)], "", "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"),
        ("what is not covered", "GET", "/", "", &[("user-agent", "x"), ("content-length", "0"), ("traceparent", "y")], "", vanilla),
    ];
    for (name, method, path, query, headers, body, expected) in vectors {
        assert_eq!(raw_signature(method, path, query, headers, body), expected, "{name}");
    }
}

#[test]
fn a_whole_request_of_the_suite() {
    let keys = secret("AKIDEXAMPLE", SUITE_SECRET, None, CredentialUse::SignRequest);
    let url = "https://example.amazonaws.com/";
    let headers = signed(&signer(keys, "service"), "GET", url, &[("x-amz-security-token", "stale")], b"", suite_time());
    assert_eq!(
        headers[AUTHORIZATION],
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"
    );
    assert_eq!(headers[DATE], "20150830T123600Z");
    assert_eq!(headers.len(), 2, "no token and no hash: {headers:?}");
    let keys = secret("AKIDEXAMPLE", SUITE_SECRET, Some(STS_TOKEN), CredentialUse::SignRequest);
    let headers = signed(&signer(keys, "service"), "POST", url, &[], b"", suite_time());
    assert_eq!(signature(&headers), "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead");
    assert_eq!(headers[TOKEN], STS_TOKEN);
}

#[test]
fn the_examples_of_amazon_s3() {
    let keys = secret("AKIAIOSFODNN7EXAMPLE", S3_SECRET, None, CredentialUse::SignRequest);
    let signer = signer(keys, "s3");
    let now = Timestamp::parse("2013-05-24T00:00:00Z").unwrap();
    let of = |method, rest: &str, headers, body| {
        let url = format!("https://examplebucket.s3.amazonaws.com/{rest}");
        let headers = signed(&signer, method, &url, headers, body, now);
        assert_eq!(headers[CONTENT_HASH], sha256(body).as_str());
        signature(&headers).to_owned()
    };
    let put = [("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")];
    #[rustfmt::skip]
    let examples: [(&str, &str, Headers<'_>, &[u8], &str); 4] = [
        ("GET", "test.txt", &[("range", "bytes=0-9")], b"", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"),
        ("PUT", "test$file.text", &put, b"Welcome to Amazon S3.", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"),
        ("GET", "?lifecycle", &[], b"", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ("GET", "?max-keys=2&prefix=J", &[], b"", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ];
    for (method, rest, headers, body, expected) in examples {
        assert_eq!(of(method, rest, headers, body), expected, "{method} {rest}");
    }
}

#[test]
fn the_presigned_example_of_amazon_s3() {
    let keys = secret("AKIAIOSFODNN7EXAMPLE", S3_SECRET, None, CredentialUse::Token);
    let now = Timestamp::parse("2013-05-24T00:00:00Z").unwrap();
    let mut url = Url::parse("https://examplebucket.s3.amazonaws.com/test.txt").unwrap();
    let scope = Scope::new(now, "us-east-1", "s3");
    presign(&keys.aws().unwrap(), &scope, &mut url, Duration::from_secs(86_400));
    assert_eq!(
        url.as_str(),
        "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
         &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date=20130524T000000Z\
         &X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
         &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    );
}

#[test]
fn presigned_urls_are_bounded_in_time() {
    let keys = secret("AKIAIOSFODNN7EXAMPLE", S3_SECRET, None, CredentialUse::Token);
    let of = |ttl, url| presigned(&keys, ("s3", "us-east-1"), url, Duration::from_secs(ttl), suite_time());
    for ttl in [0, 43_201, u64::from(u32::MAX)] {
        assert_eq!(of(ttl, "https://b.test/").unwrap_err().code, "ttl-invalid", "{ttl}");
    }
    assert!(of(43_200, "https://b.test/").unwrap().contains("X-Amz-Expires=43200"));
    for wrong in ["nonsense", "ftp://b.test/", "https://user:pw@b.test/"] {
        assert_eq!(of(60, wrong).unwrap_err().code, "url-invalid", "{wrong}");
    }
}

#[test]
fn paths_of_s3_are_keys_and_others_are_encoded_again() {
    let both = |path| [Paths::S3, Paths::Usual].map(|paths| canonical_path(path, paths));
    assert_eq!(both("/a%20b//c%C3%A9"), ["/a%20b//c%C3%A9", "/a%2520b/c%25C3%25A9"]);
    assert_eq!(both("/k=1/$x+y@z"), ["/k%3D1/%24x%2By%40z", "/k%3D1/%24x%2By%40z"]);
    assert_eq!(both("/"), ["/", "/"]);
    assert_eq!(canonical_query("b=2&a=x%20y&a=x+a&c&&%7e=%2f"), "a=x%20a&a=x%20y&b=2&c=&~=%2F");
    let port = |url: &str| host(&Url::parse(url).unwrap());
    assert_eq!(port("https://b.test:443/"), "b.test");
    assert_eq!(port("http://127.0.0.1:9000/x"), "127.0.0.1:9000");
}

#[test]
fn keys_scopes_and_uses_are_judged_when_the_signer_is_set() {
    let keys = || secret("AKIDEXAMPLE", SUITE_SECRET, None, CredentialUse::SignRequest);
    let with = |signer| Outgoing::new("GET", "https://b.test/").sign(Signer::Aws(signer)).map_err(|error| error.code);
    assert_eq!(with(signer(keys(), "s3")), Ok(()));
    assert_eq!(with(AwsSigner { region: String::new(), ..signer(keys(), "s3") }), Err("aws-scope-invalid"));
    assert_eq!(with(signer(keys(), "s3/x\n")), Err("aws-scope-invalid"));
    let text = Secret::parse("t", CredentialKind::Text, CredentialUse::SignRequest, &[], b"0123456789").unwrap();
    assert_eq!(with(signer(text, "s3")), Err("key-unsuitable"));
    use CredentialUse::*;
    for usage in [Place, Url, Token, Challenge, Wire, TlsIdentity, Exchange] {
        let keys = secret("AKIDEXAMPLE", SUITE_SECRET, None, usage);
        assert_eq!(with(signer(keys, "s3")), Err("use-not-allowed"), "{usage:?}");
    }
    let mut request = Outgoing::new("GET", "https://b.test/");
    request.sign(Signer::Aws(signer(keys(), "s3"))).unwrap();
    let again = request.sign(Signer::Aws(signer(keys(), "s3")));
    assert_eq!(again.unwrap_err().code, "signed-twice");
    for _ in 0..96 {
        request.header("x-a", vec![Part::Bytes(Bytes::from_static(b"b"))]).unwrap();
    }
    let full = request.header("x-a", vec![]).unwrap_err();
    assert_eq!(full.code, "too-many-headers", "it counts for four");
}
