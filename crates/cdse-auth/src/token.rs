//! [`TokenSet`]: the live credentials and when they end.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::HeaderValue;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::clock::{Clock, Millis, span};
use crate::error::{Error, ErrorKind, Result};
use crate::secret::Secret;

/// No token is believed to live longer than a day.
pub(crate) const LONGEST_LIFE: Millis = 24 * 3600 * 1000;

/// A set of OAuth tokens with their absolute times of expiry.
///
/// `Debug` shows no token. Serialising writes the tokens in clear: that is for stores.
///
/// ```
/// use std::time::Duration;
/// use cdse_auth::TokenSet;
///
/// let tokens = TokenSet::new("an-access-token", Duration::from_secs(600))?
///     .with_refresh_token("a-refresh-token", Some(Duration::from_secs(3600)));
/// assert!(tokens.access_valid(Duration::from_secs(30)));
/// assert!(tokens.refresh_valid(Duration::ZERO));
/// assert_eq!(tokens.authorization_header(), "Bearer an-access-token");
/// # Ok::<(), cdse_auth::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(try_from = "Fields")]
pub struct TokenSet {
    #[serde(rename = "access_token")]
    pub(crate) access: Secret,
    #[serde(rename = "refresh_token", skip_serializing_if = "Option::is_none")]
    pub(crate) refresh: Option<Secret>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session_id: Option<String>,
    /// The moment the request was sent, on the wall clock.
    #[serde(rename = "obtained_at_ms")]
    pub(crate) t0: Millis,
    #[serde(rename = "expires_in_ms")]
    pub(crate) life: Millis,
    /// `None`: no known end.
    #[serde(rename = "refresh_expires_in_ms", skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_life: Option<Millis>,
    /// The jitter of the early window, drawn once per token, in thousandths (900 to 1100).
    pub(crate) jitter: i64,
    /// When the last exchange began that a refusal by a service has caused (wall clock); 0: none, or long ago.
    #[serde(rename = "refused_at_ms")]
    pub(crate) refused_at: Millis,
    /// The generation of the record that announced this token's exchange; `None` for one that this version did not obtain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) begun: Option<u64>,
}

/// As it is stored.
#[derive(Deserialize)]
struct Fields {
    access_token: Secret,
    refresh_token: Option<Secret>,
    session_id: Option<String>,
    obtained_at_ms: Millis,
    expires_in_ms: Millis,
    refresh_expires_in_ms: Option<Millis>,
    jitter: Option<i64>,
    /// An older version does not say: then any token may be the answer to a refusal.
    refused_at_ms: Option<Millis>,
    begun: Option<u64>,
}

impl TokenSet {
    /// A token that was obtained just now and lives for `expires_in`, at most a day.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::MalformedAnswer`] when the text is empty or has anything but visible ASCII characters, which an HTTP header
    /// must not contain (RFC 6750 §2.1).
    pub fn new(access_token: impl Into<String>, expires_in: Duration) -> Result<Self> {
        let life = span(expires_in).clamp(0, LONGEST_LIFE);
        Self::of(Secret::new(access_token), Clock::default().now().wall, life)
    }

    /// A token that was obtained at `t0`.
    pub(crate) fn of(access: Secret, t0: Millis, life: Millis) -> Result<Self> {
        check(&access)?;
        Ok(Self {
            access,
            refresh: None,
            session_id: None,
            t0,
            life,
            refresh_life: None,
            jitter: 1000,
            refused_at: 0,
            begun: None,
        })
    }

    /// With a refresh token that lives for `expires_in`; `None` if it has no known end.
    #[must_use]
    pub fn with_refresh_token(mut self, refresh_token: impl Into<String>, expires_in: Option<Duration>) -> Self {
        self.refresh = Some(Secret::new(refresh_token));
        self.refresh_life = expires_in.map(span);
        self
    }

    /// As obtained at `moment`, and not just now: both lives begin then.
    #[must_use]
    pub fn obtained_at(mut self, moment: SystemTime) -> Self {
        self.t0 = moment.duration_since(SystemTime::UNIX_EPOCH).map_or(0, span);
        self
    }

    /// The access token itself.
    #[must_use]
    pub fn access_token(&self) -> &str {
        self.access.expose()
    }

    /// The refresh token itself, if there is one.
    #[must_use]
    pub fn refresh_token(&self) -> Option<&str> {
        self.refresh.as_ref().map(Secret::expose)
    }

