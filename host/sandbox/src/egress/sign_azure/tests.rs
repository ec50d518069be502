//! Against what Microsoft's own library signs, and the examples of its documentation.

use super::*;
use http::Method;
use railhead_model::manifest::CredentialUse;

/// `Sun, 06 Nov 1994 08:49:37 GMT`
const NOW: Timestamp = Timestamp(784_111_777_000);

fn key() -> Arc<Secret> {
    let bytes: Vec<u8> = (0..64).collect();
    let text = STANDARD.encode(bytes);
    Secret::parse("key", CredentialKind::AzureKey, CredentialUse::SignRequest, &[], text.as_bytes()).unwrap()
}

fn signer(account: &str) -> AzureSigner {
    AzureSigner { key: key(), account: account.to_owned() }
}

fn signed(method: &Method, path: &str, given: &[(&'static str, &str)], body: &[u8]) -> HeaderMap {
    let url = Url::parse(&format!("https://myaccount.blob.core.windows.net{path}")).unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        headers.append(*name, HeaderValue::from_str(value).unwrap());
    }
    let mut wire = Wire {
        method,
        url: &url,
        headers: &mut headers,
        body,
        now: NOW,
        timestamp: "784111777",
        left: 0,
        made: Vec::new(),
    };
    run(&signer("myaccount"), &mut wire).unwrap();
    headers
}

fn authorization(headers: &HeaderMap) -> &str {
    headers.get(AUTHORIZATION).unwrap().to_str().unwrap()
}

/// What `SharedKeyCredentialPolicy` of `azure-storage-blob` 12 makes of the same requests, key and date.
#[test]
fn requests_are_signed_as_the_library_of_microsoft_does() {
    let metadata = signed(&Method::GET, "/mycontainer?restype=container&comp=metadata&timeout=20", &[], b"");
    assert_eq!(authorization(&metadata), "SharedKey myaccount:rpIAAYOIZckM0kcnye/UDBRYT533FlJING9eJszLPSw=");
    assert_eq!(metadata.get(MS_DATE).unwrap(), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(metadata.get(MS_VERSION).unwrap(), VERSION);
    let blob = [
        ("content-type", "application/x-ndjson"),
        ("content-encoding", "gzip"),
        ("if-none-match", "*"),
        ("x-ms-blob-type", "BlockBlob"),
        ("x-ms-meta-batch", "b 1"),
    ];
    let put = signed(&Method::PUT, "/c/a%20b/events.ndjson.gz", &blob, b"eleven byte");
    assert_eq!(authorization(&put), "SharedKey myaccount:J+Prdnk9bgpZkyH02IBEjlu4U+lWK4WzRNYJ0pkHjoM=");
    let empty = [("content-length", "0"), ("x-ms-blob-type", "BlockBlob")];
    let put = signed(&Method::PUT, "/c/empty", &empty, b"");
    assert_eq!(authorization(&put), "SharedKey myaccount:/7QApM4kICWKvBsVJfDpZxU4HXo1VKqQqgQfU0Qjjuc=");
    let list = signed(&Method::GET, "/c?comp=list&prefix=a%2Fb%20c&include=metadata,snapshots", &[], b"");
    assert_eq!(authorization(&list), "SharedKey myaccount:iQWgVGs+TcDmE4Wl3ETLRdH9cE9F7UrbIg/fs2h/UZo=");
}

/// The same library's order: `a_b`, `a1`, `ab`, `a-c`.
#[test]
fn headers_are_sorted_as_the_service_does() {
    let given = [("x-ms-meta-a-c", "1"), ("x-ms-meta-ab", "2"), ("x-ms-meta-a_b", "3"), ("x-ms-meta-a1", "4")];
    let headers = signed(&Method::GET, "/c/b", &given, b"");
    assert_eq!(authorization(&headers), "SharedKey myaccount:MmO2MVpwkwYegEfcuGL9li76koIlYwdgjNrmBe9TguU=");
}

/// "Authorize with Shared Key", canonicalized resource string.
#[test]
fn resources_are_written_as_in_the_documentation() {
    let resource = |url: &str| canonical_resource(&Url::parse(url).unwrap(), "myaccount");
    let container = "http://myaccount.blob.core.windows.net/mycontainer?restype=container&comp=metadata";
    assert_eq!(resource(container), "/myaccount/mycontainer\ncomp:metadata\nrestype:container");
    let list = "http://myaccount.blob.core.windows.net/mycontainer?restype=container&comp=list&include=snapshots\
                &include=metadata&include=uncommittedblobs";
    let expected = "/myaccount/mycontainer\ncomp:list\ninclude:metadata,snapshots,uncommittedblobs\nrestype:container";
    assert_eq!(resource(list), expected);
    assert_eq!(resource("https://myaccount.blob.core.windows.net"), "/myaccount/");
    assert_eq!(resource("https://x.test/a%20b?X=%2B+&y"), "/myaccount/a%20b\nx:++\ny:");
}

#[test]
fn the_hosts_headers_take_the_place_of_the_guests() {
    let given = [("authorization", "SharedKey other:AAAA"), ("x-ms-date", "yesterday"), ("x-ms-version", "2023-11-03")];
    let headers = signed(&Method::GET, "/c", &given, b"");
    assert!(authorization(&headers).starts_with("SharedKey myaccount:"));
    assert_eq!(headers.get_all(MS_DATE).iter().count(), 1);
    assert_eq!(headers.get(MS_DATE).unwrap(), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert_eq!(headers.get(MS_VERSION).unwrap(), "2023-11-03", "the guest knows what it speaks");
    assert!(headers.get(AUTHORIZATION).unwrap().is_sensitive());
}

#[test]
fn only_the_key_of_an_account_signs_for_one() {
    assert!(check(&signer("devstoreaccount1")).is_ok());
    for account in ["", "ab", "My", "a/b/c", "a\nb", "abcdefghijklmnopqrstuvwxy"] {
        assert_eq!(check(&signer(account)).unwrap_err().code, "account-invalid", "{account:?}");
    }
    for (kind, usage, code) in [
        (CredentialKind::Text, CredentialUse::SignRequest, "key-unsuitable"),
        (CredentialKind::AzureKey, CredentialUse::Token, "use-not-allowed"),
        (CredentialKind::Bytes, CredentialUse::SignRequest, "key-unsuitable"),
    ] {
        let key = Secret::parse("key", kind, usage, &[], b"MDEyMzQ1Njc4OWFiY2RlZg==").unwrap();
        assert_eq!(check(&AzureSigner { key, account: "myaccount".to_owned() }).unwrap_err().code, code);
    }
}
