use std::time::Duration;

use cdse_sandbox::{Action, Counters, Endpoint, Fault, Grant};

use crate::client::{Calls, FORM, PASSWORD, USER, Wire, encode, password_fields, sandbox, sandbox_with, until};

#[test]
fn requests_are_logged_as_they_came_and_as_they_were_answered() {
    let sandbox = sandbox();
    let headers = [FORM, ("accept", "application/json"), ("user-agent", "test/1")];
    let body = encode(&password_fields(USER, PASSWORD));
    sandbox.call("POST", "/auth/realms/CDSE/protocol/openid-connect/token", &headers, &body);
    sandbox.advance(Duration::from_secs(7));
    sandbox.resource("garbage");
    until(|| sandbox.requests().iter().all(|request| request.finished.is_some()));
    let requests = sandbox.requests();
    assert_eq!(requests.len(), 2);

    let login = &requests[0];
    assert_eq!((login.endpoint, login.grant), (Endpoint::Token, Some(Grant::Password)));
    assert_eq!(login.method, "POST");
    assert_eq!(login.path, "/auth/realms/CDSE/protocol/openid-connect/token");
    let fields = password_fields(USER, PASSWORD);
    assert!(login.form.iter().map(|(name, value)| (name.as_str(), value.as_str())).eq(fields));
    assert_eq!(login.field("username"), Some(USER));
    assert_eq!(login.accept.as_deref(), Some("application/json"));
    assert_eq!(login.user_agent.as_deref(), Some("test/1"));
    assert!(!login.authorization);
    assert_eq!((login.status, login.processed, login.fault), (Some(200), true, None));
    assert_eq!(login.finished, Some(login.started));

    let resource = &requests[1];
    assert_eq!((resource.endpoint, resource.grant), (Endpoint::Resource, None));
    assert!(resource.authorization);
    assert_eq!(resource.status, Some(401));
    assert_eq!(resource.started, login.started + Duration::from_secs(7));
    assert_ne!(resource.connection, login.connection);
}

#[test]
fn clearing_sets_the_log_back_and_keeps_the_sessions() {
    let sandbox = sandbox();
    let tokens = sandbox.login();
    sandbox.clear_log();
    assert_eq!(sandbox.requests(), []);
    assert_eq!(sandbox.counters(), Counters { sessions_open: 1, ..Counters::default() });
    assert_eq!(sandbox.refresh(&tokens.refresh).status, 200);
    assert_eq!(sandbox.requests().len(), 1);
}

#[test]
fn the_log_forgets_the_oldest_beyond_its_capacity() {
    let sandbox = sandbox_with(|config| config.log_capacity = 3);
    for name in ["a", "b", "c", "d", "e"] {
        sandbox.password(name, PASSWORD);
    }
    let names: Vec<_> =
        sandbox.requests().iter().map(|request| request.field("username").unwrap().to_owned()).collect();
    assert_eq!(names, ["c", "d", "e"]);
    assert_eq!(sandbox.counters().token_requests, 5);
}

#[test]
fn token_requests_at_the_same_time_are_counted() {
    let sandbox = sandbox();
    sandbox.script(Fault::token(Action::Stall { processed: false }).times(5));
    let wires: Vec<_> = (0..5)
        .map(|_| {
            let mut wire = Wire::open(&sandbox);
            wire.send_form(&sandbox, &password_fields(USER, PASSWORD));
            wire
        })
        .collect();
    until(|| sandbox.counters().token_requests == 5);
    assert_eq!(sandbox.counters().max_concurrent_token_requests, 5);
    drop(wires);
    until(|| sandbox.requests().iter().all(|request| request.finished.is_some()));
    sandbox.clear_log();
    sandbox.login();
    assert_eq!(sandbox.counters().max_concurrent_token_requests, 1);
}

#[test]
fn the_environment_is_that_of_a_user_who_can_log_in() {
    let sandbox = sandbox();
    sandbox.set_password(USER, "changed");
    let expected = [
        ("CDSE_IDENTITY_URL", sandbox.realm_url()),
        ("CDSE_CATALOGUE_URL", sandbox.catalogue_url()),
        ("CDSE_DOWNLOAD_URL", sandbox.download_url()),
        ("CDSE_STAC_URL", sandbox.stac_url()),
        ("CDSE_USERNAME", USER.to_owned()),
        ("CDSE_PASSWORD", "changed".to_owned()),
    ];
    assert_eq!(sandbox.environment(), expected.map(|(name, value)| (name.to_owned(), value)));
}
