//! `railhead serve`: listeners, signals, the end.

use crate::compose::{App, StartError};
use crate::config::Config;
use axum::Router;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::net::SocketAddr;
use std::sync::OnceLock;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Bound, and not serving yet: egress must know the addresses before anything can be sent.
pub struct Listeners {
    api: TcpListener,
    metrics: TcpListener,
    address: SocketAddr,
    metrics_address: SocketAddr,
}

/// Serving until told to stop.
pub struct Serving {
    /// Where the API listens.
    pub address: SocketAddr,
    /// Where the metrics are.
    pub metrics_address: SocketAddr,
    stop: watch::Sender<bool>,
    api: JoinHandle<()>,
    metrics: JoinHandle<()>,
}

/// How long open connections may finish their request after the host stopped accepting.
const FINISH: std::time::Duration = std::time::Duration::from_secs(5);

impl Listeners {
    /// Binds both listeners.
    ///
    /// # Errors
    /// An address is taken, or not this machine's.
    pub async fn bind(config: &Config) -> Result<Self, StartError> {
        let (api, address) = bind("RAILHEAD_LISTEN", config.listen).await?;
        let (metrics, metrics_address) = bind("RAILHEAD_METRICS_LISTEN", config.metrics_listen).await?;
        Ok(Self { api, metrics, address, metrics_address })
    }

    /// Where the API will listen.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where the metrics will be.
    #[must_use]
    pub const fn metrics_address(&self) -> SocketAddr {
        self.metrics_address
    }

    /// Starts serving.
    #[must_use]
    pub fn serve(self, router: Router) -> Serving {
        let (stop, stopped) = watch::channel(false);
        let recorder = recorder();
        let metrics = Router::new().route("/metrics", axum::routing::get(move || async move { recorder.render() }));
        Serving {
            address: self.address,
            metrics_address: self.metrics_address,
            stop,
            api: tokio::spawn(run(self.api, router, stopped)),
            metrics: tokio::spawn(async move {
                if let Err(error) = axum::serve(self.metrics, metrics).await {
                    tracing::error!(%error, "the metrics listener ended");
                }
            }),
        }
    }
}

impl Serving {
    /// Takes no new connections, and waits a little for requests under way.
    pub async fn stop_accepting(&self) {
        let _ = self.stop.send(true);
        let finished = tokio::time::timeout(FINISH, async {
            while !self.api.is_finished() {
                tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            }
        });
        if finished.await.is_err() {
            tracing::warn!("some requests did not finish in time");
        }
    }

    /// Closes what is left.
    pub fn end(self) {
        self.api.abort();
        self.metrics.abort();
    }
}

async fn bind(setting: &str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), StartError> {
    let listener = TcpListener::bind(address).await;
    let listener =
        listener.map_err(|error| StartError(format!("setting {setting}: cannot listen on {address}: {error}")))?;
    let bound = listener.local_addr().map_err(|error| StartError::at(setting, error))?;
    Ok((listener, bound))
}

async fn run(listener: TcpListener, router: Router, mut stopped: watch::Receiver<bool>) {
    let wait = async move {
        // An error means that the other side is gone: the host ends.
        let _ = stopped.wait_for(|stop| *stop).await;
    };
    if let Err(error) = axum::serve(listener, router).with_graceful_shutdown(wait).await {
        tracing::error!(%error, "the API's listener ended");
    }
}

/// One recorder for the process.
fn recorder() -> PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    let make = || {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        // Fails only if another recorder is there already, which only a test of something else can have set.
        let _ = metrics::set_global_recorder(recorder);
        handle
    };
    RECORDER.get_or_init(make).clone()
}

/// Runs the host until SIGTERM, Ctrl-C, or a fence; the exit code.
///
/// # Errors
/// The host did not start.
pub async fn serve(config: &Config, migrate: bool) -> Result<u8, StartError> {
    let app = App::start(config, migrate).await?;
    greet(&app, config);
    let code = tokio::select! {
        () = terminated() => 0,
        () = app.fenced() => {
            tracing::error!("another host took this host's work over; ending, to be started again");
            75 // EX_TEMPFAIL: a supervisor starts it again
        }
    };
    tracing::info!("draining");
    app.shutdown().await;
    tracing::info!("ended in order");
    Ok(code)
}

async fn terminated() {
    let interrupt = tokio::signal::ctrl_c();
    #[cfg(unix)]
    {
        let Ok(mut term) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
            let _ = interrupt.await;
            return;
        };
        tokio::select! {
            _ = interrupt => {}
            _ = term.recv() => {}
        }
    }
    #[cfg(not(unix))]
    {
        let _ = interrupt.await;
    }
}

#[allow(clippy::print_stdout)] // what a command prints is its purpose
fn greet(app: &App, config: &Config) {
    println!("railhead listens on http://{}  (metrics: http://{}/metrics)", app.address(), app.metrics_address());
    println!("everything is kept in {}", config.data.display());
    for key in app.first_keys() {
        println!("{:<14} key, shown once: {}", key.whose, key.secret);
    }
    if !app.first_keys().is_empty() {
        println!("docs: http://{}/docs", app.address());
    }
}
