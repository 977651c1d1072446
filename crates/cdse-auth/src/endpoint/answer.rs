//! What an answer of the token endpoint means.
//!
//! Decided by the `error` field first (RFC 6749 §5.2) and by the status only where there is none: Keycloak answers a
//! wrong password with 401 or 400, a full account with 401 or 403, depending on its version.

use std::collections::HashMap;

use serde_json::value::RawValue;
use zeroize::Zeroizing;

use super::sender::Body;
use crate::clock::Millis;
use crate::error::{Error, ErrorKind};
use crate::plan::{Failure, Granted, Outcome};
use crate::record::Class;
use crate::secret::Secret;
use crate::text::printable;
use crate::token::{LONGEST_LIFE, check};

/// A token whose life nobody names is trusted for a minute.
const UNKNOWN_LIFE: Millis = 60_000;
/// How much of the service's own words is kept and shown.
pub(super) const WORDS: usize = 200;

/// What the token endpoint is asked for (RFC 6749 §4 and §6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum GrantType {
    Refresh,
    Password,
    Client,
}

/// One exchange, and what follows for an answer that does not say whether the service has worked on it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Exchange {
    pub(crate) grant_type: GrantType,
    /// It may be sent again all the same.
    pub(crate) repeatable: bool,
    /// The address has answered with tokens before: what is no answer of an identity service comes from something in
    /// front of it.
    pub(crate) known: bool,
}

impl GrantType {
    /// At an address that has never answered with tokens, and after no other failure.
    pub(crate) fn first(self) -> Exchange {
        Exchange { grant_type: self, repeatable: self != Self::Refresh, known: false }
    }
}

/// The errors of RFC 6749 §4.1.2.1 and §5.2, and of RFC 6750 §3.1: what else stands in the field is nobody's verdict.
const OAUTH_ERRORS: [&str; 11] = [
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
    "access_denied",
    "unsupported_response_type",
    "server_error",
    "temporarily_unavailable",
    "invalid_token",
];
/// What Keycloak 26 says of a full account, in JSON and on its page.
const TOO_MANY_SESSIONS: &str = "There are too many sessions";

/// An answer as it came.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) retry_after: Option<String>,
    pub(crate) body: Body,
    /// Nothing of the body is missing.
    pub(crate) whole: bool,
}

pub(crate) fn classify(exchange: Exchange, answer: &Answer, now: Millis) -> Outcome {
    let fields = answer.whole.then(|| Fields::of(&answer.body)).flatten();
    match (answer.status, fields.as_ref().and_then(|fields| fields.text("error"))) {
        (200..=299, None) => granted(fields.as_ref(), answer),
        _ => Err(refused(exchange, answer, now, fields.as_ref())),
    }
}

/// The fields of a JSON object, each read when it is asked for and by nobody's rules but its own: a number that is no
/// number must not cost the token beside it. The last of two equal keys counts, as everywhere in JSON.
struct Fields<'a>(HashMap<String, &'a RawValue>);

impl<'a> Fields<'a> {
    fn of(body: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(body).ok().map(Self)
    }

    fn text(&self, name: &str) -> Option<Zeroizing<String>> {
        serde_json::from_str(self.0.get(name)?.get()).ok().map(Zeroizing::new)
    }

    fn is_given(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| value.get() != "null")
    }

    /// Seconds: an integer, a float or a numeric string; anything else is as absent. Fractions count, huge numbers are
    /// cut.
    fn duration(&self, name: &str) -> Option<Millis> {
        let text = self.text(name);
        let text =
            text.as_deref().map_or_else(|| self.0.get(name).map(|value| value.get()), |text| Some(text.as_str()));
        let seconds: f64 = text?.trim().parse().ok()?;
        // A float becomes the nearest integer of the type, and NaN is none.
        (!seconds.is_nan()).then(|| (seconds.clamp(-1.0, 3.0e9) * 1000.0) as Millis)
    }
}

