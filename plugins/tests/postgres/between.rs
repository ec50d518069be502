//! Who stands between the connector and the server.

use crate::certificates::Shown;
use crate::server::Server;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{TlsAcceptor, TlsConnector};

/// `SSLRequest`, as the manual has it.
const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
const PLUS: &[u8] = b"SCRAM-SHA-256-PLUS\0";

/// Has a valid certificate for the server's name, and passes everything on; or all but the offer of channel binding. Its
/// port.
pub async fn terminating(server: &Server, hide_binding: bool) -> u16 {
    let Shown { certificate, key } = server.authority.issue(&["localhost"], |_| {});
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap()));
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(server.authority.pem().as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let connector = TlsConnector::from(Arc::new(config.with_root_certificates(roots).with_no_client_auth()));
    let target = server.port;
    listening(move |mut client| {
        let (acceptor, connector) = (acceptor.clone(), connector.clone());
        async move {
            let mut request = [0; 8];
            client.read_exact(&mut request).await?;
            assert_eq!(request, SSL_REQUEST);
            client.write_all(b"S").await?;
            let client = acceptor.accept(client).await?;
            let mut server = TcpStream::connect(("127.0.0.1", target)).await?;
            server.write_all(&SSL_REQUEST).await?;
            server.read_exact(&mut request[..1]).await?;
            let server = connector.connect(ServerName::try_from("localhost").unwrap(), server).await?;
            passed_on(client, server, hide_binding).await
        }
    })
    .await
}

async fn passed_on(
    client: impl AsyncRead + AsyncWrite + Unpin,
    server: impl AsyncRead + AsyncWrite + Unpin,
    hide_binding: bool,
) -> std::io::Result<()> {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (tokio::io::split(client), tokio::io::split(server));
    let up = tokio::io::copy(&mut from_client, &mut to_server);
    let down = async {
        let mut piece = vec![0; 64 * 1024];
        loop {
            let read = from_server.read(&mut piece).await?;
            if read == 0 {
                return to_client.shutdown().await;
            }
            let mut bytes = piece[..read].to_vec();
            if hide_binding && let Some(at) = bytes.windows(PLUS.len()).position(|window| window == PLUS) {
                bytes.drain(at..at + PLUS.len());
                // The length of the message that it stood in, its second to fifth byte.
                bytes[4] -= u8::try_from(PLUS.len()).unwrap();
            }
            to_client.write_all(&bytes).await?;
        }
    };
    tokio::select! { ended = up => ended.map(drop), ended = down => ended }
}

/// When a connection is cut.
#[derive(Clone, Copy)]
pub enum Cut {
    /// The server never hears the word.
    Before,
    /// The server hears it and answers; the client never hears the answer.
    After,
}

/// Passes everything on without TLS until the client says this word, and cuts then; later connections pass. Its port.
pub async fn cutting(server: &Server, word: &'static [u8], cut: Cut) -> u16 {
    let target = server.port;
    let first = Arc::new(std::sync::atomic::AtomicBool::new(true));
    listening(move |mut client| {
        let cuts = first.swap(false, std::sync::atomic::Ordering::Relaxed);
        async move {
            let mut server = TcpStream::connect(("127.0.0.1", target)).await?;
            if !cuts {
                return tokio::io::copy_bidirectional(&mut client, &mut server).await.map(drop);
            }
            let (mut up, mut down) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
            loop {
                tokio::select! {
                    read = client.read(&mut up) => {
                        let bytes = &up[..read?];
                        let said = bytes.windows(word.len()).any(|window| window == word);
                        if bytes.is_empty() {
                            return Ok(());
                        }
                        if said && matches!(cut, Cut::After) {
                            server.write_all(bytes).await?;
                            let _ = server.read(&mut down).await?;
                        }
                        if said {
                            drop(server);
                            return ended(client).await;
                        }
                        server.write_all(bytes).await?;
                    }
                    read = server.read(&mut down) => {
                        let bytes = &down[..read?];
                        if bytes.is_empty() {
                            return Ok(());
                        }
                        client.write_all(bytes).await?;
                    }
                }
            }
        }
    })
    .await
}

/// Ends a connection in order, whatever the other side still says.
async fn ended(mut stream: TcpStream) -> std::io::Result<()> {
    stream.shutdown().await?;
    tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.map(drop)
}

/// Does this with each connection, as long as the test's runtime lives. The port.
async fn listening<F>(each: impl Fn(TcpStream) -> F + Send + 'static) -> u16
where
    F: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(each(client));
        }
    });
    port
}
