//! What the operator's own credentials get for a tenant: it goes nowhere that the tenant chooses, and at AWS a role is
//! assumed under the tenant's own external id.

use super::aws::{EXTERNAL_ID, attribute, aws, get, put, sts_answer, take, value};
use super::*;
use railhead_model::manifest::OriginTemplate;

/// The manifest's origins: a token endpoint and an API that it spells out, and one that the tenant gave.
async fn world(peer: &Peer, own: &Peer, api: bool) -> World {
    let operators = CredentialField { operator: true, ..aws("role", CredentialUse::SignRequest, &["login"]) };
    let secret = CredentialField { operator: true, ..field("client_secret", CredentialUse::Exchange, &["login"]) };
    let values = vec![value("role", CredentialUse::SignRequest), client_secret()];
    let world = World::of(&peer.url, &peer.url, vec![operators, secret], values).await;
    let mut manifest = world.scope.connector.manifest.clone();
    let template = OriginTemplate::try_from("https://{/bucket}.example.com".to_owned()).unwrap();
    let origin = |name: &str, place| Origin { name: name.to_owned(), place, token_endpoint: name == "login" };
    manifest.origins =
        vec![origin("login", Place::Literal(peer.url.clone())), origin("own", Place::Config("/endpoint".to_owned()))];
    if api {
        manifest.origins.push(origin("api", Place::Literal(peer.url.clone())));
        manifest.origins.push(origin("bucket", Place::Template(template)));
    }
    world.with(manifest, json!({"endpoint": own.url}))
}

/// Assumes a role with what was added to the form.
async fn assume(guest: &mut Guest, url: &str, more: &str) -> Result<Resource<Credential>, Failure> {
    let identity = get(guest, "role");
    let request = HostRequest::new(guest, "POST".to_owned(), url.to_owned()).unwrap();
    let kind = vec![bytes("application/x-www-form-urlencoded")];
    HostRequest::header(guest, again(&request), "content-type".to_owned(), kind).unwrap()?;
    let body = format!("Action=AssumeRole&RoleArn=arn:aws:iam::123456789012:role/x{more}");
    HostRequest::body(guest, again(&request), vec![bytes(&body)]).unwrap()?;
    HostRequest::sign_aws(guest, again(&request), identity, "sts".to_owned(), "eu-central-1".to_owned()).unwrap()?;
    guest.exchange("role".to_owned(), request, "aws".to_owned(), take()).await.unwrap()
}

#[tokio::test]
async fn keys_of_a_role_that_the_operator_assumed_do_not_go_where_a_tenant_points() {
    let (peer, own) = (Peer::at_root(200, sts_answer("2099-01-01T00:00:00Z")).await, Peer::start(200, "").await);
    let world = world(&peer, &own, true).await;
    let mut guest = world.guest(Purpose::Deliver);
    let identity = get(&mut guest, "role");
    let external = attribute(&mut guest, &identity, "external-id");
    assert_eq!(external.as_deref(), Some(EXTERNAL_ID));
    let keys = assume(&mut guest, &peer.url, &format!("&ExternalId={EXTERNAL_ID}")).await;
    let keys = keys.map_err(|why| why.message).unwrap();
    put(&mut guest, &peer.url, &keys).await.map_err(|why| why.message).unwrap();
    let refused = put(&mut guest, &own.url, &keys).await.unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (Kind::Denied, "secret-not-for-origin"));
    assert!(refused.message.contains("no address of your choice"), "{}", refused.message);
    assert!(own.got.lock().unwrap().is_empty());
    // Nor by way of something else: another session has them too.
    let mut second = world.guest(Purpose::Deliver);
    let kept = second.kept("role".to_owned()).unwrap().unwrap();
    assert_eq!(put(&mut second, &own.url, &kept).await.unwrap_err().code, "secret-not-for-origin");
    assert!(own.got.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_token_for_a_secret_of_the_operators_does_neither_where_it_is_composed() {
    let (peer, own) = (Peer::giving_tokens().await, Peer::start(200, "").await);
    let world = world(&peer, &own, true).await;
    let mut guest = world.guest(Purpose::Deliver);
    let secret = secret(&mut guest);
    let composed = guest.compose(vec![bytes("id:"), Part::Secret((secret, Encoding::Raw))], Encoding::Base64).unwrap();
    let request = HostRequest::new(&mut guest, "POST".to_owned(), format!("{}/token", peer.url)).unwrap();
    let part = Part::Secret((composed.map_err(|why| why.message).unwrap(), Encoding::Raw));
    HostRequest::header(&mut guest, again(&request), "authorization".to_owned(), vec![part]).unwrap().unwrap();
    let made = guest.exchange("main".to_owned(), request, "bearer".to_owned(), super::take()).await.unwrap();
    let token = made.map_err(|why| why.message).unwrap();
    send(&mut guest, &peer.url, &token).await.map_err(|why| why.message).unwrap();
    let again_composed = guest.compose(vec![Part::Secret((again(&token), Encoding::Raw))], Encoding::Raw).unwrap();
    for handle in [token, again_composed.map_err(|why| why.message).unwrap()] {
        assert_eq!(send(&mut guest, &own.url, &handle).await.unwrap_err().code, "secret-not-for-origin");
    }
    assert!(own.got.lock().unwrap().is_empty());
}

#[tokio::test]
async fn where_all_origins_are_a_tenants_nothing_is_exchanged() {
    let (peer, own) = (Peer::giving_tokens().await, Peer::start(200, "").await);
    let world = world(&peer, &own, false).await;
    let mut guest = world.guest(Purpose::Deliver);
    let refused = exchange(&mut guest, &peer.url).await.map(drop).unwrap_err();
    assert_eq!((refused.kind, refused.code.as_str()), (Kind::Denied, "credential-origin"));
    assert!(peer.got.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_role_is_assumed_under_the_tenants_own_external_id_alone() {
    let (peer, own) = (Peer::at_root(200, sts_answer("2099-01-01T00:00:00Z")).await, Peer::start(200, "").await);
    let world = world(&peer, &own, true).await;
    for more in ["", "&ExternalId=rh-another", &format!("&ExternalId={EXTERNAL_ID}&Action=GetSessionToken")] {
        for purpose in [Purpose::Deliver, Purpose::Preview] {
            let mut guest = world.guest(purpose);
            let refused = assume(&mut guest, &peer.url, more).await.map(drop).unwrap_err();
            assert_eq!((refused.kind, refused.code.as_str()), (Kind::Denied, "operator-assume-role"), "{more}");
        }
    }
    assert!(peer.got.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_role_is_not_assumed_by_a_link_either() {
    let (peer, own) = (Peer::start(200, "").await, Peer::start(200, "").await);
    let operators = CredentialField { operator: true, ..aws("keys", CredentialUse::Token, &["api", "login"]) };
    let world = World::of(&own.url, &peer.url, vec![operators], vec![value("keys", CredentialUse::Token)]).await;
    let mut guest = world.guest(Purpose::Deliver);
    for (service, url, code) in [
        ("sts", format!("{}/?Action=AssumeRole", own.url), "operator-assume-role"),
        ("STS", format!("{}/?Action=AssumeRole", own.url), "operator-assume-role"),
        ("s3", format!("{}/bucket/key", peer.url), "ok"),
    ] {
        let keys = get(&mut guest, "keys");
        let made = guest.aws_presign(keys, service.to_owned(), "us-east-1".to_owned(), url, 60).unwrap();
        assert_eq!(made.map_or_else(|why| why.code, |_| "ok".to_owned()), code, "{service}");
    }
}
