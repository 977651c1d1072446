//! Answers before they are sent.

use hyper::header::{HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde::Serialize;
use serde_json::Value;

use super::body::AnswerBody;
use crate::config::KeycloakVersion;
use crate::data::{Content, Delivery};
use crate::fault::Edit;

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    pub(super) body: Content,
    /// The delivery that the body is, and that ends with it.
    pub(super) delivery: Option<Delivery>,
}

impl Answer {
    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Content::Zeros(0), delivery: None }
    }

    pub(super) fn json(status: u16, body: &impl Serialize) -> Self {
        Self {
            body: serde_json::to_vec(body).unwrap_or_default().into(),
            ..Self::empty(status).header("content-type", "application/json")
        }
    }

    /// Keycloak's shortest error: `error` is prose.
    pub(super) fn prose(status: u16, error: &str) -> Self {
        Self::json(status, &serde_json::json!({ "error": error }))
    }

    /// A page as Keycloak's themes make it, with this message on it.
    pub(super) fn page(status: u16, title: &str, message: &str) -> Self {
        let body = format!(
            "<!DOCTYPE html>\n<html class=\"login-pf\" lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <title>{title}</title>\n</head>\n<body>\n<div id=\"kc-error-message\">\n\
             <p class=\"instruction\">{message}</p>\n</div>\n</body>\n</html>\n"
        );
        Self {
            body: body.into(),
            ..Self::empty(status)
                .header("content-type", "text/html;charset=utf-8")
                .header("content-language", "en")
                .header("content-security-policy", FRAMES)
        }
    }

    /// An answer that a script gives, sent as it is.
    pub(super) fn scripted(status: u16, headers: Vec<(String, String)>, body: Vec<u8>) -> Self {
        Self { status, headers, body: body.into(), delivery: None }
    }

    #[must_use]
    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// In place of the content type that the body's kind has.
    #[must_use]
    pub(super) fn content_type(mut self, content_type: &str) -> Self {
        self.headers.retain(|(name, _)| name != "content-type");
        self.header("content-type", content_type)
    }

    /// What the token endpoint adds, on 26.7.3 the userinfo endpoint too.
    #[must_use]
    pub(super) fn no_store(self) -> Self {
        self.header("cache-control", "no-store").header("pragma", "no-cache")
    }

    /// What Keycloak adds everywhere.
    #[must_use]
    pub(super) fn guarded(self, version: KeycloakVersion) -> Self {
        let framed = self.headers.iter().any(|(name, value)| match name.as_str() {
            "content-type" => !value.starts_with("text/plain"),
            name => name == "content-security-policy",
        });
        let answer = self
            .header("referrer-policy", "no-referrer")
            .header("strict-transport-security", "max-age=31536000; includeSubDomains")
            .header("x-content-type-options", "nosniff");
        let answer = if framed { answer.header("x-frame-options", "SAMEORIGIN") } else { answer };
        match version {
            KeycloakVersion::V26 => answer.header("x-robots-tag", "none"),
            KeycloakVersion::V21 => answer.header("x-xss-protection", "1; mode=block"),
        }
    }

    /// The same answer with its JSON object changed; one that is not a JSON object stays as it is.
    #[must_use]
    pub(super) fn edited(mut self, edit: &Edit) -> Self {
        if let Content::Bytes(bytes) = &self.body
            && let Ok(Value::Object(mut object)) = serde_json::from_slice(bytes)
        {
            edit.apply(&mut object);
            self.body = Value::Object(object).to_string().into();
        }
        self
    }

    pub(super) fn into_response(mut self) -> Response<AnswerBody> {
        let body = AnswerBody::Full { rest: self.body.clone(), _delivery: self.delivery.take() };
        self.into_response_with(body)
    }

    /// This answer's head with another body.
    pub(super) fn into_response_with(self, body: AnswerBody) -> Response<AnswerBody> {
        let mut response = Response::new(body);
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        for (name, value) in &self.headers {
            if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(value)) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

/// The content security policy of pages, of logging out and of revoking.
pub(super) const FRAMES: &str = "frame-src 'self'; frame-ancestors 'self'; object-src 'none';";