fn granted(fields: Option<&Fields<'_>>, answer: &Answer) -> Outcome {
    let Some(fields) = fields else {
        let what = if !answer.whole {
            "it is too long"
        } else if answer.body.is_empty() {
            "it is empty"
        } else {
            "it is not a JSON object (a page of a proxy or a portal?)"
        };
        return Err(malformed(what));
    };
    let Some(access) = fields.text("access_token").map(Secret::from) else {
        return Err(malformed("it has no access token"));
    };
    if check(&access).is_err() {
        return Err(malformed("its access token has characters that an HTTP header must not contain"));
    }
    let bearer = fields.text("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"));
    if fields.is_given("token_type") && !bearer {
        return Err(malformed("its token is not a Bearer token"));
    }
    let times = jwt_times(access.expose());
    let life = fields
        .duration("expires_in")
        .or_else(|| Some(times.expires_at?.saturating_sub(times.issued_at?)))
        .unwrap_or(UNKNOWN_LIFE)
        .clamp(0, LONGEST_LIFE);
    let refresh = fields.text("refresh_token").filter(|text| !text.is_empty()).map(Secret::from);
    Ok(Granted {
        refresh_life: fields.duration("refresh_expires_in").filter(|life| *life > 0),
        session_id: fields.text("session_state").map(|id| printable(&id, WORDS)).or(times.session_id),
        access,
        refresh,
        life,
    })
}

/// What a JWT says about itself (RFC 7519 §4.1), unverified: only the service can verify it.
#[derive(Default)]
pub(crate) struct JwtTimes {
    pub(crate) issued_at: Option<Millis>,
    pub(crate) expires_at: Option<Millis>,
    pub(crate) session_id: Option<String>,
}

pub(crate) fn jwt_times(token: &str) -> JwtTimes {
    let claims = token
        .split('.')
        .nth(1)
        .filter(|_| token.split('.').count() == 3)
        .and_then(|part| data_encoding::BASE64URL_NOPAD.decode(part.as_bytes()).ok())
        .map(Zeroizing::new);
    let Some(claims) = claims.as_ref().and_then(|claims| Fields::of(claims)) else { return JwtTimes::default() };
    JwtTimes {
        issued_at: claims.duration("iat"),
        expires_at: claims.duration("exp"),
        session_id: claims.text("sid").map(|id| printable(&id, WORDS)),
    }
}

fn refused(exchange: Exchange, answer: &Answer, now: Millis, fields: Option<&Fields<'_>>) -> Failure {
    let text = |name| fields.and_then(|fields| fields.text(name)).map(|text| printable(&text, WORDS));
    let (code, words) = (text("error"), text("error_description").unwrap_or_default());
    let (class, error) =
        if exchange.grant_type != GrantType::Refresh && tells_of_a_full_account(answer, code.as_deref(), &words) {
            limit()
        } else {
            explain(exchange, answer.status, code.as_deref(), &words)
        };
    let retry_after = answer.retry_after.as_deref().and_then(|text| retry_after(text, now));
    let words = if words.is_empty() { code.unwrap_or_default() } else { words };
    Failure { class, error, retry_after, words }
}

/// By what Keycloak was seen to answer, never by the status alone: a firewall says 403 too.
fn tells_of_a_full_account(answer: &Answer, error: Option<&str>, words: &str) -> bool {
    let mut body = answer.body.windows(TOO_MANY_SESSIONS.len());
    words == "sessionLimitExceeded"
        || error == Some(TOO_MANY_SESSIONS)
        || (answer.status == 403 && error.is_none() && body.any(|part| part == TOO_MANY_SESSIONS.as_bytes()))
}

