//! The password is nowhere that a person or a plugin can look, also where the server knows and says it.

use crate::run::{Destination, events};
use crate::server::{LEAST, PASSWORD, Server};
use railhead_plugin_harness::{Dialogue, Step, TcpPeer};
use serde_json::json;

#[tokio::test]
async fn what_a_server_says_of_the_password_is_masked() {
    let Some(server) = Server::shared().await else { return };
    let schema = server.schema(LEAST).await;
    let says = format!(
        "CREATE FUNCTION {{schema}}.tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'is it {PASSWORD}?' USING ERRCODE = '40001'; END $$; CREATE TRIGGER tell BEFORE INSERT ON {{schema}}.events FOR EACH ROW EXECUTE FUNCTION {{schema}}.tell()"
    );
    schema.run(&says).await;
    let destination = Destination::new(server, &schema, json!({})).await;
    let records = destination.records(events(2)).await;
    for (outcome, transcript) in &records {
        assert_eq!(outcome.reason().code, "serialization-failure");
        assert!(outcome.reason().message.contains("is it "), "{outcome:?}");
        assert!(!format!("{outcome:?} {transcript:?}").contains(PASSWORD));
    }
    let told = format!("{:?} {:?}", destination.check().await, destination.preview(events(1)).await);
    assert!(!told.contains(PASSWORD), "{told}");
}

#[tokio::test]
async fn a_peer_that_echoes_it_at_the_login_is_masked_too() {
    let text = format!("SFATAL\0VFATAL\0C57P03\0Mwelcome {PASSWORD}\0\0");
    let mut error = vec![b'E'];
    error.extend(u32::try_from(text.len() + 4).unwrap().to_be_bytes());
    error.extend(text.as_bytes());
    let steps = vec![Step::ReadUntil(b"railhead\0".to_vec()), Step::Send(error), Step::Close];
    let peer = TcpPeer::following(Dialogue(steps)).unwrap();
    let config = json!({
        "host": "127.0.0.1", "port": peer.port(), "database": "d", "user": "u", "sslmode": "disable",
    });
    let outcome = Destination::without_authority(config).await.outcome(events(2)).await;
    assert_eq!(outcome.reason().code, "cannot-connect-now", "{outcome:?}");
    assert!(
        outcome.reason().message.contains("welcome") && !outcome.reason().message.contains(PASSWORD),
        "{outcome:?}"
    );
    let sent = String::from_utf8_lossy(&peer.received().concat()).into_owned();
    assert!(!sent.contains(PASSWORD), "{sent}");
}
