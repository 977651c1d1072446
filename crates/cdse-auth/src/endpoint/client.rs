//! The library's own HTTP client: each request on a connection of its own.

use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http::header::{DATE, RETRY_AFTER};
use url::Url;
use zeroize::Zeroizing;

use super::request_error::not_answered;
use super::sender::{Body, HttpSend, Incomplete, LARGEST, SendError};
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
        // The pieces of the body, as the HTTP library read them: its buffer holds the tokens too. Dropped after the runtime, with
        // which everything goes that shares its bytes. (Of several pieces in one buffer only the last is wiped; a token answer
        // comes in one.)
        let mut received = Vec::new();
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

async fn read(mut response: reqwest::Response, received: &mut Vec<Body>) -> reqwest::Result<http::Response<Bytes>> {
    let mut body = Zeroizing::new(Vec::with_capacity(8 * 1024));
    let mut answer = http::Response::new(Bytes::new());
    *answer.status_mut() = response.status();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = LARGEST.saturating_sub(body.len());
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                let too_long = chunk.len() > room;
                received.push(Body(chunk));
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
    // Copies: a header as it came shares the buffer of the body, which could not be wiped then.
    for name in [RETRY_AFTER, DATE] {
        if let Some(Ok(value)) = response.headers().get(&name).map(|value| HeaderValue::from_bytes(value.as_bytes())) {
            answer.headers_mut().insert(name, value);
        }
    }
    *answer.body_mut() = Bytes::from(std::mem::take(&mut *body));
    Ok(answer)
}
