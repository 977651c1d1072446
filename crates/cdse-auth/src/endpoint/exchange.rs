//! One request to the identity service, on a connection of its own.

use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::{Method, RequestBuilder};
use url::Url;
use zeroize::{Zeroize, Zeroizing};

use super::address::Endpoints;
use super::answer::{Answer, Exchange, GrantType, classify};
use super::request_error::not_answered;
use super::transport::{Client, TransportConfig};
use crate::clock::{Clock, Millis};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Failure, Outcome};
use crate::provider::GrantData;
use crate::record::Class;
use crate::secret::Secret;
use crate::sync::{Mutex, lock};

/// More of an answer is not read.
const LARGEST: usize = 1 << 20;
/// How long ending a session may take.
pub(crate) const FAREWELL: Millis = 5_000;

/// The identity service of one slot.
#[derive(Debug)]
pub(crate) struct Service {
    pub(super) endpoints: Endpoints,
    transport: TransportConfig,
    client: Mutex<Option<Client>>,
    clock: Clock,
}

impl Service {
    pub(crate) fn new(endpoints: Endpoints, transport: TransportConfig, clock: Clock) -> Self {
        Self { endpoints, transport, client: Mutex::new(None), clock }
    }

    /// One POST to the token endpoint, classified once. Nothing is repeated here.
    pub(crate) fn exchange(&self, exchange: Exchange, form: &GrantData) -> Outcome {
        let answer = self.post(&self.endpoints.token, form, self.transport.timeout())?;
        classify(exchange, &answer, self.clock.now().wall)
    }

    /// Ends the session that `refresh_token` belongs to, for everybody. Says so again for one that has ended already.
    pub(crate) fn logout(&self, client_id: &str, refresh_token: &Secret) -> Result<()> {
        let form = vec![("client_id", client_id.into()), ("refresh_token", refresh_token.clone())];
        let answer = self.post(&self.endpoints.logout, &form, FAREWELL.min(self.transport.timeout()));
        // There is nothing left here to try again with.
        answer.map_err(|failure| failure.error).and_then(|answer| ended(&answer)).map_err(|error| {
            error.retold(|why| {
                format!("the session may still be open at the identity service, until it ends by itself: {why}")
            })
        })
    }

    /// The discovery document, without any credential: the answer, and what the service takes for the time of day.
    pub(super) fn discovery(&self) -> Result<(Answer, Option<String>), Failure> {
        let url = &self.endpoints.discovery;
        self.send(&Method::GET, url, self.transport.timeout(), |request| request)
    }

    /// One request with an access token to what lies beside the token endpoint. Nothing is repeated here.
    pub(super) fn ask(&self, method: &Method, url: &Url, authorization: &HeaderValue) -> Result<Answer, Failure> {
        self.send(method, url, self.transport.timeout(), |request| {
            // Keycloak 26 ends a session only for who says that JSON is spoken.
            let json = HeaderValue::from_static("application/json");
            request.header(AUTHORIZATION, authorization).header(CONTENT_TYPE, json)
        })
        .map(|(answer, _)| answer)
    }

    /// Sets up what a request needs, as the first one would: reads the certificate authorities, looks at the proxy.
    #[cfg(not(cdse_model))]
    pub(crate) fn prepare(&self) -> Result<()> {
        self.client().map(drop)
    }

    /// A test that answers needs no cryptography, and a model checker is built without.
    #[cfg(cdse_model)]
    pub(crate) fn prepare(&self) -> Result<()> {
        Ok(())
    }

    #[cfg(not(cdse_model))]
    fn post(&self, url: &Url, form: &GrantData, timeout: Millis) -> Result<Answer, Failure> {
        let body = encode(form);
        self.send(&Method::POST, url, timeout, |request| {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            request.header(CONTENT_TYPE, form).body(Bytes::from_owner(body))
        })
        .map(|(answer, _)| answer)
    }

    /// No socket runs on a model checker's threads: its test answers.
    #[cfg(cdse_model)]
    fn post(&self, url: &Url, form: &GrantData, _: Millis) -> Result<Answer, Failure> {
        super::modelled::answer(url, form)
    }

