use std::io::ErrorKind;
use std::time::Duration;

use cdse_sandbox::{Action, Endpoint, Fault, Grant, Rotation, Sandbox};
use serde_json::json;

use crate::client::{Calls, PASSWORD, USER, Wire, password_fields, path_of, sandbox, sandbox_with, until};

const HOUR: Duration = Duration::from_secs(3600);

/// A password grant whose answer has yet to be read.
fn begin_login(sandbox: &Sandbox) -> Wire {
    let mut wire = Wire::open(sandbox);
    wire.send_form(sandbox, &password_fields(USER, PASSWORD));
    wire
}

#[test]
fn an_answer_replaces_the_services_which_does_nothing() {
    let sandbox = sandbox();
    sandbox.script(Fault::token(Action::Answer {
        status: 429,
        headers: vec![("Retry-After".to_owned(), "7".to_owned()), ("X-Two".to_owned(), "2".to_owned())],
        body: b"slow down".to_vec(),
    }));
    let reply = sandbox.password(USER, PASSWORD);
    assert_eq!((reply.status, reply.text()), (429, "slow down"));
    assert_eq!(reply.header("retry-after"), Some("7"));
    assert_eq!(reply.header("x-frame-options"), None);
    let counters = sandbox.counters();
    assert_eq!((counters.token_requests, counters.password_grants, counters.sessions_open), (1, 0, 0));
    assert_eq!(counters.faults_met, 1);
    assert_eq!(sandbox.password(USER, PASSWORD).status, 200);
}

#[test]
fn an_answer_after_comes_when_the_work_is_done() {
    let sandbox = sandbox_with(|config| config.rotation = Rotation::OneTime);
    let tokens = sandbox.login();
    sandbox.script(Fault::token(Action::page_after(502)));
    let reply = sandbox.refresh(&tokens.refresh);
    assert_eq!((reply.status, reply.header("content-type")), (502, Some("text/html")));
    assert_eq!(sandbox.counters().refreshes_ok, 1);
    let exceeded = "Maximum allowed refresh token reuse exceeded";
    sandbox.refresh(&tokens.refresh).refused(400, "invalid_grant", exceeded);
}

#[test]
fn an_endless_answer_is_as_long_as_asked_and_names_no_length() {
    let sandbox = sandbox();
    let bytes = 64 * 1024 * 1024 + 17;
    sandbox.script(Fault::token(Action::Endless { status: 200, content_type: "application/json".to_owned(), bytes }));
    let mut wire = Wire::open(&sandbox);
    let mut fields = password_fields(USER, PASSWORD);
    fields.push(("x", "y"));
    wire.send(
        "POST",
        &path_of(&sandbox.token_url()),
        &[crate::client::FORM, ("connection", "close")],
        &crate::client::encode(&fields),
    );
    let head = wire.read().unwrap();
    assert_eq!((head.status, head.header("content-length")), (200, None));
    assert_eq!(head.header("content-type"), Some("application/json"));
    // Chunks are framed, so that a little more than the body arrives.
    let received = head.body.len() as u64 + wire.count_to_end().unwrap();
    assert!((bytes..bytes + bytes / 100).contains(&received), "{received}");
    assert_eq!(sandbox.counters().password_grants, 0);
}

#[test]
fn a_client_that_leaves_an_endless_answer_ends_it() {
    let sandbox = sandbox();
    sandbox.script(Fault::token(Action::Endless {
        status: 200,
        content_type: "application/json".to_owned(),
        bytes: u64::MAX,
    }));
    let mut wire = begin_login(&sandbox);
    assert_eq!(wire.read().unwrap().status, 200);
    drop(wire);
    assert_eq!(sandbox.password(USER, PASSWORD).status, 200);
}

#[test]
fn a_delayed_request_is_not_processed_for_a_client_that_left() {
    let sandbox = sandbox();
    sandbox.script(Fault::token(Action::Delay(HOUR)));
    let wire = begin_login(&sandbox);
    until(|| sandbox.counters().token_requests == 1);
    drop(wire);
    until(|| sandbox.requests()[0].finished.is_some());
    let request = &sandbox.requests()[0];
    assert!(!request.processed);
    assert_eq!(request.status, None);
    assert_eq!(sandbox.counters().sessions_open, 0);
}

#[test]
fn a_delayed_request_is_processed_in_the_end() {
    let sandbox = sandbox();
    sandbox.script(Fault::token(Action::Delay(Duration::from_millis(1))));
    assert_eq!(sandbox.password(USER, PASSWORD).status, 200);
    sandbox.script(Fault::token(Action::DelayAnswer(Duration::from_millis(1))));
    assert_eq!(sandbox.password(USER, PASSWORD).status, 200);
    assert_eq!(sandbox.counters().faults_met, 2);
}

#[test]
fn a_delayed_answer_is_processed_though_the_client_left() {
    let sandbox = sandbox();
    sandbox.script(Fault::token(Action::DelayAnswer(HOUR)));
    let wire = begin_login(&sandbox);
    until(|| sandbox.counters().logins_ok == 1);
    drop(wire);
    until(|| sandbox.requests()[0].finished.is_some());
    assert_eq!(sandbox.requests()[0].status, Some(200));
    assert_eq!(sandbox.sessions().len(), 1);
}

