//! What S3 says went wrong: an XML document of one level (Amazon S3 API Reference, "REST error responses").

/// Characters of the store's own message that go on to people.
const MAX_QUOTED: usize = 300;

/// An error document, as far as it is of use. Absent members are empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct S3Error {
    /// Such as `NoSuchBucket`.
    pub code: String,
    /// In the store's words, bounded.
    pub message: String,
    /// Where the bucket is, if it is elsewhere.
    pub region: String,
    /// The address to ask instead.
    pub endpoint: String,
    /// The store's clock.
    pub server_time: String,
    /// The header that the store does not know.
    pub header: String,
}

impl S3Error {
    /// Reads an error document; none where the text is something else. Whatever else stands there is passed over.
    pub fn parse(body: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(body);
        let inside = element(&text, "Error")?;
        let member = |name: &str| element(inside, name).map(unescaped).unwrap_or_default();
        let error = Self {
            code: member("Code").trim().to_owned(),
            message: quoted(&member("Message")),
            region: word(member("Region")),
            endpoint: quoted(&member("Endpoint")),
            server_time: quoted(&member("ServerTime")),
            header: word(member("Header").trim().to_owned()),
        };
        (!error.code.is_empty() && error.code.len() <= 128).then_some(error)
    }
}

/// What stands in the first element of that name, to its end tag or the end of the text: answers are cut.
fn element<'t>(text: &'t str, name: &str) -> Option<&'t str> {
    let open = format!("<{name}");
    let mut rest = text;
    loop {
        let after = rest.get(rest.find(&open)? + open.len()..)?;
        // `<ErrorDocument>` is no `<Error>`.
        if after.starts_with(['>', ' ', '\t', '\r', '\n']) {
            let inside = after.get(after.find('>')? + 1..)?;
            let end = inside.find(&format!("</{name}>")).unwrap_or(inside.len());
            return inside.get(..end);
        }
        rest = after;
    }
}

fn unescaped(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

/// On one line, and not too long.
fn quoted(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(MAX_QUOTED) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// The name of a region or of a header; anything else is none.
pub fn word(text: String) -> String {
    let fits = text.len() <= 63 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if fits { text } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::S3Error;

    #[test]
    fn documents_are_read() {
        let body = br#"<?xml version="1.0" encoding="UTF-8"?>
            <Error><Code>AuthorizationHeaderMalformed</Code><Message>The region &apos;us-east-1&apos; is wrong;
            expecting &amp;lt;eu-west-1></Message><Region>eu-west-1</Region><RequestId>1</RequestId></Error>"#;
        let error = S3Error::parse(body).unwrap();
        assert_eq!((error.code.as_str(), error.region.as_str()), ("AuthorizationHeaderMalformed", "eu-west-1"));
        assert_eq!(error.message, "The region 'us-east-1' is wrong; expecting &lt;eu-west-1>");
        let spaced = S3Error::parse(b"<ErrorDocument/><Error xmlns=\"x\"><Code> SlowDown </Code>").unwrap();
        assert_eq!((spaced.code.as_str(), spaced.message.as_str()), ("SlowDown", ""), "a cut one, too");
    }

    #[test]
    fn what_is_none_is_not_read_as_one() {
        let many = "<Error>".repeat(50_000);
        let long = format!("<Error><Code>{}</Code></Error>", "x".repeat(200));
        for body in
            ["", "<html>Error</html>", "<Error>", "<Error></Error>", "{}", "<Error", "<Code>A</Code>", &many, &long]
        {
            assert_eq!(S3Error::parse(body.as_bytes()), None, "{}", &body[..body.len().min(40)]);
        }
        assert_eq!(S3Error::parse(&[0xff, 0xfe, 0x00]), None);
        let flood =
            format!("<Error><Code>A</Code><Message>{}</Message><Region>a b</Region></Error>", "é ".repeat(100_000));
        let error = S3Error::parse(flood.as_bytes()).unwrap();
        assert_eq!((error.message.chars().count(), error.region.as_str()), (301, ""));
    }
}
