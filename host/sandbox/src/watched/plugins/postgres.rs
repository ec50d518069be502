//! A PostgreSQL as far as a login and an insert go: TLS, then SCRAM or MD5, verified as a server verifies it.

use crate::watched::canary::TEXT as PASSWORD;
use crate::watched::derived::{self, scram, signed};
use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use md5::{Digest as _, Md5};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// Who logs in: the one of whom `derived` knows what a password becomes.
pub(super) use derived::USER;
use derived::{ITERATIONS, SALT};

const MD5_SALT: [u8; 4] = *b"\x01\xfe\x02\xfd";
const SYNC: &[u8] = b"S\0\0\0\x04";

/// How it wants a password proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Login {
    Scram,
    Md5,
}

/// See the module.
pub(super) struct Server {
    pub(super) port: u16,
    /// The certificate of whoever vouches for it, in PEM.
    pub(super) authority: String,
    logins: Arc<AtomicUsize>,
}

impl Server {
    pub(super) async fn start(login: Login) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (authority, acceptor) = vouched_for();
        let logins: Arc<AtomicUsize> = Arc::default();
        let count = logins.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (acceptor, count) = (acceptor.clone(), count.clone());
                tokio::spawn(async move {
                    let mut request = [0; 8];
                    stream.read_exact(&mut request).await?;
                    stream.write_all(b"S").await?;
                    serve(acceptor.accept(stream).await?, login, &count).await
                });
            }
        });
        Self { port, authority, logins }
    }

    /// Who proved to know the password.
    pub(super) fn logins(&self) -> usize {
        self.logins.load(Ordering::Relaxed)
    }
}

/// An authority's certificate, and what a server shows that it vouches for.
fn vouched_for() -> (String, TlsAcceptor) {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = config.with_no_client_auth().with_single_cert(vec![certificate.der().clone()], key).unwrap();
    (authority.pem(), TlsAcceptor::from(Arc::new(config)))
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, login: Login, count: &AtomicUsize) -> io::Result<()> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).await?;
    let mut startup = vec![0; usize::try_from(u32::from_be_bytes(length)).unwrap() - 4];
    stream.read_exact(&mut startup).await?;
    let knows = match login {
        Login::Scram => knows_by_scram(&mut stream).await?,
        Login::Md5 => knows_by_md5(&mut stream).await?,
    };
    if !knows {
        return Err(io::Error::other("another password"));
    }
    count.fetch_add(1, Ordering::Relaxed);
    stream.write_all(&[message(b'R', &[0; 4]), message(b'Z', b"I")].concat()).await?;
    takes_rows(stream).await
}

/// RFC 5802, as the server.
async fn knows_by_scram(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<bool> {
    let offer = b"\0\0\0\x0aSCRAM-SHA-256-PLUS\0SCRAM-SHA-256\0\0";
    stream.write_all(&message(b'R', offer)).await?;
    let first = text(proof(stream).await?);
    // The mechanism, a length of four bytes, and behind the header of channel binding what is signed.
    let bare = first.split_once(",,").map(|(_, bare)| bare.to_owned()).unwrap_or_default();
    let nonce = bare.split_once("r=").map(|(_, nonce)| nonce.to_owned()).unwrap_or_default();
    let challenge = format!("r={nonce}more,s={},i={ITERATIONS}", STANDARD.encode(SALT));
    stream.write_all(&message(b'R', &[b"\0\0\0\x0b", challenge.as_bytes()].concat())).await?;
    let last = text(proof(stream).await?);
    let (unproven, proof) = last.split_once(",p=").ok_or(io::ErrorKind::InvalidData)?;
    let told = format!("{bare},{challenge},{unproven}");
    let [salted, _, stored] = scram(PASSWORD.as_bytes(), SALT, ITERATIONS);
    let proof = STANDARD.decode(proof).map_err(io::Error::other)?;
    let client: Vec<u8> = signed(&stored.1, told.as_bytes()).iter().zip(&proof).map(|(a, b)| a ^ b).collect();
    let signature = signed(&signed(&salted.1, b"Server Key"), told.as_bytes());
    let last = format!("\0\0\0\x0cv={}", STANDARD.encode(signature));
    stream.write_all(&message(b'R', last.as_bytes())).await?;
    Ok(digest::digest(&digest::SHA256, &client).as_ref() == stored.1)
}

/// What PostgreSQL calls MD5: of the hash of password and user, and a salt.
async fn knows_by_md5(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<bool> {
    stream.write_all(&message(b'R', &[&5_u32.to_be_bytes()[..], &MD5_SALT].concat())).await?;
    let inner = hex::encode(Md5::digest([PASSWORD, USER].concat()));
    let expected = hex::encode(Md5::digest([inner.as_bytes(), &MD5_SALT].concat()));
    Ok(text(proof(stream).await?) == format!("md5{expected}\0"))
}

/// Takes transactions of one table until the client says goodbye.
async fn takes_rows(mut stream: impl AsyncRead + AsyncWrite + Unpin) -> io::Result<()> {
    let (mut piece, mut came) = (vec![0; 64 * 1024], Vec::new());
    let done = |tag: &str| message(b'C', format!("{tag}\0").as_bytes());
    loop {
        let read = stream.read(&mut piece).await?;
        came.extend_from_slice(&piece[..read]);
        if read == 0 {
            return Ok(());
        }
        let answer = if came.ends_with(SYNC) {
            [done("BEGIN"), done("SET"), done("SET"), done("INSERT 0 1"), message(b'Z', b"T")].concat()
        } else if came.ends_with(b"COMMIT\0") {
            [done("COMMIT"), message(b'Z', b"I")].concat()
        } else {
            continue;
        };
        came.clear();
        stream.write_all(&answer).await?;
    }
}

/// What is in the client's next message, which is to be a proof.
async fn proof(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).await?;
    if head[0] != b'p' {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let length = u32::from_be_bytes([head[1], head[2], head[3], head[4]]);
    let mut contents = vec![0; usize::try_from(length).unwrap() - 4];
    stream.read_exact(&mut contents).await?;
    Ok(contents)
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).unwrap().to_be_bytes();
    [&[kind], &length[..], body].concat()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8_lossy(&bytes).into_owned()
}
