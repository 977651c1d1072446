//! One request to the identity service, by whichever client sends it.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, DATE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, Method};
use url::Url;
#[cfg(not(cdse_model))]
use zeroize::Zeroizing;

use super::address::Endpoints;
use super::answer::{Answer, Exchange, GrantType, classify};
use super::client::OwnClient;
use super::sender::{Body, HttpSend, Incomplete, LARGEST};
use super::transport::TransportConfig;
use crate::clock::{Clock, Millis};
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{Failure, Outcome};
use crate::provider::GrantData;
use crate::record::Class;
use crate::secret::Secret;
use crate::sync::Arc;

/// How long ending a session may take.
pub(crate) const FAREWELL: Millis = 5_000;

/// The identity service of one slot.
#[derive(Debug)]
pub(crate) struct Service {
    pub(super) endpoints: Endpoints,
    sender: Arc<dyn HttpSend>,
    /// Of the library's own client, if that is the sender.
    own: Option<TransportConfig>,
    timeout: Millis,
    clock: Clock,
}

impl Service {
    /// By `sender`, or by the library's own client where there is none.
    pub(crate) fn new(
        endpoints: Endpoints,
        transport: TransportConfig,
        sender: Option<Arc<dyn HttpSend>>,
        clock: Clock,
    ) -> Self {
        let timeout = transport.timeout();
        let own = sender.is_none().then_some(transport.clone());
        let sender = sender.unwrap_or_else(|| Arc::new(OwnClient::new(endpoints.token.clone(), transport)));
        Self { endpoints, sender, own, timeout, clock }
    }

    /// The same, with a client of the library's own that is made anew.
    pub(crate) fn anew(&self) -> Self {
        let (endpoints, own, clock) = (self.endpoints.clone(), self.own.clone(), self.clock.clone());
        let sender: Arc<dyn HttpSend> = match &own {
            Some(config) => Arc::new(OwnClient::new(endpoints.token.clone(), config.clone())),
            None => Arc::clone(&self.sender),
        };
        Self { endpoints, sender, own, timeout: self.timeout, clock }
    }

    /// One POST to the token endpoint, classified once. Nothing is repeated here.
    pub(crate) fn exchange(&self, exchange: Exchange, form: &GrantData) -> Outcome {
        let answer = self.post(&self.endpoints.token, form, self.timeout)?;
        classify(exchange, &answer, self.clock.now().wall)
    }

    /// Ends the session that `refresh_token` belongs to, for everybody. Says so again for one that has ended already.
    pub(crate) fn logout(&self, client_id: &str, refresh_token: &Secret) -> Result<()> {
        let form = vec![("client_id".into(), client_id.into()), ("refresh_token".into(), refresh_token.clone())];
        let answer = self.post(&self.endpoints.logout, &form, FAREWELL.min(self.timeout));
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
        self.send(&Method::GET, url, self.timeout, &[], Bytes::new())
    }

    /// One request with an access token to what lies beside the token endpoint. Nothing is repeated here.
    pub(super) fn ask(&self, method: &Method, url: &Url, authorization: &HeaderValue) -> Result<Answer, Failure> {
        // Keycloak 26 ends a session only for who says that JSON is spoken.
        let json = HeaderValue::from_static("application/json");
        let headers = [(AUTHORIZATION, authorization.clone()), (CONTENT_TYPE, json)];
        self.send(method, url, self.timeout, &headers, Bytes::new()).map(|(answer, _)| answer)
    }

    /// Sets up what a request needs, as the first one would: reads the certificate authorities, looks at the proxy.
    #[cfg(not(cdse_model))]
    pub(crate) fn prepare(&self) -> Result<()> {
        self.sender.prepare()
    }

    /// A test that answers needs no cryptography, and a model checker is built without.
    #[cfg(cdse_model)]
    pub(crate) fn prepare(&self) -> Result<()> {
        Ok(())
    }

    #[cfg(not(cdse_model))]
    fn post(&self, url: &Url, form: &GrantData, timeout: Millis) -> Result<Answer, Failure> {
        let content_type = HeaderValue::from_static("application/x-www-form-urlencoded");
        let body = Bytes::from_owner(encode(form));
        self.send(&Method::POST, url, timeout, &[(CONTENT_TYPE, content_type)], body).map(|(answer, _)| answer)
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
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
    ) -> Result<(Answer, Option<String>), Failure> {
        let request = request(method, url, headers, body).map_err(|error| Failure::new(Class::Unsent, error))?;
        let begun = self.clock.now().mono;
        log::info!("{method} {url}");
        let answer = self.sender.send(request, Duration::from_millis(timeout.unsigned_abs()));
        let took = self.clock.now().mono.saturating_sub(begun);
        match answer {
            Ok(response) => {
                log::info!("HTTP {} after {took} ms", response.status().as_u16());
                Ok(read(response))
            }
            Err(error) => {
                let class = if error.was_sent() { Class::Lost } else { Class::Unsent };
                log::info!("no answer after {took} ms ({})", if class == Class::Unsent { "not sent" } else { "lost" });
                Err(Failure::new(class, error.into()))
            }
        }
    }
}

fn request(
    method: &Method,
    url: &Url,
    headers: &[(HeaderName, HeaderValue)],
    body: Bytes,
) -> Result<http::Request<Bytes>> {
    let mut request = http::Request::new(body);
    *request.method_mut() = method.clone();
    *request.uri_mut() = url.as_str().parse().map_err(|error| {
        let why = format!("the address {url} cannot be used; nothing was sent");
        Error::new(ErrorKind::Configuration, why).with_source(error)
    })?;
    request.headers_mut().extend(headers.iter().cloned());
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static("application/json"));
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(request)
}

/// The answer, and what the service takes for the time of day.
fn read(response: http::Response<Bytes>) -> (Answer, Option<String>) {
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let (retry_after, date) = (text(RETRY_AFTER), text(DATE));
    let status = response.status().as_u16();
    let whole = response.extensions().get::<Incomplete>().is_none() && response.body().len() <= LARGEST;
    let body = Body(response.into_body());
    (Answer { status, retry_after, body, whole }, date)
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

#[cfg(test)]
#[cfg(not(cdse_model))]
mod tests {
    use super::*;

    #[test]
    fn x5_a_form_is_made_in_one_buffer_that_never_moves() {
        // Each of these bytes takes three.
        let form = vec![("password".into(), Secret::new("&".repeat(10))), ("totp".into(), Secret::new("%".repeat(7)))];
        let body = encode(&form);
        assert_eq!(body.capacity(), body.len() + 1, "room for all of it, and for an ampersand before the first");
    }
}
