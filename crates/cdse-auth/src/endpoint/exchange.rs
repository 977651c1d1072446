//! One request to the identity service, on a connection of its own.

use std::error::Error as _;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, DATE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, Method, RequestBuilder};
use url::Url;
use zeroize::Zeroizing;

use super::address::{Endpoints, is_loopback};
use super::answer::{Answer, Asked, classify};
use super::transport::TransportConfig;
use crate::clock::Clock;
use crate::error::{Error, ErrorKind, Result, cleaned};
use crate::plan::{Class, Failure, Outcome};
use crate::provider::GrantData;
use crate::secret::Secret;
use crate::sync::{Mutex, lock};

/// More of an answer is not read.
const LARGEST: usize = 1 << 20;
/// How long ending a session may take.
const FAREWELL: Duration = Duration::from_secs(5);

/// The identity service of one slot.
#[derive(Debug)]
pub(crate) struct Service {
    endpoints: Endpoints,
    transport: TransportConfig,
    client: Mutex<Option<Client>>,
    clock: Clock,
}

impl Service {
    pub(crate) fn new(endpoints: Endpoints, transport: TransportConfig, clock: Clock) -> Self {
        Self { endpoints, transport, client: Mutex::new(None), clock }
    }

    /// One POST to the token endpoint, classified once. Nothing is repeated here.
    pub(crate) fn exchange(&self, asked: Asked, form: &GrantData) -> Outcome {
        let timeout = Duration::from_millis(self.transport.timeout().unsigned_abs());
        match self.post(&self.endpoints.token, form, timeout) {
            Ok(answer) => classify(asked, &answer, self.clock.now().wall),
            Err(failure) => Err(failure),
        }
    }

    /// Ends the session that `refresh_token` belongs to, for everybody. Says so again for one that has ended already.
    pub(crate) fn logout(&self, client_id: &str, refresh_token: &Secret) -> Result<()> {
        let form = vec![("client_id", client_id.into()), ("refresh_token", refresh_token.clone())];
        let answer = self.post(&self.endpoints.logout, &form, FAREWELL);
        answer.map_err(|failure| failure.error).and_then(|answer| ended(&answer)).map_err(|error| {
            let why =
                format!("the session may still be open at the identity service, until it ends by itself: {error}");
            Error::new(error.kind(), why)
        })
    }

    /// The discovery document, without any credential: the answer, and what the service takes for the time of day.
    pub(super) fn discovery(&self) -> Result<(Answer, Option<String>), Failure> {
        let timeout = Duration::from_millis(self.transport.timeout().unsigned_abs());
        let url = &self.endpoints.discovery;
        self.send(url, timeout, |client| client.get(url.clone()))
    }

    /// One request with an access token to what lies beside the token endpoint. Nothing is repeated here.
    pub(super) fn ask(&self, method: Method, url: &Url, authorization: &HeaderValue) -> Result<Answer, Failure> {
        let timeout = Duration::from_millis(self.transport.timeout().unsigned_abs());
        self.send(url, timeout, |client| {
            // Keycloak 26 ends a session only for who says that JSON is spoken.
            let json = HeaderValue::from_static("application/json");
            client.request(method, url.clone()).header(AUTHORIZATION, authorization).header(CONTENT_TYPE, json)
        })
        .map(|(answer, _)| answer)
    }

    pub(super) fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    fn post(&self, url: &Url, form: &GrantData, timeout: Duration) -> Result<Answer, Failure> {
        let body = encode(form);
        self.send(url, timeout, |client| {
            let form = HeaderValue::from_static("application/x-www-form-urlencoded");
            client.post(url.clone()).header(CONTENT_TYPE, form).body(bytes::Bytes::from_owner(body))
        })
        .map(|(answer, _)| answer)
    }

