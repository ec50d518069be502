//! `railhead serve`: listeners, signals, the end.

use crate::compose::{App, StartError};
use crate::config::Config;
use crate::connections;
use crate::gate::Gate;
use axum::Router;
use hyper_util::service::TowerToHyperService;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::OnceLock;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Bound, and not serving yet.
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

    /// Starts serving what the gate lets through.
    #[must_use]
    pub fn serve(self, gate: Gate) -> Serving {
        let (stop, stopped) = watch::channel(false);
        let recorder = recorder();
        let metrics = Router::new().route("/metrics", axum::routing::get(move || async move { recorder.render() }));
        Serving {
            address: self.address,
            metrics_address: self.metrics_address,
            stop,
            api: tokio::spawn(connections::serve(self.api, gate, stopped.clone())),
            metrics: tokio::spawn(connections::serve(self.metrics, TowerToHyperService::new(metrics), stopped)),
        }
    }
}

impl Serving {
    /// Takes no new connections, and waits a little for requests under way.
    pub async fn stop_accepting(&mut self) {
        let _ = self.stop.send(true);
        if tokio::time::timeout(FINISH, &mut self.api).await.is_err() {
            tracing::warn!("some requests did not finish in time");
        }
    }

    /// Closes what is left.
    pub fn end(self) {
        drop(self);
    }
}

impl Drop for Serving {
    /// A start that fails leaves nobody who answers.
    fn drop(&mut self) {
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
    // Before anybody can see that the host is ready: a signal that nobody waits for ends the process at once.
    let mut told = Told::listen()?;
    let app = tokio::select! {
        app = App::start(config, migrate) => app?,
        () = told.asked_to_end() => return Ok(0),
    };
    if let Err(error) = greet(&app, config) {
        app.shutdown().await;
        return Err(StartError(format!(
            "the first keys could not be shown ({error}); delete {} and start again, or set RAILHEAD_ADMIN_KEY",
            config.data.display()
        )));
    }
    let code = tokio::select! {
        () = told.asked_to_end() => 0,
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

/// SIGTERM and Ctrl-C.
struct Told {
    #[cfg(unix)]
    term: tokio::signal::unix::Signal,
}

impl Told {
    fn listen() -> Result<Self, StartError> {
        #[cfg(unix)]
        let term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
            .map_err(|error| StartError::at("SIGTERM", error))?;
        Ok(Self {
            #[cfg(unix)]
            term,
        })
    }

    async fn asked_to_end(&mut self) {
        let interrupt = tokio::signal::ctrl_c();
        #[cfg(unix)]
        tokio::select! {
            _ = interrupt => {}
            _ = self.term.recv() => {}
        }
        #[cfg(not(unix))]
        let _ = interrupt.await;
    }
}

/// Says where it listens, and shows the first keys. They are shown once: where they cannot be shown, the start fails.
fn greet(app: &App, config: &Config) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    let (address, metrics) = (app.address(), app.metrics_address());
    let told = writeln!(out, "railhead listens on http://{address}  (metrics: http://{metrics}/metrics)")
        .and_then(|()| writeln!(out, "everything is kept in {}", config.data.display()));
    if app.first_keys().is_empty() {
        // Nobody reads it: that is no reason to end.
        return Ok(());
    }
    told?;
    for key in app.first_keys() {
        writeln!(out, "{:<14} key, shown once: {}", key.whose, key.secret)?;
    }
    writeln!(out, "docs: http://{address}/docs")?;
    out.flush()
}
