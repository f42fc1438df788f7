//! The delivery service of the chat app: it keeps clients' key packages and Welcomes, orders each
//! group's messages in a log, and forwards them. It reads MLS headers and never holds a group's keys.
//! See the README beside this crate for its interface and for what it learns.

#![forbid(unsafe_code)]

mod api;
mod app;
mod auth;
mod bytes;
mod claims;
mod config;
mod error;
mod limits;
mod live;
mod log;
mod mls;
mod names;
mod store;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio::signal::unix::{signal, SignalKind};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::app::App;
use crate::config::{Command, Config};
use crate::store::Store;

fn main() -> ExitCode {
    let config = match config::parse(std::env::args().skip(1), |name| std::env::var(name).ok()) {
        Ok(Command::Run(config)) => config,
        Ok(Command::Help) => {
            print!("{}", config::USAGE);
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            log::line(format_args!("{error}; --help lists the options"));
            return ExitCode::from(2);
        }
    };
    let outcome = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("cannot start: {error}"))
        .and_then(|runtime| runtime.block_on(run(config)));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log::line(format_args!("{error}"));
            ExitCode::FAILURE
        }
    }
}

/// Serves until a signal asks to stop; then finishes what has begun.
async fn run(config: Config) -> Result<(), String> {
    let database = config.database.display();
    let store = Store::open(&config.database)
        .map_err(|error| format!("cannot open the database {database}: {error}"))?;
    let listener = TcpListener::bind(config.listen)
        .await
        .map_err(|error| format!("cannot listen on {}: {error}", config.listen))?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let mut signals =
        Signals::new().map_err(|error| format!("cannot wait for signals: {error}"))?;

    let challenges = auth::Challenges::new().map_err(|_| "no random numbers".to_owned())?;
    let app = Arc::new(App {
        store,
        challenges,
        claims: claims::Claims::new(),
        quotas: config.quotas,
        hub: live::Hub::default(),
        stop: watch::Sender::new(false),
    });
    let listener = listener.tap_io(|stream| {
        // Small frames go out at once; where that cannot be set, they go out a little later.
        let _ = stream.set_nodelay(true);
    });
    let mut stopping = app.stop.subscribe();
    let server = axum::serve(listener, api::router(Arc::clone(&app), &config))
        .with_graceful_shutdown(async move {
            // An error means that the sender is gone, which is a reason to stop too.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        });
    let mut server = tokio::spawn(async move { server.await });

    // Scripts wait for this line and read the port from it.
    println!("listening on http://{address}");
    let _ = std::io::stdout().flush();

    tokio::select! {
        () = signals.wait() => {}
        ended = &mut server => return Err(format!("the server ended by itself: {ended:?}")),
    }
    log::line(format_args!("stopping"));
    app.stop.send_replace(true);
    // What waits for the signal holds a receiver: the server, and each live connection until its close
    // frame is out.
    if timeout(limits::STOP, app.stop.closed()).await.is_err()
        || timeout(limits::STOP, &mut server).await.is_err()
    {
        log::line(format_args!("a request took too long and was cut off"));
        server.abort();
    }
    app.store
        .checkpoint()
        .map_err(|error| format!("cannot checkpoint the database {database}: {error}"))
}

struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