    /// The id of the session at the identity service, as it named it (`session_state`).
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    /// The value to send in the `Authorization` request header (RFC 6750 §2.1), marked sensitive.
    ///
    /// Its bytes are wiped when the last clone is dropped.
    #[must_use]
    pub fn authorization_header(&self) -> HeaderValue {
        let mut text = Zeroizing::new(Vec::with_capacity("Bearer ".len() + self.access_token().len()));
        text.extend_from_slice(b"Bearer ");
        text.extend_from_slice(self.access_token().as_bytes());
        // Every way to make a TokenSet has checked the text.
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(text))
            .unwrap_or_else(|_| HeaderValue::from_static("Bearer invalid"));
        value.set_sensitive(true);
        value
    }

    /// Whether the access token is usable for at least `skew` from now, by the system's wall clock.
    #[must_use]
    pub fn access_valid(&self, skew: Duration) -> bool {
        self.access_end().saturating_sub(span(skew)) > Clock::default().now().wall
    }

    /// Whether a refresh token grant can still succeed `skew` from now, by the system's wall clock. Without a known end
    /// it can.
    #[must_use]
    pub fn refresh_valid(&self, skew: Duration) -> bool {
        self.refresh.is_some()
            && self.refresh_end().is_none_or(|end| end.saturating_sub(span(skew)) > Clock::default().now().wall)
    }

    /// When the access token ends.
    #[must_use]
    pub fn access_expires_at(&self) -> SystemTime {
        moment(self.access_end())
    }

    /// When the refresh token ends, where that is known.
    #[must_use]
    pub fn refresh_expires_at(&self) -> Option<SystemTime> {
        self.refresh.as_ref().and(self.refresh_end()).map(moment)
    }

    pub(crate) fn access_end(&self) -> Millis {
        self.t0.saturating_add(self.life)
    }

    pub(crate) fn refresh_end(&self) -> Option<Millis> {
        self.refresh_life.map(|life| self.t0.saturating_add(life))
    }
}

pub(crate) fn check(access: &Secret) -> Result<()> {
    if !access.expose().is_empty() && access.expose().bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    let why = "the access token has characters that an HTTP header must not contain; it was not used";
    Err(Error::new(ErrorKind::MalformedAnswer, why))
}

/// A wall-clock moment for people; what does not fit is the epoch.
pub(crate) fn moment(wall: Millis) -> SystemTime {
    let since = Duration::from_millis(u64::try_from(wall).unwrap_or(0));
    SystemTime::UNIX_EPOCH.checked_add(since).unwrap_or(SystemTime::UNIX_EPOCH)
}

impl TryFrom<Fields> for TokenSet {
    type Error = Error;

    fn try_from(fields: Fields) -> Result<Self> {
        let (t0, life) = (fields.obtained_at_ms, fields.expires_in_ms.clamp(0, LONGEST_LIFE));
        Ok(Self {
            refresh: fields.refresh_token,
            session_id: fields.session_id,
            refresh_life: fields.refresh_expires_in_ms,
            jitter: fields.jitter.unwrap_or(1000).clamp(900, 1100),
            refused_at: fields.refused_at_ms.unwrap_or(t0),
            begun: fields.begun,
            ..Self::of(fields.access_token, t0, life)?
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(refresh_life: Option<Duration>) -> TokenSet {
        TokenSet::new("an-access-token", Duration::from_secs(600))
            .unwrap()
            .with_refresh_token("a-refresh-token", refresh_life)
    }

    #[test]
    fn a_set_of_tokens_tells_what_it_was_given() {
        let tokens = TokenSet { session_id: Some("a-session".to_owned()), ..tokens(None) };
        assert_eq!((tokens.access_token(), tokens.refresh_token()), ("an-access-token", Some("a-refresh-token")));
        assert_eq!(tokens.session_id(), Some("a-session"));
        let alone = TokenSet::new("t", Duration::ZERO).unwrap();
        assert_eq!((alone.refresh_token(), alone.session_id(), alone.refresh_expires_at()), (None, None, None));
    }

    #[test]
    fn m2_a_token_is_valid_until_its_end_less_the_skew() {
        let tokens = tokens(Some(Duration::from_secs(3600)));
        assert!(tokens.access_valid(Duration::ZERO) && !tokens.access_valid(Duration::from_secs(600)));
        assert!(tokens.refresh_valid(Duration::ZERO) && !tokens.refresh_valid(Duration::from_secs(3600)));
        let end = |seconds: i64| moment(tokens.t0 + seconds * 1000);
        assert_eq!((tokens.access_expires_at(), tokens.refresh_expires_at()), (end(600), Some(end(3600))));
    }

    #[test]
    fn e3_a_refresh_token_without_a_known_end_is_valid_and_none_is_not() {
        assert!(
            tokens(None).refresh_valid(Duration::from_secs(1 << 40)) && tokens(None).refresh_expires_at().is_none()
        );
        let alone = TokenSet::new("t", Duration::from_secs(600)).unwrap();
        assert!(!alone.refresh_valid(Duration::ZERO));
    }

    #[test]
    fn m10_no_life_is_longer_than_a_day() {
        let tokens = TokenSet::new("t", Duration::from_secs(1 << 40)).unwrap();
        assert_eq!(tokens.life, 24 * 3600 * 1000);
    }
}