    fn send(
        &self,
        method: &Method,
        url: &Url,
        timeout: Millis,
        with: impl FnOnce(RequestBuilder) -> RequestBuilder,
    ) -> Result<(Answer, Option<String>), Failure> {
        let client = self.client().map_err(|error| Failure::new(Class::Unsent, error))?;
        if tokio::runtime::Handle::try_current().is_ok() {
            // On a caller's own thread, for there was no other, and there it must not block.
            let why = "the request could not be started, because no thread could be started; nothing was sent";
            return Err(Failure::new(Class::Unsent, Error::new(ErrorKind::Network, why)));
        }
        // Dropped after the runtime, with which everything goes that shares its bytes.
        let mut received = Received::default();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
            let why = format!("the request could not be started: {error}; nothing was sent");
            Failure::new(Class::Unsent, Error::new(ErrorKind::Network, why).with_source(error))
        })?;
        let begun = self.clock.now().mono;
        log::info!("{method} {url}");
        let result = runtime.block_on(async {
            let request = with(client.http.request(method.clone(), url.clone()))
                .header(ACCEPT, HeaderValue::from_static("application/json"))
                .header("Connection", HeaderValue::from_static("close"))
                .timeout(Duration::from_millis(timeout.unsigned_abs()));
            let response = request.send().await?;
            let date = header(&response, DATE);
            Ok((read(response, &mut received).await?, date))
        });
        // A name that is still being looked up must not hold the thread.
        runtime.shutdown_background();
        let took = self.clock.now().mono.saturating_sub(begun);
        result.inspect(|(answer, _)| log::info!("HTTP {} after {took} ms", answer.status)).map_err(|error| {
            let (class, error) = not_answered(url, client.route.as_ref(), error);
            log::info!("no answer after {took} ms ({})", if class == Class::Unsent { "not sent" } else { "lost" });
            Failure::new(class, error)
        })
    }

    /// Made at the first request: it reads the system's certificates.
    fn client(&self) -> Result<Client> {
        let mut kept = lock(&self.client);
        let client = kept.take().map_or_else(|| self.transport.client(&self.endpoints.token), Ok)?;
        Ok(kept.insert(client).clone())
    }
}

/// Whether an answer to a logout says that the session has ended. One that had ended already is answered in the same way;
/// a page is the browser's logout, which ends nothing.
pub(super) fn ended(answer: &Answer) -> Result<()> {
    if answer.status == 204 || (answer.status == 200 && answer.whole && answer.body.is_empty()) {
        return Ok(());
    }
    match classify(Exchange { grant_type: GrantType::Refresh, repeatable: true, known: true }, answer, 0) {
        Err(failure) if failure.class != Class::Dead => Err(failure.error),
        _ => Err(Error::new(ErrorKind::MalformedAnswer, "the identity service did not find a session for the token")),
    }
}

/// `application/x-www-form-urlencoded` in a buffer that is wiped.
#[cfg(not(cdse_model))]
fn encode(form: &GrantData) -> Zeroizing<Vec<u8>> {
    let room = form.iter().map(|(name, value)| name.len() + 3 * value.expose().len() + 2).sum();
    let mut body = url::form_urlencoded::Serializer::new(String::with_capacity(room));
    for (name, value) in form {
        body.append_pair(name, value.expose());
    }
    Zeroizing::new(body.finish().into_bytes())
}

/// The pieces of a body as the HTTP library read them: its buffer holds the tokens too, and is wiped when it is nobody
/// else's any more. (Of several pieces in one buffer only the last is wiped; a token answer comes in one.)
#[derive(Default)]
struct Received(Vec<Bytes>);

impl Drop for Received {
    fn drop(&mut self) {
        for piece in self.0.drain(..) {
            if let Ok(mut piece) = piece.try_into_mut() {
                piece.zeroize();
            }
        }
    }
}

async fn read(mut response: reqwest::Response, received: &mut Received) -> reqwest::Result<Answer> {
    let status = response.status().as_u16();
    let retry_after = header(&response, RETRY_AFTER);
    let mut body = Zeroizing::new(Vec::with_capacity(8 * 1024));
    let whole = loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = LARGEST.saturating_sub(body.len());
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                let too_long = chunk.len() > room;
                received.0.push(chunk);
                if too_long {
                    break false;
                }
            }
            Ok(None) => break true,
            // An error answer has said enough with its status.
            Err(_) if status >= 300 => break false,
            Err(error) => return Err(error),
        }
    };
    Ok(Answer { status, retry_after, body, whole })
}

fn header(response: &reqwest::Response, name: HeaderName) -> Option<String> {
    response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

#[cfg(test)]
#[cfg(not(cdse_model))]
mod tests {
    use super::*;

    #[test]
    fn x5_a_form_is_made_in_one_buffer_that_never_moves() {
        // Each of these bytes takes three.
        let form = vec![("password", Secret::new("&".repeat(10))), ("totp", Secret::new("%".repeat(7)))];
        let body = encode(&form);
        assert_eq!(body.capacity(), body.len() + 1, "room for all of it, and for an ampersand before the first");
    }
}
