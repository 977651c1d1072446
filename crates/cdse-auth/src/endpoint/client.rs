//! The library's own HTTP client: each request on a connection of its own.

use std::time::Duration;

use bytes::Bytes;
use url::Url;
use zeroize::{Zeroize, Zeroizing};

use super::exchange::LARGEST;
use super::request_error::not_answered;
use super::sender::{HttpSend, Incomplete, SendError};
use super::transport::{Client, TransportConfig};
use crate::error::{Error, ErrorKind, Result};
use crate::sync::{Mutex, lock};

/// It is set up at the first request, for that reads the system's certificates.
#[derive(Debug)]
pub(super) struct OwnClient {
    service: Url,
    config: TransportConfig,
    client: Mutex<Option<Client>>,
}

impl OwnClient {
    pub(super) fn new(service: Url, config: TransportConfig) -> Self {
        Self { service, config, client: Mutex::new(None) }
    }

    fn client(&self) -> Result<Client> {
        let mut client = lock(&self.client);
        if let Some(client) = &*client {
            return Ok(client.clone());
        }
        let made = self.config.client(&self.service)?;
        *client = Some(made.clone());
        Ok(made)
    }
}

impl HttpSend for OwnClient {
    fn send(&self, request: http::Request<Bytes>, timeout: Duration) -> Result<http::Response<Bytes>, SendError> {
        let client = self.client().map_err(SendError::unsent)?;
        let not_started = |why: &str| {
            let why = format!("the request could not be started{why}; nothing was sent");
            Error::new(ErrorKind::Network, why)
        };
        if tokio::runtime::Handle::try_current().is_ok() {
            // On a caller's own thread, for there was no other, and there it must not block.
            return Err(SendError::unsent(not_started(", because no thread could be started")));
        }
        let mut request = reqwest::Request::try_from(request)
            .map_err(|error| SendError::unsent(not_started("").with_source(error.without_url())))?;
        *request.timeout_mut() = Some(timeout);
        let url = request.url().clone();
        // Dropped after the runtime, with which everything goes that shares its bytes.
        let mut received = Received::default();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| SendError::unsent(not_started(&format!(": {error}")).with_source(error)))?;
        let result = runtime.block_on(async { read(client.http.execute(request).await?, &mut received).await });
        // A name that is still being looked up must not hold the thread.
        runtime.shutdown_background();
        result.map_err(|error| not_answered(&url, client.route.as_ref(), error))
    }

    fn prepare(&self) -> Result<()> {
        self.client().map(drop)
    }
}

/// The pieces of a body as the HTTP library read them: its buffer holds the tokens too, and is wiped when it is nobody
/// else's any more. (Of several pieces in one buffer only the last is wiped; a token answer comes in one.)
#[derive(Default)]
pub(super) struct Received(pub(super) Vec<Bytes>);

impl Drop for Received {
    fn drop(&mut self) {
        for piece in self.0.drain(..) {
            if let Ok(mut piece) = piece.try_into_mut() {
                piece.zeroize();
            }
        }
    }
}

async fn read(mut response: reqwest::Response, received: &mut Received) -> reqwest::Result<http::Response<Bytes>> {
    let mut body = Zeroizing::new(Vec::with_capacity(8 * 1024));
    let mut answer = http::Response::new(Bytes::new());
    *answer.status_mut() = response.status();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = LARGEST.saturating_sub(body.len());
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                let too_long = chunk.len() > room;
                received.0.push(chunk);
                if too_long {
                    answer.extensions_mut().insert(Incomplete);
                    break;
                }
            }
            Ok(None) => break,
            // An error answer has said enough with its status.
            Err(_) if !answer.status().is_success() => {
                answer.extensions_mut().insert(Incomplete);
                break;
            }
            Err(error) => return Err(error),
        }
    }
    *answer.headers_mut() = std::mem::take(response.headers_mut());
    *answer.body_mut() = Bytes::from(std::mem::take(&mut *body));
    Ok(answer)
}
