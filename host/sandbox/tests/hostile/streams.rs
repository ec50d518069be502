//! A server for streams: it sends back what it gets. Its first line may tell it to do otherwise.

use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// Starts one on the loopback.
pub async fn start() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// `endless`: sends without end. `sink`: takes everything and says nothing. `slow`: sends back byte by byte.
async fn serve(mut stream: TcpStream) {
    let mut piece = vec![0; 64 * 1024];
    let mut slow = false;
    while let Ok(length @ 1..) = stream.read(&mut piece).await {
        let mut got = &piece[..length];
        if got.starts_with(b"endless\n") {
            while stream.write_all(&[b'x'; 64 * 1024]).await.is_ok() {}
            return;
        }
        if got.starts_with(b"sink\n") {
            while matches!(stream.read(&mut piece).await, Ok(1..)) {}
            return;
        }
        if got.starts_with(b"slow\n") {
            let _ = stream.set_nodelay(true);
            (slow, got) = (true, &got[5..]);
        }
        for part in got.chunks(if slow { 1 } else { got.len().max(1) }) {
            if stream.write_all(part).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}