#[test]
fn a_torn_answer_announces_more_than_it_sends() {
    for processed in [true, false] {
        for body_bytes in [0, 1, 100] {
            let sandbox = sandbox();
            sandbox.script(Fault::token(Action::Torn { processed, body_bytes }));
            let reply = begin_login(&sandbox).read().unwrap();
            assert_eq!(reply.status, 200);
            assert_eq!(reply.body.len(), body_bytes);
            let announced: usize = reply.header("content-length").unwrap().parse().unwrap();
            assert!(announced > 2000, "{announced}");
            assert!(r#"{"access_token":""#.starts_with(&reply.text()[..body_bytes.min(10)]));
            assert_eq!(sandbox.counters().logins_ok, u64::from(processed));
            assert_eq!(sandbox.password(USER, PASSWORD).status, 200);
        }
    }
}

#[test]
fn a_reset_is_a_reset() {
    for processed in [true, false] {
        let sandbox = sandbox();
        sandbox.script(Fault::token(Action::Reset { processed }));
        let error = begin_login(&sandbox).read().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        assert_eq!(sandbox.counters().logins_ok, u64::from(processed));
        let request = &sandbox.requests()[0];
        assert_eq!((request.processed, request.status), (processed, processed.then_some(200)));
        assert_eq!(request.fault, Some("reset"));
    }
}

#[test]
fn a_stalled_request_waits_for_its_client_to_leave() {
    for processed in [true, false] {
        let sandbox = sandbox();
        sandbox.script(Fault::token(Action::Stall { processed }));
        let wire = begin_login(&sandbox);
        until(|| sandbox.counters().token_requests == 1);
        // The service is not held up by it.
        assert_eq!(sandbox.password(USER, PASSWORD).status, 200);
        assert_eq!(sandbox.requests()[0].finished, None);
        drop(wire);
        until(|| sandbox.requests()[0].finished.is_some());
        assert_eq!(sandbox.counters().logins_ok, 1 + u64::from(processed));
    }
}

#[test]
fn stopping_ends_stalled_requests() {
    let sandbox = sandbox();
    sandbox.script(Fault::token(Action::Stall { processed: false }));
    let mut wire = begin_login(&sandbox);
    until(|| sandbox.counters().token_requests == 1);
    drop(sandbox);
    assert!(wire.read().is_err());
}

#[test]
fn an_edited_body_is_the_services_with_changes() {
    let sandbox = sandbox();
    sandbox.script(
        Fault::token(Action::edit(|body| {
            body.insert("expires_in".to_owned(), json!("600"));
            body.remove("refresh_token");
        }))
        .always(),
    );
    let reply = sandbox.password(USER, PASSWORD);
    assert_eq!(reply.json()["expires_in"], "600");
    assert!(reply.json().get("refresh_token").is_none());
    assert_eq!(reply.header("content-length"), Some(reply.body.len().to_string().as_str()));
    sandbox.password(USER, "nope").refused(400, "invalid_grant", "Invalid user credentials");
}

#[test]
fn faults_are_met_in_their_order_by_those_they_fit() {
    let sandbox = sandbox();
    let tokens = sandbox.login();
    sandbox.script(Fault::token(Action::page(500)).grant(Grant::RefreshToken).times(2));
    sandbox.script(Fault::token(Action::page(501)));
    sandbox.script(Fault::new(Endpoint::Any, Action::page(502)));
    sandbox.script(Fault::token(Action::page(503)).times(0));
    assert_eq!(sandbox.password(USER, PASSWORD).status, 501);
    assert_eq!(sandbox.refresh(&tokens.refresh).status, 500);
    assert_eq!(sandbox.resource(&tokens.access).status, 502);
    assert_eq!(sandbox.refresh(&tokens.refresh).status, 500);
    assert_eq!(sandbox.refresh(&tokens.refresh).status, 200);
    for (endpoint, status) in [(Endpoint::Logout, 510), (Endpoint::Account, 511), (Endpoint::Resource, 512)] {
        sandbox.script(Fault::new(endpoint, Action::page(status)));
    }
    assert_eq!(sandbox.resource(&tokens.access).status, 512);
    assert_eq!(sandbox.account("GET", "sessions", &tokens.access).status, 511);
    assert_eq!(sandbox.logout(&tokens.refresh).status, 510);
    assert_eq!(sandbox.logout(&tokens.refresh).status, 204);
}

#[test]
fn faults_for_ever_end_when_they_are_cleared() {
    let sandbox = sandbox();
    sandbox.script(Fault::token(Action::json(503, &json!({ "error": "temporarily_unavailable" }))).always());
    for _ in 0..3 {
        sandbox.password(USER, PASSWORD).refused(503, "temporarily_unavailable", "");
    }
    sandbox.clear_faults();
    assert_eq!(sandbox.password(USER, PASSWORD).status, 200);
}

#[test]
#[should_panic(expected = "content-length")]
fn an_answer_that_cannot_be_sent_is_refused_when_it_is_scripted() {
    sandbox().script(Fault::token(Action::Answer {
        status: 200,
        headers: vec![("content-length".to_owned(), "7".to_owned())],
        body: Vec::new(),
    }));
}
