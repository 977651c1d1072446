use std::time::Duration;

use cdse_sandbox::{BruteForce, Sandbox};

use crate::client::{Calls, MFA, PASSWORD, USER, password_fields, sandbox_with};

fn strict() -> Sandbox {
    sandbox_with(|config| {
        config.brute_force = Some(BruteForce { max_failures: 3, ..BruteForce::default() });
    })
}

#[test]
fn failures_lock_without_showing_it_and_refreshing_goes_on() {
    let sandbox = strict();
    let tokens = sandbox.login();
    for _ in 0..3 {
        assert_eq!(sandbox.password(USER, "nope").status, 400);
    }
    sandbox.password(USER, PASSWORD).refused(400, "invalid_grant", "Invalid user credentials");
    assert_eq!(sandbox.refresh(&tokens.refresh).status, 200);
    sandbox.advance(Duration::from_secs(59));
    assert_eq!(sandbox.password(USER, "nope").status, 400);
    assert_eq!(sandbox.password(USER, PASSWORD).status, 400);
    sandbox.advance(Duration::from_secs(1));
    assert_eq!(sandbox.password(USER, PASSWORD).status, 200);
}

#[test]
fn a_success_forgives_what_came_before() {
    let sandbox = strict();
    for _ in 0..5 {
        assert_eq!(sandbox.password(USER, "nope").status, 400);
        assert_eq!(sandbox.password(USER, "nope").status, 400);
        assert_eq!(sandbox.password(USER, PASSWORD).status, 200);
    }
}

#[test]
fn missing_and_used_codes_are_failures_too() {
    let sandbox = strict();
    let code = sandbox.totp_code(MFA).unwrap();
    let mut fields = password_fields(MFA, PASSWORD);
    fields.push(("totp", &code));
    assert_eq!(sandbox.token(&fields).status, 200);
    assert_eq!(sandbox.token(&fields).status, 400);
    assert_eq!(sandbox.password(MFA, PASSWORD).status, 400);
    assert_eq!(sandbox.token(&fields).status, 400);
    sandbox.advance(Duration::from_secs(30));
    let fresh = sandbox.totp_code(MFA).unwrap();
    *fields.last_mut().unwrap() = ("totp", &fresh);
    assert_eq!(sandbox.token(&fields).status, 400);
}

#[test]
fn a_quick_second_failure_locks_if_asked_for() {
    let rule = BruteForce { quick_login_check: Some(Duration::from_secs(1)), ..BruteForce::default() };
    let sandbox = sandbox_with(|config| config.brute_force = Some(rule));
    assert_eq!(sandbox.password(USER, "nope").status, 400);
    sandbox.advance(Duration::from_secs(2));
    assert_eq!(sandbox.password(USER, "nope").status, 400);
    assert_eq!(sandbox.password(USER, PASSWORD).status, 200);
    assert_eq!(sandbox.password(USER, "nope").status, 400);
    assert_eq!(sandbox.password(USER, "nope").status, 400);
    assert_eq!(sandbox.password(USER, PASSWORD).status, 400);
    sandbox.advance(Duration::from_secs(60));
    assert_eq!(sandbox.password(USER, PASSWORD).status, 200);
}

#[test]
fn it_can_be_off() {
    let sandbox = sandbox_with(|config| config.brute_force = None);
    for _ in 0..40 {
        assert_eq!(sandbox.password(USER, "nope").status, 400);
    }
    assert_eq!(sandbox.password(USER, PASSWORD).status, 200);
}