    fn send(
        &self,
        url: &Url,
        timeout: Duration,
        request: impl FnOnce(&Client) -> RequestBuilder,
    ) -> Result<(Answer, Option<String>), Failure> {
        let client = self.client().map_err(|error| failure(Class::Configuration, error))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|error| {
            let why = format!("the request could not be started: {error}; nothing was sent");
            failure(Class::Unsent, Error::new(ErrorKind::Network, why))
        })?;
        let result = runtime.block_on(async {
            let request = request(&client)
                .header(ACCEPT, HeaderValue::from_static("application/json"))
                .header("Connection", HeaderValue::from_static("close"))
                .timeout(timeout);
            match request.send().await {
                Ok(response) => {
                    let date = response.headers().get(DATE).and_then(|value| value.to_str().ok()).map(str::to_owned);
                    read(response).await.map(|answer| (answer, date))
                }
                Err(error) => Err(error),
            }
        });
        // A name that is still being looked up must not hold the thread.
        runtime.shutdown_background();
        result.map_err(|error| transport_failure(url, &error))
    }

    /// Made at the first request: it reads the system's certificates.
    fn client(&self) -> Result<Client> {
        let mut client = lock(&self.client);
        if let Some(client) = &*client {
            return Ok(client.clone());
        }
        let url = &self.endpoints.token;
        let made = self.transport.client(is_loopback(url), url.scheme() == "http")?;
        *client = Some(made.clone());
        Ok(made)
    }
}

/// Whether an answer to a logout says that the session has ended. One that had ended already is answered in the same way;
/// a page is the browser's logout, which ends nothing.
pub(super) fn ended(answer: &Answer) -> Result<()> {
    if answer.status == 204 || (answer.status == 200 && answer.whole && answer.body.is_empty()) {
        return Ok(());
    }
    match classify(Asked::Refresh, answer, 0) {
        Err(failure) if failure.class != Class::Dead => Err(failure.error),
        _ => Err(Error::new(ErrorKind::MalformedAnswer, "the service did not know the session by its token")),
    }
}

/// `application/x-www-form-urlencoded` in a buffer that is wiped.
fn encode(form: &GrantData) -> Zeroizing<Vec<u8>> {
    let room = form.iter().map(|(name, value)| name.len() + 3 * value.expose().len() + 2).sum();
    let mut body = url::form_urlencoded::Serializer::new(String::with_capacity(room));
    for (name, value) in form {
        body.append_pair(name, value.expose());
    }
    Zeroizing::new(body.finish().into_bytes())
}

async fn read(mut response: reqwest::Response) -> reqwest::Result<Answer> {
    let status = response.status().as_u16();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let mut body = Zeroizing::new(Vec::with_capacity(8 * 1024));
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) => {
                let room = LARGEST.saturating_sub(body.len());
                body.extend_from_slice(&chunk[..chunk.len().min(room)]);
                if chunk.len() > room {
                    return Ok(Answer { status, retry_after, body, whole: false });
                }
            }
            Ok(None) => return Ok(Answer { status, retry_after, body, whole: true }),
            // An error answer has said enough with its status.
            Err(_) if status >= 300 => return Ok(Answer { status, retry_after, body, whole: false }),
            Err(error) => return Err(error),
        }
    }
}

fn failure(class: Class, error: Error) -> Failure {
    Failure { class, error, retry_after: None, words: String::new() }
}

fn transport_failure(url: &Url, error: &reqwest::Error) -> Failure {
    let place = url.host_str().unwrap_or_default();
    let class =
        if error.is_connect() || error.is_builder() || was_cancelled(error) { Class::Unsent } else { Class::Lost };
    let why = match class {
        Class::Unsent => {
            format!(
                "the identity service at {place} could not be reached ({}); check network and proxy",
                innermost(error)
            )
        }
        _ if error.is_timeout() => {
            format!("the identity service at {place} did not answer in time; its answer, if there was one, is lost")
        }
        _ => format!(
            "the connection to the identity service at {place} broke ({}); its answer is lost",
            innermost(error)
        ),
    };
    failure(class, Error::new(ErrorKind::Network, why))
}

/// hyper gave the request back before it wrote any of it.
fn was_cancelled(error: &reqwest::Error) -> bool {
    let mut source = error.source();
    while let Some(inner) = source {
        if inner.to_string() == "operation was canceled" {
            return true;
        }
        source = inner.source();
    }
    false
}

/// The cause that says most, without the address that wraps it.
fn innermost(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cleaned(&cause.to_string(), 200)
}
