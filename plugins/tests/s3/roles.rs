//! Sessions of a role, from a token service that answers as it is told.

use crate::answers::{error, stored};
use crate::run::{config, destination, outcomes, sandbox, told};
use railhead_harness::s3;
use railhead_plugin_harness::{Answer, Destination, HttpPeer, events};
use serde_json::json;

const ROLE: &str = "arn:aws:iam::111122223333:role/path/railhead+writer";

/// What AWS STS answers (AWS STS API Reference, AssumeRole).
fn session(secret: &str) -> Answer {
    let body = format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials>\
         <AccessKeyId>ASIASESSIONOFAROLE</AccessKeyId><SecretAccessKey>{secret}</SecretAccessKey>\
         <SessionToken>token-of-the-session/0123456789</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration>\
         </Credentials></AssumeRoleResult></AssumeRoleResponse>"
    );
    Answer::status(200).header("content-type", "text/xml").body(body)
}

async fn with_role(store: &HttpPeer, tokens: &HttpPeer) -> Destination {
    let more = json!({"role_arn": ROLE, "sts_endpoint": tokens.origin(), "role_session_name": "acme@1", "role_duration_s": 900});
    destination(store.origin(), more).await
}

#[tokio::test]
async fn one_session_signs_many_objects() {
    let secret = "secret-of-the-session/0123456789";
    let (store, tokens) = (HttpPeer::answering(stored()).unwrap(), HttpPeer::answering(session(secret)).unwrap());
    let destination = with_role(&store, &tokens).await;
    for _ in 0..3 {
        let settled = destination.deliver(events(2)).await;
        assert_eq!(outcomes(&settled), [("delivered", "stored"); 2], "{settled:?}");
        let seen = format!("{settled:?}");
        assert!(!seen.contains(secret) && !seen.contains("token-of-the-session/0123456789"), "{seen}");
    }
    let asked = tokens.only();
    assert_eq!(
        asked.text(),
        "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A111122223333%3Arole%2Fpath%2Frailhead%2Bwriter\
         &RoleSessionName=acme%401&DurationSeconds=900"
    );
    assert_eq!((asked.method(), asked.path()), ("POST", "/"));
    assert!(asked.header("authorization").contains("/eu-west-1/sts/aws4_request"), "{asked:?}");
    for put in store.received() {
        assert!(put.header("authorization").contains("Credential=ASIASESSIONOFAROLE/"));
        assert_eq!(put.header("x-amz-security-token"), "token-of-the-session/0123456789");
    }
}

#[tokio::test]
async fn a_session_that_was_ended_is_asked_for_once_more() {
    let store = HttpPeer::answering(error(400, "ExpiredToken", "")).unwrap();
    let tokens = HttpPeer::answering(session("secret-of-the-session/0123456789")).unwrap();
    let destination = with_role(&store, &tokens).await;
    for (sent, events) in [(1, events(1)), (3, events(1))] {
        // New ones are believed; kept ones may have been ended since. The host gives no second one within ten seconds.
        let settled = destination.deliver(events).await;
        assert_eq!(outcomes(&settled), [("rejected_credentials", "session-expired")]);
        assert_eq!(store.received().len(), sent);
    }
}

#[tokio::test]
async fn without_a_session_nothing_is_sent_to_the_store() {
    let refusal = |status: u16, code: &str| {
        let body = format!(
            "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>So it is.</Message></Error></ErrorResponse>"
        );
        Answer::status(status).body(body)
    };
    for (answer, class, code) in [
        (refusal(403, "AccessDenied"), "rejected_credentials", "exchange-refused"),
        (refusal(403, "InvalidClientTokenId"), "rejected_credentials", "exchange-refused"),
        (refusal(400, "Throttling"), "transient", "exchange-throttled"),
        (refusal(503, "ServiceUnavailable"), "transient", "exchange-unavailable"),
        (Answer::status(200).body("<html>Log in</html>"), "rejected_credentials", "exchange-no-token"),
        (Answer::Close, "transient", "connection-closed"),
    ] {
        let (store, tokens) = (HttpPeer::answering(stored()).unwrap(), HttpPeer::answering(answer).unwrap());
        let settled = with_role(&store, &tokens).await.deliver(events(2)).await;
        let message = told(&settled[0]).3;
        assert_eq!(outcomes(&settled), [(class, code); 2], "{message}");
        assert!(code != "exchange-refused" || message.ends_with(": So it is."), "{message}");
        assert!(store.received().is_empty());
    }
}

#[tokio::test]
async fn the_services_own_identity_goes_to_aws_alone() {
    let tokens = HttpPeer::answering(session("secret-of-the-session/0123456789")).unwrap();
    let (harness, connector) = sandbox().await;
    let at_aws = json!({"bucket": "events", "region": "eu-west-1", "role_arn": ROLE, "sts_endpoint": tokens.origin()});
    for (config, code) in [
        (at_aws, "sts-endpoint-without-keys"),
        (config(tokens.origin(), json!({"role_arn": ROLE})), "endpoint-without-keys"),
    ] {
        let destination = harness.destination(&connector, config).batched();
        let destination =
            destination.credential("assume_role", &s3::keys("AKIAOPERATOR", "operators/secret/0123456789", None));
        let settled = destination.deliver(events(1)).await;
        let (class, _, status, _) = told(&settled[0]);
        assert_eq!((class, status), ("misconfigured", Some(code)), "{settled:?}");
        assert_eq!(destination.check().await.unwrap_err().status.as_deref(), Some(code));
    }
    assert!(tokens.received().is_empty());
}
