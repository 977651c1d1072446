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
    let nowhere = doctor()
        .env("CDSE_IDENTITY_URL", "http://127.0.0.1:9/r")
        .env("CDSE_STATE_DIR", world.home.path().join("none-yet"));
    assert!(find(nowhere, 5, "service").contains("could not be reached"));
    assert!(find(doctor().env("CDSE_USERNAME", USER), 2, "credential").contains("CDSE_PASSWORD"));
    assert!(find(doctor().env("SSL_CERT_FILE", "/nowhere.pem"), 1, "authorities").contains("/nowhere.pem"));
    let text = fs::read_to_string(world.session_file()).unwrap();
    fs::write(world.session_file(), "{").unwrap();
    assert!(find(doctor(), 1, "session").contains("damaged"));
    fs::write(world.session_file(), text).unwrap();
    let wrong = doctor()
        .env("CDSE_IDENTITY_URL", "http://127.0.0.1:9/r")
        .env("CDSE_STATE_DIR", world.home.path().join("none-yet"));
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

/// The embedded service speaks no TLS, so that no login would read them.
#[test]
fn field_f_certificate_authorities_are_read() {
    let world = World::new();
    let file = world.home.path().join("ca.pem");
    fs::write(&file, "no certificate").unwrap();
    let file = file.to_str().unwrap();
    let doctor = |arguments: &[&str]| world.cdse(["auth", "doctor"].iter().chain(arguments));
    let done = doctor(&["--ca-bundle", file]).run();
    assert!(done.code != Some(0) && done.stdout.contains("problem  authorities   "), "{done:?}");
    let done = doctor(&["--ca-bundle", "/does/not/exist"]).run();
    assert!(done.code != Some(0) && done.stdout.contains("problem  authorities   "), "{done:?}");
    let done = doctor(&[]).env("SSL_CERT_FILE", file).run();
    assert!(done.code != Some(0) && done.stdout.contains("problem  authorities   "), "{done:?}");
}

#[test]
fn field_f_what_a_login_meets_is_found() {
    use std::os::unix::fs::{PermissionsExt, chown, symlink};

    const UNKNOWN: u32 = 54_321;
    type Prepare = fn(&std::path::Path);
    // What is in the way of the folder that is given, or of its own folder.
    let places: [(&str, Prepare); 5] = [
        ("a dangling link on the way", |state| symlink("nowhere", state.parent().unwrap()).unwrap()),
        ("a file on the way", |state| fs::write(state.parent().unwrap(), "").unwrap()),
        ("a parent that cannot be written", |state| {
            let parent = state.parent().unwrap();
            fs::create_dir(parent).unwrap();
            fs::set_permissions(parent, fs::Permissions::from_mode(0o555)).unwrap();
        }),
        ("another user's files", |state| {
            fs::create_dir_all(state.join("sessions")).unwrap();
            let _ = chown(state.join("sessions"), Some(UNKNOWN + 1), None);
            fs::set_permissions(state.join("sessions"), fs::Permissions::from_mode(0o777)).unwrap();
        }),
        ("a folder that takes no files", |state| {
            fs::create_dir_all(state.join("profiles")).unwrap();
            fs::set_permissions(state.join("profiles"), fs::Permissions::from_mode(0o555)).unwrap();
        }),
    ];
    for (what, prepare) in places {
        let world = World::new();
        let own = world.home.path().join("own");
        fs::create_dir(&own).unwrap();
        let state = own.join("between/state");
        prepare(&state);
        if let Ok(()) = chown(&own, Some(UNKNOWN), None) {
            for path in [own.join("between"), state.clone(), state.join("profiles")] {
                let _ = chown(&path, Some(UNKNOWN), None);
            }
        }
        let call = |arguments: &[&str]| {
            let call = world.cdse_of(UNKNOWN, arguments)?;
            Some(call.env("CDSE_STATE_DIR", &state).env("HOME", &own))
        };
        let Some(login) = call(&["auth", "login", "--username", USER, "--password-stdin"]) else { return };
        let login = login.stdin(crate::support::PASSWORD).run();
        assert!(login.code != Some(0), "{what}: {login:?}");
        let doctor = call(&["auth", "doctor", "--json"]).unwrap().run();
        let found = checks(&doctor.json(), "state folder");
        assert_eq!(found[0].0, "problem", "{what}: {found:?}");
        assert_eq!(doctor.code, login.code, "{what}: {found:?} {login:?}");
        // In the same words, but for names.
        let reason = login.stderr.lines().next().unwrap().rsplit(": ").next().unwrap();
        let reason = reason.rsplit('/').next().unwrap();
        assert!(found[0].1.contains(reason), "{what}: {found:?} {login:?}");
        assert_eq!(world.sandbox.counters().token_requests, 0);
    }
}

