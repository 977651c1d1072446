//! Whether the identity service is there, for diagnosis.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Deserialize;

use super::answer::Answer;
use super::exchange::Service;
use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::text::printable;

/// What the identity service tells without a credential.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Probe {
    /// The service's name for the realm (OpenID Connect Discovery §3).
    pub issuer: String,
    /// The time by the service's clock, to the second.
    pub service_time: Option<SystemTime>,
    /// How many seconds this machine's clock is ahead of that; negative: behind.
    pub ahead: Option<i64>,
}

impl Service {
    /// Reads the discovery document.
    pub(crate) fn probe(&self, now: impl Fn() -> Millis) -> Result<Probe> {
        let (answer, date) = self.discovery().map_err(|failure| failure.error.or_try_later())?;
        read(&answer, date.as_deref(), now())
    }
}

/// The document, and the `Date` that came with it.
pub(super) fn read(answer: &Answer, date: Option<&str>, now: Millis) -> Result<Probe> {
    #[derive(Deserialize)]
    struct Document {
        issuer: String,
    }
    let document = serde_json::from_slice(&answer.body).ok().filter(|_| answer.status == 200);
    let Document { issuer } = document.ok_or_else(|| {
        let why = format!("the identity service answered {} without a discovery document", answer.status);
        Error::new(ErrorKind::MalformedAnswer, why).with_hint("check the address of the realm and the proxy")
    })?;
    let service_time = date.and_then(|date| httpdate::parse_http_date(date).ok());
    let seconds = |time: SystemTime| time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let ours = UNIX_EPOCH + Duration::from_millis(now.unsigned_abs());
    let ahead = service_time.map(|theirs| seconds(ours).cast_signed() - seconds(theirs).cast_signed());
    Ok(Probe { issuer: printable(&issuer, 200), service_time, ahead })
}
