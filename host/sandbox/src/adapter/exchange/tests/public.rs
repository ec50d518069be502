//! What a guest may have become public: the id of keys, and nothing that an endpoint gives in secret.

use super::aws::{SECRET, SESSION, attribute, aws, get, value};
use super::*;

/// Of a token that is written as an id could be.
const PLAIN: &str = "AOAUTHTOKEN0123456789ABCDEF";

/// Exchanges a request that these keys sign, for a pair that is taken from these places.
async fn taken(guest: &mut Guest, url: &str, name: &str, places: &[(&str, &str)]) -> Result<String, (Kind, String)> {
    let keys = get(guest, "aws");
    let request = HostRequest::new(guest, "POST".to_owned(), format!("{url}/token")).unwrap();
    HostRequest::sign_aws(guest, again(&request), keys, "sts".to_owned(), "eu-central-1".to_owned()).unwrap().unwrap();
    exchanged(guest, request, name, places).await
}

async fn exchanged(
    guest: &mut Guest,
    request: Resource<crate::adapter::Request>,
    name: &str,
    places: &[(&str, &str)],
) -> Result<String, (Kind, String)> {
    let take = places.iter().map(|(attribute, place)| ((*attribute).to_owned(), (*place).to_owned())).collect();
    match guest.exchange(name.to_owned(), request, "aws".to_owned(), take).await.unwrap() {
        Ok(keys) => Ok(attribute(guest, &keys, "access-key-id").unwrap()),
        Err(why) => Err((why.kind, why.code)),
    }
}

async fn world(peer: &Peer) -> World {
    let fields = vec![
        aws("aws", CredentialUse::SignRequest, &["login", "api"]),
        field("client_secret", CredentialUse::Exchange, &["login"]),
    ];
    World::of(&peer.url, &peer.url, fields, vec![value("aws", CredentialUse::SignRequest), client_secret()]).await
}

#[tokio::test]
async fn a_token_does_not_become_an_id_whatever_it_is_taken_from() {
    let answer = json!({"access_token": PLAIN, "refresh_token": PLAIN, "AccessKeyId": "ASIAEXAMPLEEXAMPLE",
        "SecretAccessKey": SECRET, "SessionToken": SESSION, "nested": {"access_key_id": "ASIANESTEDNESTED"}});
    let peer = Peer::start(200, answer.to_string()).await;
    let world = world(&peer).await;
    let mut guest = world.guest(Purpose::Deliver);
    for places in [
        ["/access_token", "/access_token"],
        ["/access_token", "/SecretAccessKey"],
        ["/refresh_token", "/SecretAccessKey"],
        ["/SecretAccessKey", "/SessionToken"],
        ["/AccessKeyId", "/AccessKeyId"],
        ["", "/SecretAccessKey"],
        ["/AccessKeyId/", "/SecretAccessKey"],
        ["/AccessKeyId~1", "/SecretAccessKey"],
    ] {
        let places = [("access-key-id", places[0]), ("secret-access-key", places[1])];
        let refused = taken(&mut guest, &peer.url, "keys", &places).await;
        assert_eq!(refused, Err((Kind::Invalid, "exchange-take".to_owned())), "{places:?}");
    }
    assert!(peer.bodies("/token").is_empty(), "nothing was sent for it");
    for (id, shown) in [("/AccessKeyId", "ASIAEXAMPLEEXAMPLE"), ("/nested/access_key_id", "ASIANESTEDNESTED")] {
        let places = [("access-key-id", id), ("secret-access-key", "/SecretAccessKey")];
        assert_eq!(taken(&mut guest, &peer.url, shown, &places).await.as_deref(), Ok(shown));
    }
}

#[tokio::test]
async fn an_id_holds_nothing_that_is_secret() {
    let identity = value("aws", CredentialUse::SignRequest).value;
    let identity: serde_json::Value = serde_json::from_slice(&identity).unwrap();
    let of_field = identity["secret_access_key"].as_str().unwrap().to_owned();
    for id in [
        "a.token-of_another",
        "short",
        &"A".repeat(129),
        "has blanks in it 123",
        "SECRETKEY0123456789",
        "SESSION0123456789SESSION",
        &format!("X{of_field}"),
        "CLIENTSECRET0123456",
    ] {
        let answer = json!({"AccessKeyId": id, "SecretAccessKey": "0SECRETKEY0123456789", "SessionToken": "SESSION0123456789SESSION"});
        let peer = Peer::start(200, answer.to_string()).await;
        let mut secret = client_secret();
        secret.value = b"CLIENTSECRET0123456".to_vec().into();
        let fields = vec![
            aws("aws", CredentialUse::SignRequest, &["login", "api"]),
            field("client_secret", CredentialUse::Exchange, &["login"]),
        ];
        let values = vec![value("aws", CredentialUse::SignRequest), secret];
        let world = World::of(&peer.url, &peer.url, fields, values).await;
        let mut guest = world.guest(Purpose::Deliver);
        let places = [
            ("access-key-id", "/AccessKeyId"),
            ("secret-access-key", "/SecretAccessKey"),
            ("session-token", "/SessionToken"),
        ];
        let refused = taken(&mut guest, &peer.url, "keys", &places).await;
        assert_eq!(refused, Err((Kind::Credential, "exchange-no-token".to_owned())), "{id}");
    }
}

#[tokio::test]
async fn keys_are_given_for_a_request_that_keys_alone_sign() {
    let answer = json!({"AccessKeyId": PLAIN, "SecretAccessKey": SECRET}).to_string();
    let peer = Peer::start(200, answer).await;
    let world = world(&peer).await;
    let mut guest = world.guest(Purpose::Deliver);
    let places = [("access-key-id", "/AccessKeyId"), ("secret-access-key", "/SecretAccessKey")];
    let request = login(&mut guest, &peer.url);
    let refused = Err((Kind::Invalid, "exchange-unsigned".to_owned()));
    assert_eq!(exchanged(&mut guest, request, "secret", &places).await, refused);
    // An endpoint of the first kind might read what it likes of a request of the second.
    let (request, keys) = (login(&mut guest, &peer.url), get(&mut guest, "aws"));
    HostRequest::sign_aws(&mut guest, again(&request), keys, "sts".to_owned(), "x".to_owned()).unwrap().unwrap();
    assert_eq!(exchanged(&mut guest, request, "both", &places).await, refused);
    let request = HostRequest::new(&mut guest, "POST".to_owned(), format!("{}/token", peer.url)).unwrap();
    assert_eq!(exchanged(&mut guest, request, "nothing", &places).await, refused);
    assert!(peer.got.lock().unwrap().is_empty());
    let mut preview = world.guest(Purpose::Preview);
    let request = login(&mut preview, &peer.url);
    assert_eq!(exchanged(&mut preview, request, "secret", &places).await, refused, "and a preview says so too");
}
