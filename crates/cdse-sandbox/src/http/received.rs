//! A request that has arrived in full.

use std::time::UNIX_EPOCH;

use data_encoding::BASE64;
use hyper::Method;
use hyper::body::Bytes;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, COOKIE, HeaderName, USER_AGENT};
use hyper::http::request::Parts;

use super::form::{self, Form};
use crate::endpoint::{Endpoint, Grant};
use crate::host::Host;
use crate::log::Request;
use crate::realm::{ClientIndex, Realm, Refusal};

#[derive(Debug)]
pub(super) struct Received {
    parts: Parts,
    pub(super) form: Form,
    pub(super) body: Bytes,
}

impl Received {
    pub(super) fn new(parts: Parts, body: Bytes) -> Self {
        let mut received = Self { parts, form: Form::default(), body };
        if received.is_form() {
            received.form = Form::parse(&received.body);
        }
        received
    }

    pub(super) fn method(&self) -> &Method {
        &self.parts.method
    }

    pub(super) fn path(&self) -> &str {
        self.parts.uri.path()
    }

    /// Path and query, as they came.
    pub(super) fn target(&self) -> String {
        self.parts.uri.path_and_query().map(ToString::to_string).unwrap_or_default()
    }

    pub(super) fn query(&self) -> Form {
        Form::parse(self.parts.uri.query().unwrap_or_default().as_bytes())
    }

    pub(super) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn has_content_type(&self) -> bool {
        self.parts.headers.contains_key(CONTENT_TYPE)
    }

    pub(super) fn is_form(&self) -> bool {
        self.header(&CONTENT_TYPE).is_some_and(|value| {
            let essence = value.split(';').next().unwrap_or_default().trim();
            essence.eq_ignore_ascii_case("application/x-www-form-urlencoded")
        })
    }

    /// Whether JSON is asked for by name; a wildcard is not enough for Keycloak.
    pub(super) fn accepts_json(&self) -> bool {
        self.header(&ACCEPT).is_some_and(|value| {
            value.split(',').any(|range| {
                range.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
            })
        })
    }

    /// The bearer token.
    pub(super) fn bearer(&self) -> Option<&str> {
        self.credentials("Bearer")
    }

    /// The client that it speaks for, by HTTP Basic or by the form.
    pub(super) fn client(&self, realm: &Realm) -> Result<ClientIndex, Refusal> {
        let basic = self
            .credentials("Basic")
            .and_then(|encoded| BASE64.decode(encoded.as_bytes()).ok())
            .and_then(|bytes| String::from_utf8(bytes).ok());
        match basic.as_deref().and_then(|pair| pair.split_once(':')) {
            Some((id, secret)) => {
                let [id, secret] = [id, secret].map(|part| form::decode(part.as_bytes()));
                realm.authenticate_client(Some(&id), Some(&secret))
            }
            None => realm.authenticate_client(self.form.get("client_id"), self.form.get("client_secret")),
        }
    }

    fn credentials(&self, scheme: &str) -> Option<&str> {
        let (given, credentials) = self.header(&AUTHORIZATION)?.split_once(' ')?;
        given.eq_ignore_ascii_case(scheme).then(|| credentials.trim())
    }

    /// Its entry for the log.
    pub(super) fn entry(&self, endpoint: Endpoint, host: Host, connection: u64) -> Request {
        let grant = match endpoint {
            Endpoint::Token => self.form.get("grant_type").and_then(Grant::from_type),
            _ => None,
        };
        Request {
            connection,
            host,
            endpoint,
            grant,
            method: self.parts.method.to_string(),
            path: self.target(),
            form: self.form.fields().to_vec(),
            accept: self.header(&ACCEPT).map(str::to_owned),
            user_agent: self.header(&USER_AGENT).map(str::to_owned),
            authorization: self.parts.headers.contains_key(AUTHORIZATION),
            cookie: self.parts.headers.contains_key(COOKIE),
            status: None,
            processed: false,
            fault: None,
            started: UNIX_EPOCH,
            finished: None,
        }
    }
}
