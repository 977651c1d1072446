//! What the identity service sends, for fuzzers.

use super::account::{self, Reply};
use super::address::{Endpoints, is_loopback};
use super::answer::{Answer, GrantType, classify, jwt_times};
use super::probe::read;
use super::transport::TransportConfig;
use crate::error::Error;
use crate::fuzz_support::{NOW, assert_sentence, settled};
use crate::plan::{Outcome, Plan};
use crate::token::{LONGEST_LIFE, check};

/// The body of a 200 answer of the token endpoint.
pub fn token_answer(data: &[u8]) -> String {
    all(200, None, data)
}

/// Any answer of the token endpoint: its status and `Retry-After` on the first line, its body after that.
pub fn error_answer(data: &[u8]) -> String {
    let (status, retry_after, body) = parts(data);
    all(status, retry_after.as_deref(), body)
}

/// A `Retry-After`.
pub fn retry_after(data: &[u8]) -> String {
    let text = String::from_utf8_lossy(data).into_owned();
    all(429, Some(&text), b"") + &all(503, Some(&text), b"{\"error\": \"x\"}")
}

/// What a token says of itself.
pub(crate) fn claims(token: &str) -> String {
    let times = jwt_times(token);
    assert!(times.session_id.as_ref().is_none_or(|id| id.chars().count() <= 200));
    format!("{} {}", times.issued_at.is_some(), times.expires_at.is_some())
}

/// An answer of the account API, in the form of [`error_answer`].
pub fn account_answer(data: &[u8]) -> String {
    let (status, retry_after, body) = parts(data);
    let told = account::sessions(&Answer { status, retry_after, body: body.into(), whole: true });
    match told {
        Ok(Reply::Accepted(sessions)) => {
            for session in &sessions {
                let texts = session.clients.iter().chain(&session.ip).chain([&session.id]);
                assert!(texts.into_iter().all(|text| !text.chars().any(char::is_control)), "{session:?}");
            }
            format!("{} sessions", sessions.len().min(3))
        }
        Ok(Reply::Refused) => "refused".to_owned(),
        Err(error) => failed(&error),
    }
}

/// A discovery document, with the `Date` of its answer on the first line.
pub fn discovery(data: &[u8]) -> String {
    let (date, body) = first_line(data);
    let date = String::from_utf8_lossy(date).into_owned();
    let answer = Answer { status: 200, retry_after: None, body: body.into(), whole: true };
    match read(&answer, Some(&date), NOW.wall) {
        Ok(probe) => {
            assert!(!probe.issuer.chars().any(char::is_control));
            assert_eq!(probe.ahead.is_some(), probe.service_time.is_some());
            format!("{}", probe.ahead.is_some())
        }
        Err(error) => failed(&error),
    }
}

/// The address of a realm or token endpoint.
pub fn realm_address(data: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(data) else { return String::new() };
    match Endpoints::of_realm(text).and_then(|_| Endpoints::of_token_endpoint(text)) {
        Ok(endpoints) => {
            for url in [&endpoints.token, &endpoints.logout, &endpoints.userinfo, &endpoints.sessions] {
                assert!(url.scheme() == "https" || is_loopback(url), "{url}");
                assert_eq!(url.origin(), endpoints.token.origin(), "a token goes to no other service");
            }
            endpoints.token.scheme().to_owned()
        }
        Err(error) => {
            assert_sentence(error.message());
            error.message().rsplit(':').next().unwrap_or_default().to_owned()
        }
    }
}

/// Certificates in PEM.
pub fn certificates(data: &[u8]) -> String {
    TransportConfig::new().with_root_certificates(data).map_or_else(|error| format!("{error}"), |_| String::new())
}

fn failed(error: &Error) -> String {
    assert_sentence(error.message());
    format!("{:?}", error.kind())
}

fn parts(data: &[u8]) -> (u16, Option<String>, &[u8]) {
    let (head, body) = first_line(data);
    let head = String::from_utf8_lossy(head);
    let (status, retry_after) = head.split_once(' ').map_or((&*head, None), |(status, rest)| (status, Some(rest)));
    (status.parse().unwrap_or(400), retry_after.map(str::to_owned), body)
}

fn first_line(data: &[u8]) -> (&[u8], &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n').unwrap_or(data.len());
    (&data[..end], data.get(end + 1..).unwrap_or_default())
}

/// An answer to each thing that can be asked for, whole and cut.
fn all(status: u16, retry_after: Option<&str>, body: &[u8]) -> String {
    let mut told = String::new();
    for whole in [true, false] {
        let answer = Answer { status, retry_after: retry_after.map(str::to_owned), body: body.into(), whole };
        for (grant_type, plan) in
            [(GrantType::Refresh, Plan::Refresh), (GrantType::Password, Plan::Login), (GrantType::Client, Plan::Login)]
        {
            let outcome = classify(grant_type.first(), &answer, NOW.wall);
            told.push_str(&promised(&outcome, status, &answer));
            if whole {
                told.push_str(&settled(plan, &outcome));
            }
        }
    }
    told
}

fn promised(outcome: &Outcome, status: u16, answer: &Answer) -> String {
    match outcome {
        Ok(granted) => {
            assert!((200..300).contains(&status) && answer.whole);
            assert!(check(&granted.access).is_ok() && (0..=LONGEST_LIFE).contains(&granted.life));
            assert!(granted.refresh.as_ref().is_none_or(|token| !token.expose().is_empty()));
            assert!(granted.refresh_life.is_none_or(|life| life > 0));
            format!("ok {} {} ", granted.refresh.is_some(), granted.session_id.is_some())
        }
        Err(failure) => {
            assert_sentence(failure.error.message());
            assert!(failure.words.chars().count() <= 200 && !failure.words.chars().any(char::is_control));
            if status == 200 {
                // P5: nothing of the body but what the service calls an error.
                assert!(failure.error.message().len() < 300 || !failure.words.is_empty());
            }
            format!("{:?} {:?} ", failure.class, failure.error.kind())
        }
    }
}
