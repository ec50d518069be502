//! A TCP proxy on loopback that behaves like a bad network: it stalls, resets, and closes one side only.

use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// One end of a proxied connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one that connected to the proxy.
    Client,
    /// The one that the proxy connected to.
    Server,
}

/// What happened to the network so far. A connection compares it with what it was when it began.
#[derive(Clone, Copy, Debug, Default)]
struct Weather {
    stalled: bool,
    resets: u32,
    /// Ends told to clients, and to servers.
    ends: [u32; 2],
}

/// A proxy to one address. It works as long as the test's runtime lives.
#[derive(Clone, Debug)]
pub struct Proxy {
    /// Where it listens.
    pub address: SocketAddr,
    weather: watch::Sender<Weather>,
}

impl Proxy {
    /// A proxy that passes everything on to `target`.
    ///
    /// # Panics
    /// If there is no free port.
    pub async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("a bound address");
        let proxy = Self { address, weather: watch::Sender::new(Weather::default()) };
        let weather = proxy.weather.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(link(client, target, weather.subscribe()));
            }
        });
        proxy
    }

    /// From now on nothing passes, in either direction, and nobody is told. New connections open and stay silent.
    pub fn stall(&self) {
        self.weather.send_modify(|weather| weather.stalled = true);
    }

    /// Everything passes again, first what waited.
    pub fn resume(&self) {
        self.weather.send_modify(|weather| weather.stalled = false);
    }

    /// Resets every connection on both sides.
    pub fn reset(&self) {
        self.weather.send_modify(|weather| weather.resets += 1);
    }

    /// Ends every connection towards one side. The other one is told nothing: its connection stays open, and silent.
    pub fn half_close(&self, towards: Side) {
        self.weather.send_modify(|weather| weather.ends[towards as usize] += 1);
    }
}

/// Why a connection ends.
enum Over {
    Ended,
    Reset,
    HalfClosed(Side),
}

async fn link(mut client: TcpStream, target: SocketAddr, mut weather: watch::Receiver<Weather>) {
    let began = *weather.borrow_and_update();
    if weather.wait_for(|now| !now.stalled).await.is_err() {
        return;
    }
    let Ok(mut server) = TcpStream::connect(target).await else {
        let _ = client.set_zero_linger();
        return;
    };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let over = {
        let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
        tokio::select! {
            () = pump(from_client, to_server, weather.clone()) => Over::Ended,
            () = pump(from_server, to_client, weather.clone()) => Over::Ended,
            over = fault(began, weather.clone()) => over,
        }
    };
    match over {
        Over::Ended => {}
        Over::Reset => {
            let _ = (client.set_zero_linger(), server.set_zero_linger());
        }
        Over::HalfClosed(side) => {
            let told = if side == Side::Client { &mut client } else { &mut server };
            let _ = told.shutdown().await;
            // The other one waits for as long as the proxy is there.
            let _ = weather.wait_for(|_| false).await;
        }
    }
}

/// Until either side ends: which then ends for both, as a proxy's links do.
async fn pump(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut weather: watch::Receiver<Weather>) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        if weather.wait_for(|now| !now.stalled).await.is_err() {
            return;
        }
        // What is read in the moment of a stall waits here.
        let Ok(n @ 1..) = from.read(&mut buffer).await else { return };
        if weather.wait_for(|now| !now.stalled).await.is_err() || to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}

async fn fault(began: Weather, mut weather: watch::Receiver<Weather>) -> Over {
    let Ok(now) = weather.wait_for(|now| now.resets > began.resets || now.ends != began.ends).await else {
        return Over::Ended;
    };
    match now.ends {
        _ if now.resets > began.resets => Over::Reset,
        [client, _] if client > began.ends[Side::Client as usize] => Over::HalfClosed(Side::Client),
        _ => Over::HalfClosed(Side::Server),
    }
}
