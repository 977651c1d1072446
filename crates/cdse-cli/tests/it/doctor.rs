//! What `auth doctor` finds, and what it never shows.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::support::{MFA, USER, World};

fn checks(report: &Value, name: &str) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let checks = report["checks"].as_array().unwrap().iter();
    checks.filter(|check| check["check"] == name).map(|check| (text(&check["state"]), text(&check["text"]))).collect()
}

#[test]
fn cli9_a_healthy_machine_has_no_problem() {
    let world = World::logged_in();
    let report = world.cdse(["auth", "doctor", "--json"]).run().ok().json();
    assert!(report["checks"].as_array().unwrap().iter().all(|check| check["state"] != "problem"), "{report}");
    for name in ["environment", "state folder", "profiles", "credential", "session", "lock", "service", "clock"] {
        assert_eq!(checks(&report, name).first().map(|(state, _)| state.as_str()), Some("ok"), "{name}: {report}");
    }
    let text = world.cdse(["auth", "doctor"]).run().ok().stdout;
    assert!(text.contains("ok       lock"), "{text}");
    assert_eq!(world.sandbox.counters().token_requests, 1, "no credential is sent");
}

#[test]
fn cli9_nobody_logged_in_is_no_problem_and_makes_nothing() {
    let world = World::new();
    let report = world.cdse(["auth", "doctor", "--json"]).run().ok().json();
    assert_eq!(checks(&report, "session")[0].0, "warning");
    assert!(!world.state().exists());
}

#[test]
fn cli9_what_it_prints_can_be_pasted() {
    let world = World::logged_in();
    let code = world.sandbox.totp_code(MFA).unwrap();
    let login = ["auth", "login", "--profile", "institute-x", "--username", MFA, "--password-stdin", "--totp", &code];
    world.cdse(login).stdin(crate::support::PASSWORD).run().ok();
    fs::write(world.profile_file("default"), "{").unwrap();
    let call = || {
        world
            .cdse(["auth", "doctor", "--profile", "institute-x"])
            .env("HTTPS_PROXY", "http://somebody:CANARY@proxy.example:3128")
            .env("NO_PROXY", "127.0.0.1")
            .env("USER", "jane-doe")
            .env("CDSE_USERNAME", USER)
            .env("CDSE_PASSWORD", "CANARY")
    };
    let done = call().run().exits(1);
    let home = world.home.path().to_str().unwrap();
    for hidden in ["CANARY", "somebody", "jane-doe", USER, MFA, "institute-x", home] {
        assert!(!done.stdout.contains(hidden), "{hidden}: {}", done.stdout);
    }
    assert!(done.stdout.contains("CDSE_PASSWORD") && done.stdout.contains("proxy.example:3128"), "{}", done.stdout);
}

#[test]
fn cli9_problems_are_named_and_the_first_one_is_the_exit_code() {
    let world = World::logged_in();
    let find = |call: crate::support::Call, code, name: &str| {
        let report = call.run().exits(code).json();
        let found = checks(&report, name).into_iter().find(|(state, _)| state == "problem");
        found.unwrap_or_else(|| panic!("{name}: {report}")).1
    };
    let doctor = || world.cdse(["auth", "doctor", "--json"]);
    let nowhere = doctor().env("CDSE_IDENTITY_URL", "http://127.0.0.1:9/r");
    assert!(find(nowhere, 4, "credential").contains("CDSE_IDENTITY_URL"));
    let nowhere = doctor().env("CDSE_IDENTITY_URL", "http://127.0.0.1:9/r").env("CDSE_STATE_DIR", world.home.path().join("none-yet"));
    assert!(find(nowhere, 5, "service").contains("could not be reached"));
    assert!(find(doctor().env("CDSE_USERNAME", USER), 2, "credential").contains("CDSE_PASSWORD"));
    assert!(find(doctor().env("SSL_CERT_FILE", "/nowhere.pem"), 1, "authorities").contains("/nowhere.pem"));
    let text = fs::read_to_string(world.session_file()).unwrap();
    fs::write(world.session_file(), "{").unwrap();
    assert!(find(doctor(), 1, "session").contains("damaged"));
    fs::write(world.session_file(), text).unwrap();
    let wrong = doctor().env("CDSE_IDENTITY_URL", "http://127.0.0.1:9/r").env("CDSE_STATE_DIR", world.home.path().join("none-yet"));
    wrong.run().exits(5);
}

#[test]
fn cli9_a_clock_that_is_off_is_said() {
    let world = World::logged_in();
    world.sandbox.advance(Duration::from_secs(300));
    let report = world.cdse(["auth", "doctor", "--json"]).run().ok().json();
    let (state, text) = &checks(&report, "clock")[0];
    assert!(state == "warning" && text.contains("behind"), "{text}");
}

#[test]
fn cli9_no_form_of_a_proxy_gives_its_password_away() {
    let world = World::new();
    for odd in ["http://jane:CANARY%40proxy:3128", "jane:CANARY", "http://jane:CANARY@proxy:port", "CANARY"] {
        let done = world.cdse(["auth", "doctor"]).env("HTTPS_PROXY", odd).env("NO_PROXY", "127.0.0.1").run();
        assert!(!done.stdout.contains("CANARY"), "{odd}: {}", done.stdout);
        assert!(done.stdout.contains("HTTPS_PROXY"), "{}", done.stdout);
    }
}

#[test]
fn cli9_the_name_of_a_damaged_profile_is_not_shown() {
    let world = World::logged_in();
    fs::copy(world.profile_file("default"), world.profile_file("alice-secret")).unwrap();
    fs::write(world.profile_file("alice-secret"), "{").unwrap();
    for call in [world.cdse(["auth", "doctor"]), world.cdse(["auth", "doctor", "--profile", "alice-secret"])] {
        let done = call.run();
        assert!(!done.stdout.contains("alice-secret"), "{}", done.stdout);
        assert!(done.stdout.contains("damaged"), "{}", done.stdout);
    }
}
