//! The thread that serves.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::sleep;

use super::ports;
use super::service::{self, Connection};
use super::wire::{Ending, Wire};
use crate::config::Config;
use crate::host::{Host, Origins};
use crate::state::Shared;

/// Request heads longer than this are answered with 431: 20 kB are fine for Keycloak, 70 kB are not.
const LONGEST_HEAD: usize = 64 * 1024;

/// The serving thread, with a runtime of its own; dropping it stops it.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(crate) fn start(config: Config) -> io::Result<(Self, Arc<Shared>)> {
        let (stop, stopped) = oneshot::channel();
        let (ready, started) = mpsc::sync_channel(1);
        let thread =
            std::thread::Builder::new().name("cdse-sandbox".to_owned()).spawn(move || run(&config, stopped, &ready))?;
        match started.recv() {
            Ok(Ok((address, shared))) => Ok((Self { address, stop: Some(stop), thread: Some(thread) }, shared)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::Error::other("the thread of the sandbox ended before it served requests")),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed; there is nobody to hand it to.
            let _ = thread.join();
        }
    }
}

type Ready = mpsc::SyncSender<io::Result<(SocketAddr, Arc<Shared>)>>;

fn run(config: &Config, stopped: oneshot::Receiver<()>, ready: &Ready) {
    let served = tokio::runtime::Builder::new_current_thread().enable_all().build().and_then(|runtime| {
        runtime.block_on(async {
            let [identity, catalogue, download, stac] = ports::bind(config.port)?;
            let address = identity.local_addr()?;
            let addresses = [address, catalogue.local_addr()?, download.local_addr()?, stac.local_addr()?];
            let shared = Arc::new(Shared::new(config, Origins::new(&addresses))?);
            let _ = ready.send(Ok((address, Arc::clone(&shared))));
            tokio::select! {
                () = accept(&identity, Host::Identity, &shared) => {}
                () = accept(&catalogue, Host::Catalogue, &shared) => {}
                () = accept(&download, Host::Download, &shared) => {}
                () = accept(&stac, Host::Stac, &shared) => {}
                _ = stopped => {}
            }
            Ok(())
        })
    });
    if let Err(error) = served {
        let _ = ready.send(Err(error));
    }
}

async fn accept(listener: &TcpListener, host: Host, shared: &Arc<Shared>) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let number = shared.lock().record.connect();
                tokio::spawn(connection(Arc::clone(shared), host, stream, number));
            }
            // Out of file descriptors, mostly: connections have to end before there is another.
            Err(_) => sleep(Duration::from_millis(10)).await,
        }
    }
}

async fn connection(shared: Arc<Shared>, host: Host, stream: TcpStream, number: u64) {
    let ending = Arc::new(Ending::default());
    let Ok(wire) = Wire::new(stream, Arc::clone(&ending)) else { return };
    let connection = Arc::new(Connection { shared, host, number, ending });
    let service = service_fn(move |request| service::serve(Arc::clone(&connection), request));
    // How a connection ends is the client's business, or a fault's.
    let _ = http1::Builder::new()
        .auto_date_header(false)
        .max_header_size(LONGEST_HEAD)
        .serve_connection(TokioIo::new(wire), service)
        .await;
}
