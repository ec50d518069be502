//! A receiver: takes requests apart, answers as told, keeps what came.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// A request as it came over the wire.
#[derive(Clone, Debug, Default)]
pub struct Received {
    /// `POST /path HTTP/1.1`.
    pub line: String,
    /// Names in lower case; a name that came twice has both values.
    pub headers: BTreeMap<String, Vec<String>>,
    pub body: Vec<u8>,
}

impl Received {
    /// The only value of a header.
    pub fn header(&self, name: &str) -> &str {
        match self.headers.get(name).map(Vec::as_slice) {
            Some([value]) => value,
            other => panic!("{name}: {other:?}"),
        }
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// What to answer: status line and header lines; after an empty line a body. `None` hangs up without an answer.
type Answer = dyn Fn(&Received) -> Option<String> + Send + Sync;

pub struct Receiver {
    pub url: String,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Receiver {
    /// Answers every request with this status and these header lines.
    pub fn answering(answer: &str) -> Self {
        let answer = answer.to_owned();
        Self::deciding(move |_| Some(answer.clone()))
    }

    pub fn deciding(answer: impl Fn(&Received) -> Option<String> + Send + Sync + 'static) -> Self {
        Self::start("http", "127.0.0.1", answer, |stream, kept, answer| serve(stream, kept, answer))
    }

    /// Over TLS, as `localhost`; answers 200.
    pub fn with_tls(config: Arc<rustls::ServerConfig>) -> Self {
        let answer = |_: &Received| Some("200 OK".to_owned());
        Self::start("https", "localhost", answer, move |stream, kept, answer| {
            let connection = rustls::ServerConnection::new(config.clone()).unwrap();
            serve(rustls::StreamOwned::new(connection, stream), kept, answer);
        })
    }

    fn start(
        scheme: &str,
        host: &str,
        answer: impl Fn(&Received) -> Option<String> + Send + Sync + 'static,
        serve: impl Fn(TcpStream, &Mutex<Vec<Received>>, &Answer) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("{scheme}://{host}:{}/hook", listener.local_addr().unwrap().port());
        let received = Arc::new(Mutex::new(Vec::new()));
        let (kept, answer, serve) = (received.clone(), Arc::new(answer), Arc::new(serve));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (kept, answer, serve) = (kept.clone(), answer.clone(), serve.clone());
                thread::spawn(move || serve(stream, &kept, &*answer));
            }
        });
        Self { url, received }
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    pub fn only(&self) -> Received {
        let received = self.received();
        assert_eq!(received.len(), 1, "{received:?}");
        received.into_iter().next().unwrap()
    }
}

fn serve<S: Read + Write>(stream: S, kept: &Mutex<Vec<Received>>, answer: &Answer) {
    let mut reader = BufReader::new(stream);
    let Some(received) = read(&mut reader) else { return };
    kept.lock().unwrap().push(received.clone());
    if let Some(answer) = answer(&received) {
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let length = body.len();
        let whole = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
        // The other side may have gone: then there is nobody to answer.
        let _ = reader.get_mut().write_all(whole.as_bytes());
        let _ = reader.get_mut().flush();
    }
}

fn read<S: Read>(reader: &mut BufReader<S>) -> Option<Received> {
    let mut received = Received::default();
    reader.read_line(&mut received.line).ok().filter(|length| *length > 0)?;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        received.headers.entry(name.to_ascii_lowercase()).or_default().push(value.trim().to_owned());
    }
    let length = received.headers.get("content-length").map_or(0, |values| values[0].parse().unwrap());
    received.body.resize(length, 0);
    reader.read_exact(&mut received.body).ok()?;
    Some(received)
}