#[test]
fn field_f_a_full_disk_is_found() {
    let world = World::new();
    let disk = world.home.path().join("disk");
    fs::create_dir(&disk).unwrap();
    let mounted =
        std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&disk).output();
    if !mounted.is_ok_and(|done| done.status.success()) {
        return eprintln!("not run: no right to mount");
    }
    let doctor = || world.cdse(["auth", "doctor", "--json"]).env("CDSE_STATE_DIR", disk.join("state")).run();
    let before = doctor();
    let left = fs::read_dir(&disk).unwrap().count();
    // All of it, to the last byte.
    let mut full = fs::File::create(disk.join("full")).unwrap();
    while std::io::Write::write_all(&mut full, &[0; 512]).is_ok() {}
    drop(full);
    let after = doctor();
    let _ = std::process::Command::new("umount").arg(&disk).status();
    assert_eq!((before.code, left), (Some(0), 0), "{before:?}");
    let found = checks(&after.json(), "state folder");
    assert!(found[0].0 == "problem" && found[0].1.contains("No space left"), "{found:?}");
    assert_eq!(after.code, Some(7));
}

#[test]
fn field_f_a_try_leaves_nothing_and_disturbs_nobody() {
    let names = |folder: &std::path::Path| {
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let world = World::logged_in();
    let folders = [world.state(), world.state().join("sessions"), world.state().join("profiles")];
    let before: Vec<_> = folders.iter().map(|folder| names(folder)).collect();
    world.cdse(["auth", "doctor"]).run().ok();
    assert_eq!(folders.iter().map(|folder| names(folder)).collect::<Vec<_>>(), before);
    let elsewhere = world.home.path().join("a/b/state");
    world.cdse(["auth", "doctor"]).env("CDSE_STATE_DIR", &elsewhere).run().ok();
    assert!(!world.home.path().join("a").exists(), "the folders that were made for it are gone");
}

#[test]
fn field_f_a_variable_that_nothing_reads_is_named_with_the_one_that_was_meant() {
    let world = World::new();
    for (given, meant) in [
        ("CDSE_PASSWORT", "CDSE_PASSWORD"),
        ("CDSE_USER", "CDSE_USERNAME"),
        ("CDSE_PASS", "CDSE_PASSWORD"),
        ("CDSE_STATEDIR", "CDSE_STATE_DIR"),
        ("CDSE_TOTPSECRET", "CDSE_TOTP_SECRET"),
        ("CDSE_TOKEN", "CDSE_ACCESS_TOKEN"),
        ("CDSE_CLIENTID", "CDSE_CLIENT_ID"),
        ("cdse_username", "CDSE_USERNAME"),
        ("CSDE_USERNAME", "CDSE_USERNAME"),
        ("CDSE-PASSWORD", "CDSE_PASSWORD"),
    ] {
        let report = world.cdse(["auth", "doctor", "--json"]).env(given, "CANARY").run().ok().json();
        let found = checks(&report, "environment");
        let warning =
            found.iter().find(|(state, _)| state == "warning").unwrap_or_else(|| panic!("{given}: {found:?}"));
        assert!(
            warning.1.contains(given) && warning.1.ends_with(&format!("did you mean {meant}?")),
            "{given}: {found:?}"
        );
        assert!(!found[0].1.contains(given), "{given} is not said to be set: {found:?}");
    }
    let report = world.cdse(["auth", "doctor", "--json"]).env("CDSE_QQQQQQ", "x").run().ok().json();
    assert!(checks(&report, "environment")[1].1.ends_with("CDSE_QQQQQQ"), "{report}");
    // What is known is no reason to warn, and what belongs to others even less.
    let call = world.cdse(["auth", "doctor", "--json"]).env("CDSE_NO_INPUT", "1").env("CDSE_DOWNLOAD_URL", "x");
    let report = call.env("PASSWORD", "x").env("USERNAME", "x").run().ok().json();
    assert_eq!(checks(&report, "environment").len(), 1, "{report}");
}
