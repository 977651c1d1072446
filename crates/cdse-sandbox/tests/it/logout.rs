use crate::client::{Calls, sandbox};

#[test]
fn logging_out_ends_its_own_session_and_is_idempotent() {
    let sandbox = sandbox();
    let (tokens, other) = (sandbox.login(), sandbox.login());
    let reply = sandbox.logout(&tokens.refresh);
    assert_eq!((reply.status, reply.body.len()), (204, 0));
    assert_eq!(sandbox.logout(&tokens.refresh).status, 204);
    assert_eq!(sandbox.counters().logouts, 1);
    sandbox.refresh(&tokens.refresh).refused(400, "invalid_grant", "Session not active");
    assert_eq!(sandbox.resource(&tokens.access).status, 401);
    assert_eq!(sandbox.resource(&other.access).status, 200);
}

#[test]
fn bad_logouts_end_nothing() {
    let sandbox = sandbox();
    let tokens = sandbox.login();
    for bad in ["garbage", "", &tokens.access] {
        sandbox.logout(bad).refused(400, "invalid_grant", "Invalid refresh token");
    }
    let with = |fields: &[(&str, &str)]| sandbox.protocol("logout", fields);
    with(&[("client_id", "other-public"), ("refresh_token", &tokens.refresh)]).refused(
        400,
        "invalid_grant",
        "Invalid refresh token. Token client and authorized client don't match",
    );
    with(&[("refresh_token", &tokens.refresh)]).refused(
        401,
        "invalid_client",
        "Invalid client or Invalid client credentials",
    );
    assert_eq!(sandbox.refresh(&tokens.refresh).status, 200);
}

#[test]
fn without_a_refresh_token_it_is_a_page_and_nothing_ends() {
    let sandbox = sandbox();
    let tokens = sandbox.login();
    let reply = sandbox.protocol("logout", &[("client_id", "cdse-public")]);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("text/html;charset=utf-8"));
    assert_eq!(sandbox.refresh(&tokens.refresh).status, 200);
    assert_eq!(sandbox.counters().logouts, 0);
}