fn explain(exchange: Exchange, status: u16, error: Option<&str>, words: &str) -> (Class, Error) {
    let Exchange { grant_type, repeatable, known } = exchange;
    let unknown = if repeatable { Class::Unsent } else { Class::Lost };
    let said = match (error, words) {
        (None, _) if (300..400).contains(&status) => format!("a redirect, HTTP {status}, which is not followed"),
        (None, "") => format!("HTTP {status} without an OAuth error"),
        (None, words) => format!("HTTP {status}: {words}"),
        (Some(error), "") => error.to_owned(),
        (Some(error), words) => format!("{error}: {words}"),
    };
    match (status, error) {
        (429, _) => {
            (Class::Unsent, Error::new(ErrorKind::RateLimited, "the identity service asks for fewer requests (429)"))
        }
        (503, _) => (
            unknown,
            Error::new(ErrorKind::ServiceUnavailable, "the identity service is temporarily unavailable (503)"),
        ),
        (500.., _) => {
            let why = format!("the identity service failed ({status})");
            (Class::Lost, Error::new(ErrorKind::ServiceUnavailable, why))
        }
        (_, Some("invalid_grant")) => invalid_grant(grant_type, words),
        (_, Some("unauthorized_client" | "invalid_client")) if grant_type == GrantType::Client => {
            let why = format!("the identity service refused the client id or its secret ({said})");
            (Class::Refused, Error::new(ErrorKind::CredentialsRefused, why).with_hint("check both"))
        }
        (_, Some(error)) if OAUTH_ERRORS.contains(&error) => {
            let error =
                Error::new(ErrorKind::Configuration, format!("the identity service refused the request ({said})"));
            (Class::Configuration, error.with_hint("check its address and the client id"))
        }
        _ if known => {
            let why = format!("something else answered in place of the identity service ({said})");
            (unknown, Error::new(ErrorKind::ServiceUnavailable, why))
        }
        _ => {
            let why = format!("the response is not that of an identity service ({said})");
            let hint = "check the address, and whether a firewall or a proxy answers in its place";
            (Class::Configuration, Error::new(ErrorKind::Configuration, why).with_hint(hint))
        }
    }
}

/// Keycloak's words for an account that no login helps, at a login and at a refresh.
pub(crate) fn is_blocked(words: &str) -> bool {
    matches!(words, "Account disabled" | "Account is not fully set up" | "User disabled")
}

pub(crate) fn blocked(words: &str) -> Error {
    Error::new(ErrorKind::AccountBlocked, format!("the account cannot be used ({words})"))
        .with_hint("sign in on the web site and see what it asks for")
}

fn invalid_grant(grant_type: GrantType, words: &str) -> (Class, Error) {
    if is_blocked(words) {
        let class = if grant_type == GrantType::Refresh { Class::Dead } else { Class::Refused };
        return (class, blocked(words));
    }
    if grant_type == GrantType::Refresh {
        let error = Error::new(ErrorKind::ReauthRequired, format!("the session has ended ({words})"));
        return (Class::Dead, error.with_hint("log in again"));
    }
    let why = "login failed: wrong user name, password or one-time code (the service does not say which)";
    let hint = "wait a minute before the next try, because repeated failures lock the account for a short time";
    (Class::Refused, Error::new(ErrorKind::CredentialsRefused, why).with_hint(hint))
}

fn limit() -> (Class, Error) {
    let error = Error::new(ErrorKind::SessionLimit, "the account has reached its limit of open sessions");
    (Class::Limit, error.with_hint("log out elsewhere or wait until old sessions end"))
}

/// `Retry-After`: seconds or a date (RFC 9110 §10.2.3).
fn retry_after(text: &str, now: Millis) -> Option<Millis> {
    if let Ok(seconds) = text.trim().parse::<i64>() {
        return Some(seconds.saturating_mul(1000));
    }
    let at = httpdate::parse_http_date(text.trim()).ok()?;
    let at = at.duration_since(std::time::SystemTime::UNIX_EPOCH).ok()?;
    Some(crate::clock::span(at).saturating_sub(now))
}

fn malformed(what: &str) -> Failure {
    let why = format!("the identity service sent an invalid response: {what}");
    let error = Error::new(ErrorKind::MalformedAnswer, why).with_hint("check its address and the proxy");
    Failure::new(Class::Lost, error)
}

#[cfg(test)]
mod tests;
