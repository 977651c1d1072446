use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::endpoint::{Reply, account, exchange, probe};
use crate::error::Result;

const NOW: Millis = 1_800_000_000_000;

fn answer(status: u16, body: impl AsRef<[u8]>) -> Answer {
    Answer { status, retry_after: None, body: body.as_ref().into(), whole: true }
}

fn login(status: u16, body: impl AsRef<[u8]>) -> Outcome {
    classify(GrantType::Password.first(), &answer(status, body), NOW)
}

fn refresh(status: u16, body: impl AsRef<[u8]>) -> Outcome {
    classify(GrantType::Refresh.first(), &answer(status, body), NOW)
}

fn failed(outcome: Outcome) -> (Class, ErrorKind) {
    let failure = outcome.expect_err("a failure");
    (failure.class, failure.error.kind())
}

#[test]
fn e2_the_error_field_decides_and_not_the_status() {
    let wrong = r#"{"error":"invalid_grant","error_description":"Invalid user credentials"}"#;
    for status in [400, 401] {
        assert_eq!(failed(login(status, wrong)), (Class::Refused, ErrorKind::CredentialsRefused));
        assert_eq!(failed(refresh(status, wrong)), (Class::Dead, ErrorKind::ReauthRequired));
    }
    let full = r#"{"error":"generic_authentication_error","error_description":"sessionLimitExceeded"}"#;
    assert_eq!(failed(login(401, full)), (Class::Limit, ErrorKind::SessionLimit));
    assert_eq!(
        failed(login(403, r#"{"error":"There are too many sessions"}"#)),
        (Class::Limit, ErrorKind::SessionLimit)
    );
    assert_eq!(failed(login(403, "<html>There are too many sessions</html>")), (Class::Limit, ErrorKind::SessionLimit));
    let closed = r#"{"error":"access_denied","error_description":"Realm not enabled"}"#;
    assert_eq!(failed(login(403, closed)), (Class::Configuration, ErrorKind::Configuration));
    let plain = r#"{"error":"invalid_request","error_description":"HTTPS required"}"#;
    assert_eq!(failed(login(403, plain)), (Class::Configuration, ErrorKind::Configuration));
    assert_eq!(failed(refresh(403, "<html>")), (Class::Configuration, ErrorKind::Configuration));
    let disabled = r#"{"error":"invalid_grant","error_description":"Account disabled"}"#;
    assert_eq!(failed(login(400, disabled)), (Class::Refused, ErrorKind::AccountBlocked));
    let revoked = r#"{"error":"invalid_token","error_description":"Invalid token"}"#;
    assert_eq!(failed(login(200, revoked)), (Class::Configuration, ErrorKind::Configuration));
    let secret =
        r#"{"error":"unauthorized_client","error_description":"Invalid client or Invalid client credentials"}"#;
    let client = classify(GrantType::Client.first(), &answer(401, secret), NOW);
    assert_eq!(failed(client), (Class::Refused, ErrorKind::CredentialsRefused));
    assert_eq!(failed(login(401, secret)), (Class::Configuration, ErrorKind::Configuration));
}

#[test]
fn e2_hostile_answers_are_classified_and_lose_nothing() {
    let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let unusable: Vec<(&str, Vec<u8>)> = vec![
        ("html", b"<html><body>Sign in to the hotel's wi-fi</body></html>".to_vec()),
        ("empty", Vec::new()),
        ("torn", br#"{"access_token":"abc","expires_in":6"#.to_vec()),
        ("deep nesting", deep.into_bytes()),
        ("an array", br#"["access_token"]"#.to_vec()),
        ("a number for the token", br#"{"access_token":42,"token_type":"Bearer"}"#.to_vec()),
        ("null for the token", br#"{"access_token":null}"#.to_vec()),
        ("no token", br#"{"token_type":"Bearer","expires_in":600}"#.to_vec()),
        ("an empty token", br#"{"access_token":"","token_type":"Bearer"}"#.to_vec()),
        ("a line end in the token", br#"{"access_token":"canary\r\nX-Evil: 1","token_type":"Bearer"}"#.to_vec()),
        ("an escape in the token", br#"{"access_token":"canary\u001b[2J","token_type":"Bearer"}"#.to_vec()),
        ("a space in the token", br#"{"access_token":"canary canary","token_type":"Bearer"}"#.to_vec()),
        ("letters that are not ASCII", "{\"access_token\":\"canäry\"}".as_bytes().to_vec()),
        ("another charset", b"{\"access_token\":\"can\xe4ry\"}".to_vec()),
        ("UTF-16", "{\"access_token\":\"canary\"}".encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("a token type that is not Bearer", br#"{"access_token":"canary","token_type":"MAC"}"#.to_vec()),
        ("a token type that is no text", br#"{"access_token":"canary","token_type":7}"#.to_vec()),
        ("binary", vec![0, 255, 254, 1, 2]),
    ];
    for (name, body) in unusable {
        for asked in [GrantType::Refresh, GrantType::Password, GrantType::Client] {
            let failure = classify(asked.first(), &answer(200, &body), NOW).expect_err(name);
            assert_eq!((failure.class, failure.error.kind()), (Class::Lost, ErrorKind::MalformedAnswer), "{name}");
            assert!(!failure.error.to_string().contains("can"), "{name}: {}", failure.error);
        }
    }
    let huge = Answer { whole: false, ..answer(200, vec![b'x'; 1 << 20]) };
    assert_eq!(failed(classify(GrantType::Refresh.first(), &huge, NOW)), (Class::Lost, ErrorKind::MalformedAnswer));
}

#[test]
fn e2_an_answer_that_is_no_token_is_said_to_be_what_it_is() {
    let said = |whole: bool, body: &str| {
        let answer = Answer { whole, ..answer(200, body) };
        classify(GrantType::Password.first(), &answer, NOW).expect_err("no token").error.message().to_owned()
    };
    assert!(said(false, "{").contains("too long"));
    assert!(said(true, "").contains("it is empty"));
    assert!(said(true, "{}").contains("no access token"));
    assert!(said(true, "<html>").contains("not a JSON object"));
}

/// Neither a status alone nor an `error` that no OAuth service sends is a verdict: something in front of the service may
/// have answered.
#[test]
fn e2_every_status_has_a_class() {
    let exchanges = [GrantType::Refresh, GrantType::Password, GrantType::Client].map(GrantType::first);
    let exchanges = exchanges.into_iter().flat_map(|first| {
        let repeatable = [first.repeatable, false].into_iter();
        repeatable.flat_map(move |repeatable| [true, false].map(|known| Exchange { repeatable, known, ..first }))
    });
    for (status, exchange) in exchanges.flat_map(|exchange| (100..=599).map(move |status| (status, exchange))) {
        for body in ["", "<html>", "{}", r#"{"error":7}"#, r#"{"error":"RBAC: access denied"}"#] {
            let failure = classify(exchange, &answer(status, body), NOW).expect_err("no token in it");
            let unknown = if exchange.repeatable { Class::Unsent } else { Class::Lost };
            let (class, kind) = match status {
                200..=299 if !body.contains("RBAC") => (Class::Lost, ErrorKind::MalformedAnswer),
                429 => (Class::Unsent, ErrorKind::RateLimited),
                503 => (unknown, ErrorKind::ServiceUnavailable),
                500.. => (Class::Lost, ErrorKind::ServiceUnavailable),
                _ if exchange.known => (unknown, ErrorKind::ServiceUnavailable),
                _ => (Class::Configuration, ErrorKind::Configuration),
            };
            assert_eq!((failure.class, failure.error.kind()), (class, kind), "{status} {body} {exchange:?}");
        }
    }
}

#[test]
fn e3_lifetimes_are_read_leniently() {
    let cases = [
        ("600", 600_000),
        ("599.5", 599_500),
        ("\"600\"", 600_000),
        ("\" 600 \"", 600_000),
        ("1e3", 1_000_000),
        ("0", 0),
        ("-5", 0),
        ("1e300", LONGEST_LIFE),
        ("999999999999999999999999", LONGEST_LIFE),
        ("1e400", LONGEST_LIFE),
        ("-1e400", 0),
        ("\"1e999\"", LONGEST_LIFE),
        ("86401", LONGEST_LIFE),
        ("null", 60_000),
        ("\"NaN\"", 60_000),
        ("\"soon\"", 60_000),
        ("{}", 60_000),
        ("[600]", 60_000),
        ("true", 60_000),
    ];
    for (text, life) in cases {
        let body =
            format!(r#"{{"access_token":"t","refresh_token":"r","expires_in":{text},"refresh_expires_in":{text}}}"#);
        let granted = login(200, body).unwrap_or_else(|failure| panic!("{text}: {}", failure.error));
        assert_eq!(granted.life, life, "{text}");
        assert!(granted.refresh.is_some(), "{text}: the only refresh token was thrown away");
        assert!(granted.refresh_life.is_none_or(|life| life > 0), "{text}");
    }
}

#[test]
fn e3_without_expires_in_the_token_itself_tells() {
    let claims = data_encoding::BASE64URL_NOPAD.encode(br#"{"iat":1800000000,"exp":1800000300,"sid":"s1"}"#);
    let granted = login(200, format!(r#"{{"access_token":"h.{claims}.s"}}"#)).unwrap();
    assert_eq!((granted.life, granted.session_id.as_deref()), (300_000, Some("s1")));
    for odd in ["h.!!!.s", "h..s", "..", "a.b", "h.e30.s"] {
        assert_eq!(login(200, format!(r#"{{"access_token":"{odd}"}}"#)).unwrap().life, 60_000, "{odd}");
    }
}

#[test]
fn e3_the_last_of_two_keys_counts_and_nothing_else_is_lost() {
    let granted =
        login(200, r#"{"access_token":"a","access_token":"b","refresh_token":"r","expires_in":1,"expires_in":2}"#);
    let granted = granted.unwrap();
    assert_eq!((granted.access.expose(), granted.life), ("b", 2_000));
    assert_eq!(granted.refresh.unwrap().expose(), "r");
}

#[test]
fn e5_a_service_asks_for_patience_in_seconds_or_with_a_date() {
    let with = |text: &str| {
        let answer = Answer { retry_after: Some(text.to_owned()), ..answer(429, "") };
        classify(GrantType::Password.first(), &answer, NOW).unwrap_err().retry_after
    };
    assert_eq!(with("7"), Some(7_000));
    assert_eq!(with("Fri, 15 Jan 2027 08:01:00 GMT"), Some(60_000));
    assert_eq!(with("soon"), None);
    assert_eq!(with("99999999999999999999"), None);
    assert!(with("-3").is_some_and(|asked| asked <= 0), "the settlement clamps it");
}

#[test]
fn p5_no_answer_shows_its_body() {
    let long = "x".repeat(900);
    let body = format!(r#"{{"error":"odd\u001b[2J","error_description":"{long}","access_token":"canary"}}"#);
    let failure = login(400, body).unwrap_err();
    let shown = format!("{} {:?}", failure.error, failure.error);
    assert!(!shown.contains("canary") && !shown.contains('\u{1b}') && shown.len() < 1500, "{shown}");
}

/// What two versions of Keycloak were seen to answer, tokens and pages cut: one exchange a line, with what the table of
/// outcomes says of it. Each is read with what the client reads such an answer with.
#[test]
fn e2_what_keycloak_was_seen_to_answer_is_classified() {
    let mut seen: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
    let lines: Vec<Recorded> =
        include_str!("recorded.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for recorded in &lines {
        let Recorded { version, case, asked, status, body, outcome } = recorded;
        let answer = answer(*status, body);
        let found = match asked.as_str() {
            "refresh" => class(GrantType::Refresh, &answer),
            "password" => class(GrantType::Password, &answer),
            "client" => class(GrantType::Client, &answer),
            "logout" => exchange::ended(&answer).map_or("open", |()| "ended").to_owned(),
            "sessions" => asking(account::sessions(&answer), |told| format!("told {}", told.len())),
            "end session" => asking(account::ended(&answer), |()| "ended".to_owned()),
            "userinfo" => match account::userinfo(&answer) {
                Ok(Some(true)) => "taken".to_owned(),
                Ok(Some(false)) => "refused".to_owned(),
                Ok(None) => "untold".to_owned(),
                Err(error) => kind(&error),
            },
            "discovery" => probe::read(&answer, None, 0).map_or_else(|error| kind(&error), |_| "told".to_owned()),
            "other" => as_any_grant(&answer),
            other => panic!("{other}"),
        };
        assert_eq!(found, *outcome, "{version} {case}: {body}");
        assert_eq!(found == "ok", body.contains(r#""access_token":"#), "{version} {case}: tokens, or none");
        assert!(seen.entry((version, asked)).or_default().insert(case), "{version} {case} is there twice");
    }
    let each = [
        ("refresh", 92),
        ("password", 163),
        ("client", 11),
        ("logout", 16),
        ("sessions", 10),
        ("end session", 7),
        ("userinfo", 36),
        ("discovery", 4),
        ("other", 89),
    ];
    assert_eq!(each.iter().map(|(_, count)| count).sum::<usize>(), 428, "of each version");
    assert_eq!(lines.len(), 2 * 428);
    for version in ["26.7.3", "21.1.2"] {
        for (asked, count) in each {
            assert_eq!(seen[&(version, asked)].len(), count, "{version} {asked}");
        }
    }
}

#[derive(serde::Deserialize)]
struct Recorded {
    version: String,
    case: String,
    /// The grant, or what else the client asks for; `other`: what it never asks for.
    asked: String,
    status: u16,
    body: String,
    outcome: String,
}

fn class(asked: GrantType, answer: &Answer) -> String {
    match classify(asked.first(), answer, NOW) {
        Ok(_) => "ok".to_owned(),
        Err(failure) => format!("{:?}", failure.class).to_lowercase(),
    }
}

/// What a refresh, a login and a client would take it for: one word if all say the same.
fn as_any_grant(answer: &Answer) -> String {
    let mut classes =
        [GrantType::Refresh, GrantType::Password, GrantType::Client].map(|asked| class(asked, answer)).to_vec();
    if classes.iter().all(|class| *class == classes[0]) {
        classes.truncate(1);
    }
    classes.join(" ")
}

fn asking<T>(asked: Result<Reply<T>>, told: impl FnOnce(T) -> String) -> String {
    match asked {
        Ok(Reply::Accepted(what)) => told(what),
        Ok(Reply::Refused) => "refused".to_owned(),
        Err(error) => kind(&error),
    }
}

fn kind(error: &Error) -> String {
    format!("{:?}", error.kind()).to_lowercase()
}

fn said<T>(result: Result<T>) -> (ErrorKind, String) {
    let error = result.err().expect("an error");
    (error.kind(), error.message().to_owned())
}

#[test]
fn m11_a_logout_has_ended_the_session_if_the_service_says_so_without_a_page() {
    let gone = r#"{"error":"invalid_grant","error_description":"Token is not active"}"#;
    assert!(exchange::ended(&answer(204, "")).is_ok() && exchange::ended(&answer(200, "")).is_ok());
    let torn = Answer { whole: false, ..answer(200, "") };
    for (answer, kind) in [
        (answer(200, "<html>Do you want to log out?</html>"), ErrorKind::MalformedAnswer),
        (torn, ErrorKind::MalformedAnswer),
        (answer(201, ""), ErrorKind::MalformedAnswer),
        (answer(400, gone), ErrorKind::MalformedAnswer),
        (answer(503, ""), ErrorKind::ServiceUnavailable),
        (answer(403, "<html>"), ErrorKind::ServiceUnavailable),
    ] {
        assert_eq!(exchange::ended(&answer).map_err(|error| error.kind()), Err(kind), "{}", answer.status);
    }
    assert!(said(exchange::ended(&answer(400, gone))).1.contains("did not find a session"));
}

#[test]
fn cli5_what_is_no_list_of_sessions_is_not_taken_for_one() {
    let listed = |answer: &Answer| match account::sessions(answer) {
        Ok(Reply::Accepted(sessions)) => Ok(Some(sessions.len())),
        Ok(Reply::Refused) => Ok(None),
        Err(error) => Err((error.kind(), error.message().to_owned())),
    };
    assert_eq!(listed(&answer(200, r#"[{"id":"a"},{"id":"b"}]"#)), Ok(Some(2)));
    assert_eq!(listed(&answer(401, "")), Ok(None));
    let cut = Answer { whole: false, ..answer(200, "[]") };
    for (answer, kind, why) in [
        (cut, ErrorKind::MalformedAnswer, "not a list of sessions"),
        (answer(206, "[]"), ErrorKind::MalformedAnswer, "not a list of sessions"),
        (answer(299, "[]"), ErrorKind::MalformedAnswer, "not a list of sessions"),
        (answer(404, ""), ErrorKind::Configuration, "no account API"),
        (answer(405, ""), ErrorKind::Configuration, "no account API"),
        (answer(403, ""), ErrorKind::WrongCredential, "does not let this token"),
        (answer(302, ""), ErrorKind::Configuration, ""),
    ] {
        let (found, message) = listed(&answer).unwrap_err();
        assert!(found == kind && message.contains(why), "{} {found:?} {message}", answer.status);
    }
}

#[test]
fn cli5_a_session_has_ended_if_the_service_says_so_without_a_page() {
    let ended = |answer: &Answer| match account::ended(answer) {
        Ok(Reply::Accepted(())) => Ok(true),
        Ok(Reply::Refused) => Ok(false),
        Err(error) => Err(error.kind()),
    };
    assert_eq!((ended(&answer(204, "")), ended(&answer(200, ""))), (Ok(true), Ok(true)));
    assert_eq!(ended(&answer(401, "")), Ok(false));
    let cut = Answer { whole: false, ..answer(200, "") };
    for page in [answer(200, "<html>"), cut] {
        assert_eq!(ended(&page), Err(ErrorKind::MalformedAnswer));
    }
}

#[test]
fn m12_only_claims_say_that_a_token_is_accepted() {
    let takes = |answer: &Answer| account::userinfo(answer).map_err(|error| error.kind());
    assert_eq!(takes(&answer(200, r#"{"sub":"x"}"#)), Ok(Some(true)));
    assert_eq!((takes(&answer(401, "")), takes(&answer(403, ""))), (Ok(Some(false)), Ok(None)));
    for page in ["<html>", "[]", ""] {
        assert_eq!(takes(&answer(200, page)), Err(ErrorKind::MalformedAnswer), "{page:?}");
    }
    assert_eq!(takes(&answer(503, "")), Err(ErrorKind::ServiceUnavailable));
}

#[test]
fn m10_the_service_tells_how_far_this_clock_is_off() {
    let document = answer(200, r#"{"issuer":"https://identity.example/realms/x"}"#);
    // 1 800 000 000 s.
    let date = Some("Fri, 15 Jan 2027 08:00:00 GMT");
    let ahead = |now| probe::read(&document, date, now).unwrap().ahead;
    assert_eq!((ahead(NOW), ahead(NOW + 61_000), ahead(NOW - 2_000)), (Some(0), Some(61), Some(-2)));
    assert_eq!(probe::read(&document, Some("yesterday"), NOW).unwrap().ahead, None);
    assert_eq!(probe::read(&document, None, NOW).unwrap().issuer, "https://identity.example/realms/x");
    for other in [answer(404, r#"{"issuer":"x"}"#), answer(200, "<html>"), answer(200, "{}")] {
        assert_eq!(said(probe::read(&other, date, NOW)).0, ErrorKind::MalformedAnswer, "{}", other.status);
    }
}
