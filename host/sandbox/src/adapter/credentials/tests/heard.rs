//! Only what a server asked is answered: one that the session is connected to, and that the field may go to.

use super::*;
use crate::adapter::Connection;
use crate::egress::{AllowedOrigin, Security, SendContext};
use crate::secret::Masker;
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

const LONG: Duration = Duration::from_secs(60);
const DENIED: Kind = Kind::Denied;

/// Connects to a server of this origin, which says this. Gives the server's side: it stays connected as long as that.
pub(super) async fn told(guest: &mut Guest, origin: &str, said: &[u8]) -> TcpStream {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let policy = EgressPolicy { allow: vec!["127.0.0.0/8".parse().unwrap()], ..EgressPolicy::default() };
    let ctx = SendContext {
        origins: vec![AllowedOrigin::server(origin, "127.0.0.1", port, false).unwrap()].into(),
        masker: Masker::new([]),
        left: LONG,
        ..guest.context()
    };
    let egress = Egress::new(policy, None).unwrap();
    let connecting = egress.connect("127.0.0.1", port, Security::Plain, &ctx);
    let (stream, accepted) = tokio::join!(connecting, listener.accept());
    let (mut stream, mut server) = (stream.unwrap(), accepted.unwrap().0);
    server.write_all(said).await.unwrap();
    let mut read = 0;
    while read < said.len() {
        read += stream.read(said.len(), LONG).await.unwrap().len();
    }
    let handle = guest.table.push(Connection::of(stream)).unwrap();
    guest.connections.push(handle.rep());
    server
}

/// A session with a password and a key, connected to nothing.
async fn alone() -> Guest {
    let password = ("password", CredentialKind::Text, CredentialUse::Challenge, PASSWORD);
    let mut guest = guest(&[password, ("key", CredentialKind::PrivateKey, CredentialUse::Challenge, SEED)]).await;
    for handle in std::mem::take(&mut guest.connections) {
        guest.table.delete(Resource::<Connection>::new_own(handle)).unwrap();
    }
    guest
}

/// What each verb comes to.
async fn all(guest: &mut Guest, binding: Option<&[u8]>) -> [Option<(Kind, String)>; 4] {
    let ssh = {
        let string = |bytes: &[u8]| [&u32::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
        let words = ["alice", "ssh-connection", "publickey"].map(|word| string(word.as_bytes())).concat();
        [string(&[9; 32]), vec![50], words, vec![1], string(b"ssh-ed25519"), string(&[3; 51])].concat()
    };
    let login = scram(guest, "sha-256", binding);
    guest.first(again(&login)).unwrap();
    let logged_in = guest.final_(login, server_first()).await.unwrap().map(drop);
    let password = handle(guest, "password");
    let answered = guest.answer(password, "mysql-native".to_owned(), String::new(), vec![5; 20]).unwrap().map(drop);
    let mut sign = |message: &[u8]| {
        let key = handle(guest, "key");
        guest.sign_challenge(key, "ed25519".to_owned(), message.to_vec()).unwrap().map(drop)
    };
    let signed = [sign(b"kbYPSOJRRV3lWXU"), sign(&ssh)];
    let [nonce, session] = signed;
    [logged_in, answered, nonce, session].map(|done| done.err().map(|failure| (failure.kind, failure.code)))
}

#[tokio::test]
async fn nothing_is_answered_for_servers_that_nobody_is_connected_to() {
    let mut guest = alone().await;
    let denied = || Some((DENIED, "challenge-not-connected".to_owned()));
    assert_eq!(all(&mut guest, None).await, [denied(), denied(), denied(), denied()]);
    // Nor for one that has gone.
    let server = told(&mut guest, "api", &server_first()).await;
    drop(server);
    let handle = guest.connections[0];
    let stream = &mut guest.table.get_mut(&Resource::<Connection>::new_borrow(handle)).unwrap().stream;
    assert!(stream.read(1, LONG).await.unwrap().is_empty());
    assert_eq!(all(&mut guest, None).await, [denied(), denied(), denied(), denied()]);
}

#[tokio::test]
async fn a_challenge_of_somebody_else_is_not_answered() {
    let mut guest = alone().await;
    let unheard = || Some((DENIED, "challenge-unheard".to_owned()));
    // The customer's server asked something else; what the session identifier of SSH is, it never says.
    let _server = told(&mut guest, "api", b"r=other,s=c2FsdA==,i=4096").await;
    assert_eq!(all(&mut guest, None).await, [unheard(), unheard(), unheard(), None]);
    // MySQL sends its nonce in two pieces.
    let split =
        [&server_first()[..], &[5; 8], b"\0\xff\xf7", &[5; 12], b"\0INFO {\"nonce\":\"kbYPSOJRRV3lWXU\"}"].concat();
    let _other = told(&mut guest, "api", &split).await;
    assert_eq!(all(&mut guest, None).await, [None, None, None, None]);
    assert_eq!(all(&mut guest, Some(&[7; 32])).await, [unheard(), None, None, None], "another channel than it says");
}

#[tokio::test]
async fn a_server_that_the_field_may_not_go_to_is_none() {
    let mut guest = alone().await;
    let _server = told(&mut guest, "author", &server_first()).await;
    let bound = |origin: &str| {
        let (kind, usage, origins) = (CredentialKind::Text, CredentialUse::Challenge, [origin.to_owned()]);
        Secret::parse("password", kind, usage, &origins, PASSWORD.as_bytes()).unwrap()
    };
    let heard = |field: &Secret| guest.heard(field, |_, recent| recent.has(&server_first())).map_err(|told| told.code);
    assert_eq!(heard(&bound("database")), Err("challenge-not-connected".to_owned()));
    assert_eq!(heard(&bound("author")), Ok(()));
}
