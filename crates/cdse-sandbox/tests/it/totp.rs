use std::time::Duration;

use cdse_sandbox::KeycloakVersion::V21;
use cdse_sandbox::{Sandbox, User};

use crate::client::{Calls, MFA, PASSWORD, USER, password_fields, sandbox, sandbox_of, sandbox_with};

const STEP: Duration = Duration::from_secs(30);

fn with(sandbox: &Sandbox, codes: &[(&str, &str)]) -> u16 {
    let mut fields = password_fields(MFA, PASSWORD);
    fields.extend_from_slice(codes);
    sandbox.token(&fields).status
}

#[test]
fn a_code_is_needed_and_works_once() {
    let sandbox = sandbox();
    let code = sandbox.totp_code(MFA).unwrap();
    sandbox.password(MFA, PASSWORD).refused(400, "invalid_grant", "Invalid user credentials");
    assert_eq!(with(&sandbox, &[("totp", "")]), 400);
    assert_eq!(with(&sandbox, &[("totp", &format!(" {code}"))]), 400);
    assert_eq!(with(&sandbox, &[("totp", &code)]), 200);
    assert_eq!(with(&sandbox, &[("totp", &code)]), 400);
    assert_eq!(with(&sandbox, &[("otp", &code)]), 400);
    assert_eq!(sandbox.counters().totp_reused, 2);
    sandbox.advance(STEP);
    assert_eq!(with(&sandbox, &[("totp", &code)]), 400);
    assert_eq!(with(&sandbox, &[("totp", &sandbox.totp_code(MFA).unwrap())]), 200);
    assert_eq!(sandbox_of(V21).password(MFA, PASSWORD).status, 401);
}

#[test]
fn the_code_of_the_step_is_that_of_rfc_6238() {
    // RFC 6238, appendix B, at 59 s: 94287082 in eight digits.
    let sandbox = sandbox_with(|config| {
        config.clock = cdse_sandbox::Clock::new(|| std::time::UNIX_EPOCH + Duration::from_secs(59));
    });
    assert_eq!(sandbox.totp_code(MFA).as_deref(), Some("287082"));
    assert_eq!(sandbox.totp_code(USER), None);
    assert_eq!(sandbox.totp_code("nobody"), None);
}

#[test]
fn the_steps_before_and_after_are_accepted_and_those_beyond_are_not() {
    let sandbox = sandbox();
    let mut codes = Vec::new();
    for _ in 0..5 {
        codes.push(sandbox.totp_code(MFA).unwrap());
        sandbox.advance(STEP);
    }
    let late = sandbox_with(|config| {
        config.clock =
            cdse_sandbox::Clock::new(|| std::time::UNIX_EPOCH + Duration::from_secs(crate::client::START) + 2 * STEP);
    });
    let statuses: Vec<_> = codes.iter().map(|code| with(&late, &[("totp", code)])).collect();
    assert_eq!(statuses, [400, 200, 200, 200, 400]);
}

#[test]
fn otp_wins_over_totp() {
    let sandbox = sandbox();
    let code = sandbox.totp_code(MFA).unwrap();
    assert_eq!(with(&sandbox, &[("otp", "000000"), ("totp", &code)]), 400);
    assert_eq!(with(&sandbox, &[("totp", "000000"), ("otp", &code)]), 200);
}

#[test]
fn a_wrong_password_does_not_use_the_code_up() {
    let sandbox = sandbox();
    let code = sandbox.totp_code(MFA).unwrap();
    let mut fields = password_fields(MFA, "nope");
    fields.push(("totp", &code));
    assert_eq!(sandbox.token(&fields).status, 400);
    assert_eq!(with(&sandbox, &[("totp", &code)]), 200);
}

#[test]
fn refreshing_needs_no_code_and_others_may_send_one() {
    let sandbox = sandbox();
    let mut fields = password_fields(MFA, PASSWORD);
    let code = sandbox.totp_code(MFA).unwrap();
    fields.push(("totp", &code));
    let tokens = sandbox.token(&fields).tokens();
    assert_eq!(sandbox.refresh(&tokens.refresh).status, 200);
    let mut fields = password_fields(USER, PASSWORD);
    fields.push(("totp", "123456"));
    assert_eq!(sandbox.token(&fields).status, 200);
}

#[test]
fn a_secret_that_is_not_base32_is_an_error_of_the_configuration() {
    let user = User { totp_secret: Some("not base32!".to_owned()), ..User::new("a", "b") };
    let config = cdse_sandbox::Config { users: vec![user], ..cdse_sandbox::Config::default() };
    let error = Sandbox::start(config).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}
