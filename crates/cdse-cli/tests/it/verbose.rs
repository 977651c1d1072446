//! `-v` and `-vv`.

use std::fs::File;

use cdse_sandbox::{Action, Fault};

use crate::rig::{Certificate, Habit, PROXY_PASSWORD, PROXY_USER, Rig};
use crate::support::{Done, MFA, PASSWORD, TOTP_SECRET, USER, World};

/// The lines of the log, without the others.
fn told(done: &Done) -> Vec<&str> {
    done.stderr.lines().filter(|line| line.starts_with("info: ") || line.starts_with("debug: ")).collect()
}

#[track_caller]
fn tells<'a>(done: &'a Done, text: &str) -> Vec<&'a str> {
    let lines: Vec<&str> = told(done).into_iter().filter(|line| line.contains(text)).collect();
    assert!(!lines.is_empty(), "{text:?} is not in {done:?}");
    lines
}

#[test]
fn p5_the_log_of_a_whole_session_holds_no_secret() {
    for scheme in ["http", "socks5h"] {
        let rig = Rig::new();
        let front = rig.front(Certificate::Good);
        let habit = Habit::WantsPassword;
        let proxy = if scheme == "http" { rig.http_proxy(&front, habit) } else { rig.socks_proxy(&front, habit) };
        let address = proxy.address;
        let proxy = format!("{scheme}://{PROXY_USER}:{PROXY_PASSWORD}@{address}");
        let code = rig.world.sandbox.totp_code(MFA).unwrap();
        let login = ["auth", "login", "-vv", "--username", MFA, "--password-stdin", "--totp", &code];
        // The calls look for passwords, proxy's passwords and tokens, those of before and of after.
        let mut seen = vec![rig.cdse(&proxy, login).stdin(PASSWORD).run().ok()];
        for command in ["token", "refresh", "token", "status", "logout", "logout"] {
            if command == "token" {
                rig.world.age(700);
            }
            seen.push(rig.cdse(&proxy, ["auth", command, "-vv"]).run().ok());
        }
        let secret =
            |call: crate::support::Call| call.env("CDSE_CLIENT_ID", "sh-client").env("CDSE_CLIENT_SECRET", "sh-secret");
        seen.push(secret(rig.cdse(&proxy, ["auth", "token", "-vv"])).run().ok());
        let user = rig.cdse(&proxy, ["-vv", "auth", "token"]).env("CDSE_USERNAME", USER).env("CDSE_PASSWORD", PASSWORD);
        seen.push(user.run().ok());
        let wrong = rig.cdse(&format!("{scheme}://{PROXY_USER}:CANARY@{address}"), ["auth", "logout", "-vv"]);
        seen.push(wrong.env("CDSE_USERNAME", USER).env("CDSE_PASSWORD", PASSWORD).run());
        for done in &seen {
            assert!(!told(done).is_empty(), "{done:?}");
            for secret in [code.as_str(), "Basic ", "grant_type", "refresh_token=", "eyJ"] {
                assert!(!done.stderr.contains(secret), "{secret} in {done:?}");
            }
            assert!(!done.stderr.to_lowercase().contains("authorization:"), "{done:?}");
        }
        tells(&seen[0], &format!("requests go through the proxy {scheme}://{address} (HTTPS_PROXY)"));
    }
}

#[test]
fn cli9_the_log_names_credential_store_requests_and_decisions() {
    let world = World::logged_in();
    world.age(700);
    let done = world.cdse(["auth", "token", "-vv"]).run().ok();
    tells(&done, "the credential is that of the profile default");
    tells(&done, world.session_file().to_str().unwrap());
    let address = format!("POST {}/protocol/openid-connect/token", world.sandbox.realm_url());
    assert_eq!(tells(&done, &address).len(), 1);
    let answer = tells(&done, "HTTP 200 after ")[0];
    assert!(answer.ends_with(" ms"), "{answer}");
    tells(&done, "renews the session");
    // What -v says is a part of it.
    world.age(700);
    let less = world.cdse(["auth", "token", "-v"]).run().ok();
    assert!(told(&less).len() < told(&done).len() && !less.stderr.contains("debug: "), "{less:?}");
    tells(&less, &address);
}

#[test]
fn cli9_the_log_says_that_a_token_is_fresh_and_nothing_else_was_done() {
    let rig = Rig::new();
    let proxy = format!("http://{}", rig.http_proxy(&rig.front(Certificate::Good), Habit::Pass).address);
    let login = rig.cdse(&proxy, ["auth", "login", "-vv", "--username", USER, "--password-stdin"]);
    tells(&login.stdin(PASSWORD).run().ok(), "reads the certificate authorities");
    let done = rig.cdse(&proxy, ["auth", "token", "-vv"]).run().ok();
    tells(&done, "the token is fresh");
    for expensive in ["certificate", "proxy", "POST", "lock"] {
        assert!(!done.stderr.contains(expensive), "{done:?}");
    }
}

#[test]
fn cli9_the_log_says_what_is_waited_for() {
    let world = World::logged_in();
    world.age(700);
    let headers = vec![("retry-after".to_owned(), "1".to_owned())];
    world.sandbox.script(Fault::token(Action::Answer { status: 503, headers, body: Vec::new() }));
    let done = world.cdse(["auth", "token", "-v"]).run().ok();
    tells(&done, "HTTP 503 after ");
    tells(&done, "waits for the next try (the identity service is temporarily unavailable (503)");
    world.age(700);
    let lock = File::create(world.session_file().with_extension("json.lock")).unwrap();
    lock.lock().unwrap();
    let mut call = world.cdse(["auth", "token", "-v"]);
    let mut child = call.spawn();
    let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("waits for another process, which holds the session's lock, at most ") {
        line.clear();
        assert!(std::io::BufRead::read_line(&mut stderr, &mut line).unwrap() > 0, "it ended without that");
    }
    drop(lock);
    assert!(child.wait().unwrap().success());
}

#[test]
fn cli9_the_log_changes_neither_stdout_nor_exit_codes() {
    let world = World::logged_in();
    let call = |arguments: &[&str]| world.cdse(arguments).run();
    for arguments in [
        &["auth", "token"][..],
        &["auth", "status", "--json"],
        &["auth", "token", "--profile", "nobody"],
        &["auth", "login", "--no-input", "--username", "x"],
        &["auth", "nothing"],
    ] {
        let plain = call(arguments);
        for switch in ["-v", "-vv", "-vvvv", "--verbose"] {
            let told = call(&[arguments, &[switch]].concat());
            assert_eq!((told.code, &told.stdout), (plain.code, &plain.stdout), "{arguments:?} {switch}");
            assert!(told.stderr.ends_with(&plain.stderr), "{arguments:?} {switch}: {told:?}");
        }
    }
    let world = World::new();
    let mfa = world.cdse_as(MFA, ["auth", "token", "-v"]).env("CDSE_TOTP_SECRET", TOTP_SECRET);
    mfa.run().token();
}
