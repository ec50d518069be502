//! OAuth 2.0 client credentials, but for the secret, which is a credential.

use railhead_sdk::Schema;
use serde::Deserialize;

/// How an access token is got.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Schema)]
#[serde(deny_unknown_fields)]
pub struct OAuth2 {
    /// The token endpoint.
    #[schema(format = "uri", min_length = 10, max_length = 2048, pattern = r"^https?://[^\s/?#@]+([/?][^\s#]*)?$")]
    pub token_url: String,
    /// The client's id.
    #[schema(min_length = 1, max_length = 512)]
    pub client_id: String,
    /// What the token is to allow, if the server wants to be told; several with a space between them.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 1024)]
    pub scope: Option<String>,
    /// Whom the token is for, if the server wants to be told.
    #[serde(default)]
    #[schema(min_length = 1, max_length = 1024)]
    pub audience: Option<String>,
    /// How the client shows its secret: `basic` in the header `authorization`, `body` in the form.
    #[serde(default)]
    #[schema(default = "basic")]
    pub client_auth: ClientAuth,
}

/// Where the client's secret stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Schema)]
#[serde(rename_all = "kebab-case")]
pub enum ClientAuth {
    /// In `authorization`, as RFC 6749 wants every server to take it.
    #[default]
    Basic,
    /// In the body.
    Body,
}

impl OAuth2 {
    /// The body of the request for a token, without the client.
    pub fn form(&self) -> String {
        let more = [("scope", &self.scope), ("audience", &self.audience)];
        let more = more.into_iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value)));
        more.fold("grant_type=client_credentials".to_owned(), |form, (name, value)| {
            format!("{form}&{name}={}", encoded(value))
        })
    }
}

/// `application/x-www-form-urlencoded`.
pub fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        match byte {
            b' ' => encoded.push('+'),
            b'*' | b'-' | b'.' | b'_' => encoded.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_form_says_what_is_asked_for() {
        let oauth2: OAuth2 =
            serde_json::from_value(json!({"token_url": "https://id.example.com/token", "client_id": "a"})).unwrap();
        assert_eq!((oauth2.form().as_str(), oauth2.client_auth), ("grant_type=client_credentials", ClientAuth::Basic));
        let oauth2 = OAuth2 { scope: Some("a:b c".to_owned()), audience: Some("https://x/é".to_owned()), ..oauth2 };
        assert_eq!(oauth2.form(), "grant_type=client_credentials&scope=a%3Ab+c&audience=https%3A%2F%2Fx%2F%C3%A9");
    }
}
