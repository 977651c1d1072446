use cdse_sandbox::KeycloakVersion::{V21, V26};
use cdse_sandbox::Sandbox;

use crate::client::{Calls, Reply, sandbox, sandbox_of};

fn revoke(sandbox: &Sandbox, token: &str) -> Reply {
    sandbox.protocol("revoke", &[("client_id", "cdse-public"), ("token", token)])
}

#[test]
fn an_access_token_dies_alone() {
    let sandbox = sandbox();
    let tokens = sandbox.login();
    let sibling = sandbox.refresh(&tokens.refresh).tokens();
    let reply = revoke(&sandbox, &tokens.access);
    assert_eq!((reply.status, reply.body.len()), (200, 0));
    assert_eq!(sandbox.resource(&tokens.access).status, 401);
    assert_eq!(sandbox.resource(&sibling.access).status, 200);
    assert_eq!(sandbox.refresh(&tokens.refresh).status, 200);
    revoke(&sandbox, &tokens.access).refused(200, "invalid_token", "Invalid token");
}

#[test]
fn a_refresh_token_takes_its_session_on_26_and_all_of_the_clients_on_21() {
    for (version, other_lives) in [(V26, true), (V21, false)] {
        let sandbox = sandbox_of(version);
        let (tokens, other) = (sandbox.login(), sandbox.login());
        assert_eq!(revoke(&sandbox, &tokens.refresh).status, 200);
        sandbox.refresh(&tokens.refresh).refused(400, "invalid_grant", "Session not active");
        assert_eq!(sandbox.resource(&tokens.access).status, 401);
        assert_eq!(sandbox.refresh(&other.refresh).status == 200, other_lives);
        revoke(&sandbox, &tokens.refresh).refused(200, "invalid_token", "Invalid token");
    }
}

#[test]
fn bad_revocations() {
    let sandbox = sandbox();
    let tokens = sandbox.login();
    revoke(&sandbox, "garbage").refused(200, "invalid_token", "Invalid token");
    sandbox.protocol("revoke", &[("client_id", "cdse-public")]).refused(400, "invalid_request", "Token not provided");
    for token in [&tokens.access, &tokens.refresh] {
        sandbox.protocol("revoke", &[("client_id", "other-public"), ("token", token)]).refused(
            400,
            "invalid_request",
            "Unmatching clients",
        );
    }
    assert_eq!(sandbox.resource(&tokens.access).status, 200);
    assert_eq!(sandbox.refresh(&tokens.refresh).status, 200);
}
