use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Child;
use std::time::Duration;

use cdse_judge::Random;
use cdse_sandbox::{Action, Endpoint, Fault, Grant, Rotation};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{BINARY, Call, MFA, PASSWORD, USER, World, until};

fn one_time() -> World {
    let world = World::with(|config| config.rotation = Rotation::OneTime);
    world.log_in();
    world
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(child.id().try_into().unwrap()).unwrap(), signal).unwrap();
}

/// All of them are there when the first one may send something.
#[test]
fn x1_256_processes_at_one_expiry_send_one_request() {
    let world = one_time();
    let old = world.cdse(["auth", "token"]).run().token();
    world.age(700);
    world.sandbox.clear_log();
    let lock = std::fs::File::open(world.session_file().with_extension("json.lock")).unwrap();
    lock.lock().unwrap();
    let running: Vec<(Call, Child)> = (0..256)
        .map(|_| {
            let mut call = world.cdse(["auth", "token"]);
            let child = call.spawn();
            (call, child)
        })
        .collect();
    for (_, child) in &running {
        until("it is about to renew", || has_thread(child, "cdse-auth"));
    }
    drop(lock);
    let mut tokens: Vec<String> = running.into_iter().map(|(call, child)| call.wait(child).token()).collect();
    assert_eq!(tokens.len(), 256);
    tokens.dedup();
    assert_eq!(tokens.len(), 1);
    assert_ne!(tokens[0], old);
    let counters = world.sandbox.counters();
    assert_eq!((counters.token_requests, counters.refreshes_ok, counters.reuse_detected), (1, 1, 0));
}

#[test]
fn x1_processes_with_the_same_credentials_share_one_session() {
    let world = World::new();
    world.sandbox.script(Fault::token(Action::Delay(Duration::from_millis(200))));
    let running: Vec<(Call, Child)> = (0..16)
        .map(|_| {
            let mut call = world.cdse_as(USER, ["auth", "token"]);
            let child = call.spawn();
            (call, child)
        })
        .collect();
    for (call, child) in running {
        call.wait(child).token();
    }
    let counters = world.sandbox.counters();
    assert_eq!((counters.token_requests, counters.sessions_open), (1, 1));
}

/// A renewal that is under way is finished and saved; then the process ends as the signal asked for.
#[test]
fn x2_signals_lose_nothing_where_tokens_are_one_time() {
    let world = one_time();
    for (sent, code) in [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)] {
        world.age(700);
        world.sandbox.clear_log();
        let fault = Fault::token(Action::DelayAnswer(Duration::from_millis(400))).grant(Grant::RefreshToken);
        world.sandbox.script(fault);
        let before = world.stored_refresh_token();
        let mut call = world.cdse(["auth", "token"]);
        let child = call.spawn();
        until("the service has renewed the token", || world.sandbox.counters().refreshes_ok == 1);
        signal(&child, sent);
        let done = call.wait(child).prints_nothing();
        assert_eq!((done.code, done.stderr.as_str()), (Some(code), ""));
        assert_ne!(world.stored_refresh_token(), before);
    }
    world.age(700);
    world.cdse(["auth", "token"]).run().token();
    assert_eq!((world.sandbox.counters().reuse_detected, world.sandbox.counters().sessions_open), (0, 1));
}

/// 16 processes, a signal at any moment of each, a hundred renewals.
#[test]
fn x2_signals_at_random_lose_nothing_in_a_hundred_renewals() {
    const RENEWALS: u64 = 100;
    let world = one_time();
    world.sandbox.clear_log();
    let mut chance = Random::new(5);
    for _ in 0..RENEWALS {
        world.age(700);
        let calls: Vec<_> = (0..16)
            .map(|_| {
                let mut call = world.cdse(["auth", "token"]);
                let child = call.spawn();
                (call, child)
            })
            .collect();
        for (nth, (_, child)) in calls.iter().enumerate() {
            std::thread::park_timeout(Duration::from_micros(chance.below(1500)));
            // It may have ended before.
            let _ = kill_process(Pid::from_child(child), [Signal::TERM, Signal::INT, Signal::HUP][nth % 3]);
        }
        for (call, child) in calls {
            let done = call.wait(child);
            assert!(matches!(done.code, None | Some(0 | 129 | 130 | 143)), "{done:?}");
        }
        world.cdse(["auth", "token"]).run().token();
    }
    let counters = world.sandbox.counters();
    assert_eq!((counters.refreshes_ok, counters.reuse_detected, counters.token_requests), (RENEWALS, 0, RENEWALS));
    assert_eq!(counters.sessions_open, 1);
}

#[test]
fn x2_a_login_that_is_interrupted_is_finished_and_found_again() {
    let world = World::new();
    world.sandbox.script(Fault::token(Action::DelayAnswer(Duration::from_millis(300))));
    let mut call = world.cdse_as(USER, ["auth", "login"]);
    let child = call.spawn();
    until("the service has opened a session", || world.sandbox.counters().logins_ok == 1);
    signal(&child, Signal::TERM);
    assert_eq!(call.wait(child).code, Some(143));
    // Whoever asks next finds it.
    world.cdse_as(USER, ["auth", "token"]).run().token();
    assert_eq!(world.sandbox.counters().token_requests, 1);
}

#[test]
fn x2_a_login_that_is_interrupted_is_the_profiles() {
    let world = World::new();
    world.sandbox.script(Fault::token(Action::DelayAnswer(Duration::from_millis(300))));
    let mut call = world.cdse(["auth", "login", "--username", USER, "--password-stdin"]).stdin(PASSWORD);
    let child = call.spawn();
    until("the service has opened a session", || world.sandbox.counters().logins_ok == 1);
    signal(&child, Signal::TERM);
    assert_eq!(call.wait(child).code, Some(143));
    world.cdse(["auth", "token"]).run().token();
    world.cdse(["auth", "logout"]).run().ok();
    assert_eq!((world.sandbox.counters().logins_ok, world.sandbox.counters().sessions_open), (1, 0));
}

#[test]
fn x2_a_logout_that_is_interrupted_is_finished() {
    let world = World::logged_in();
    world.sandbox.script(Fault::new(Endpoint::Logout, Action::DelayAnswer(Duration::from_millis(300))));
    let mut call = world.cdse(["auth", "logout"]);
    let child = call.spawn();
    until("the service has ended the session", || world.sandbox.counters().sessions_open == 0);
    signal(&child, Signal::TERM);
    // It may be done before the signal's handler is.
    assert!(matches!(call.wait(child).code, Some(143 | 0)));
    world.cdse(["auth", "token"]).run().exits(4);
    assert!(!std::fs::read_to_string(world.session_file()).unwrap().contains("refresh_token"));
    assert!(!world.profile_file("default").exists());
}

#[test]
fn x2_no_exchange_begins_after_a_signal() {
    let world = one_time();
    world.age(700);
    world.sandbox.clear_log();
    // Not processed, and to be asked again some seconds later.
    world.sandbox.script(Fault::token(Action::page(503)).always());
    let mut call = world.cdse(["auth", "token"]);
    let child = call.spawn();
    until("the service was asked", || world.sandbox.counters().token_requests == 1);
    signal(&child, Signal::TERM);
    let done = call.wait(child);
    assert!(matches!(done.code, Some(143)), "{done:?}");
    assert_eq!(world.sandbox.counters().token_requests, 1);
}

#[test]
fn x2_a_second_signal_ends_at_once() {
    let world = one_time();
    world.age(700);
    world.sandbox.clear_log();
    world.sandbox.script(Fault::token(Action::Stall { processed: false }));
    let mut call = world.cdse(["auth", "token"]);
    let child = call.spawn();
    until("the service was asked", || world.sandbox.counters().token_requests == 1);
    signal(&child, Signal::TERM);
    until("the first signal was taken", || pending(&child) == 0);
    signal(&child, Signal::TERM);
    assert_eq!(call.wait(child).code, Some(143));
    // The exchange, which would have ended by itself after twenty seconds, was not waited for: it did not leave a trace.
    let record = std::fs::read_to_string(world.session_file()).unwrap();
    assert!(record.contains("suspect") && !record.contains("hold"), "{record}");
}

/// Whether a thread of that name runs.
pub(crate) fn has_thread(child: &Child, name: &str) -> bool {
    let Ok(tasks) = std::fs::read_dir(format!("/proc/{}/task", child.id())) else { return false };
    tasks
        .filter_map(Result::ok)
        .any(|task| std::fs::read_to_string(task.path().join("comm")).is_ok_and(|comm| comm.trim_end() == name))
}

const ENDING: [(Signal, i32); 3] = [(Signal::TERM, 143), (Signal::INT, 130), (Signal::HUP, 129)];

/// Before the lock: somebody is asked for a code, and nothing is at stake.
#[test]
fn x2_a_signal_ends_who_waits_for_a_code() {
    for (sent, code) in ENDING {
        let world = World::new();
        let asked = world.home.path().join("asked");
        let script = world.home.path().join("ask");
        std::fs::write(&script, format!("touch '{}'\nexec sleep 20\n", asked.display())).unwrap();
        let command = format!("/bin/sh {}", script.display());
        let mut call =
            world.cdse_as(MFA, ["auth", "token"]).env("CDSE_TOTP_COMMAND", command).env("PATH", "/usr/bin:/bin");
        let child = call.spawn();
        until("it is asked for a code", || asked.exists());
        signal(&child, sent);
        let mut child = child;
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert_eq!(world.sandbox.counters().token_requests, 0);
    }
}

#[test]
fn x2_a_signal_ends_who_waits_for_the_lock() {
    for (sent, code) in ENDING {
        let world = one_time();
        world.age(700);
        world.sandbox.clear_log();
        let before = world.stored_refresh_token();
        let lock = std::fs::File::open(world.session_file().with_extension("json.lock")).unwrap();
        lock.lock().unwrap();
        let mut call = world.cdse(["auth", "token"]);
        let child = call.spawn();
        until("it is about to renew", || has_thread(&child, "cdse-auth"));
        signal(&child, sent);
        let done = call.wait(child).prints_nothing();
        assert_eq!((done.code, done.stderr.as_str()), (Some(code), ""));
        assert_eq!((world.sandbox.counters().token_requests, world.stored_refresh_token()), (0, before));
        drop(lock);
        world.cdse(["auth", "token"]).run().token();
    }
}

#[test]
fn x2_a_signal_while_the_request_is_on_its_way_loses_nothing() {
    for (sent, code) in ENDING {
        let world = one_time();
        world.age(700);
        world.sandbox.clear_log();
        world.sandbox.script(Fault::token(Action::Delay(Duration::from_millis(300))));
        let before = world.stored_refresh_token();
        let mut call = world.cdse(["auth", "token"]);
        let child = call.spawn();
        until("the request is there", || world.sandbox.counters().token_requests == 1);
        signal(&child, sent);
        assert_eq!(call.wait(child).prints_nothing().code, Some(code));
        assert_eq!(world.sandbox.counters().refreshes_ok, 1);
        assert_ne!(world.stored_refresh_token(), before);
        world.cdse(["auth", "token", "--force-refresh"]).run().token();
        assert_eq!(world.sandbox.counters().reuse_detected, 0);
    }
}

/// The answer has come; as soon as something new lies beside the record the signal is sent.
#[test]
fn x2_a_signal_while_the_token_is_saved_loses_nothing() {
    for (sent, _) in ENDING {
        let world = one_time();
        world.age(700);
        world.sandbox.clear_log();
        let before = world.stored_refresh_token();
        let folder = world.session_file().parent().unwrap().to_owned();
        let files = || std::fs::read_dir(&folder).unwrap().count();
        let at_rest = files();
        let mut call = world.cdse(["auth", "token"]);
        let child = call.spawn();
        while world.sandbox.counters().refreshes_ok == 0 {
            std::thread::yield_now();
        }
        // It may be over before this sees it: then the signal comes a moment later.
        while files() == at_rest && world.stored_refresh_token() == before && state(&child) != 'Z' {
            std::thread::yield_now();
        }
        signal(&child, sent);
        let code = call.wait(child).code;
        assert!(matches!(code, Some(0 | 129 | 130 | 143)), "{code:?}");
        assert_ne!(world.stored_refresh_token(), before);
        world.cdse(["auth", "token", "--force-refresh"]).run().token();
        assert_eq!((world.sandbox.counters().reuse_detected, world.sandbox.counters().sessions_open), (0, 1));
    }
}

/// Whoever reads its output does not: the token is saved, and what is printed is all or nothing.
#[test]
fn x2_a_signal_while_the_token_is_printed_loses_nothing() {
    const PIPE: usize = 1 << 16;
    for (sent, code) in ENDING {
        let world = one_time();
        world.age(700);
        world.sandbox.clear_log();
        let before = world.stored_refresh_token();
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(&[b' '; PIPE]).unwrap();
        let mut call = world.cdse(["auth", "token"]);
        call.command.stdout(writer);
        let mut child = call.spawn();
        until("the token is saved", || world.stored_refresh_token() != before && state(&child) == 'S');
        until("no renewal runs", || !has_thread(&child, "cdse-auth"));
        signal(&child, sent);
        assert_eq!(child.wait().unwrap().code(), Some(code));
        drop(call);
        let mut printed = Vec::new();
        reader.read_to_end(&mut printed).unwrap();
        assert_eq!(printed.len(), PIPE, "a part of the token was printed");
        world.cdse(["auth", "token"]).run().token();
        assert_eq!((world.sandbox.counters().token_requests, world.sandbox.counters().reuse_detected), (1, 0));
    }
}

/// `nohup` and its like chose that a signal does nothing.
#[test]
fn x2_a_signal_that_was_ignored_stays_ignored() {
    let world = one_time();
    world.age(700);
    world.sandbox.clear_log();
    world.sandbox.script(Fault::token(Action::DelayAnswer(Duration::from_millis(300))));
    let mut call = world.cdse(["auth", "token"]);
    let environment: Vec<_> =
        call.command.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
    let script = format!("trap '' HUP; exec {BINARY} auth token");
    call.command = Call::new("/bin/sh", ["-c", &script]).command;
    call.command.envs(environment.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))));
    let child = call.spawn();
    until("the service has renewed the token", || world.sandbox.counters().refreshes_ok == 1);
    signal(&child, Signal::HUP);
    call.wait(child).token();
}

/// Ctrl-Z stops the process between exchanges, never within one.
#[test]
fn s3_a_stop_waits_for_the_exchange() {
    let world = one_time();
    world.age(700);
    world.sandbox.clear_log();
    world.sandbox.script(Fault::token(Action::DelayAnswer(Duration::from_millis(300))));
    let before = world.stored_refresh_token();
    let mut call = world.cdse(["auth", "token"]);
    let child = call.spawn();
    until("the service has renewed the token", || world.sandbox.counters().refreshes_ok == 1);
    signal(&child, Signal::TSTP);
    // It stops, or is done before it could; what it asked for is saved in either case.
    until("it stops or ends", || matches!(state(&child), 'T' | 'Z'));
    assert_ne!(world.stored_refresh_token(), before);
    signal(&child, Signal::CONT);
    call.wait(child).token();
}

#[test]
fn x2_a_kill_leaves_no_lock_behind() {
    let world = World::logged_in();
    world.age(700);
    world.sandbox.clear_log();
    world.sandbox.script(Fault::token(Action::Stall { processed: false }));
    let mut call = world.cdse(["auth", "token"]);
    let mut child = call.spawn();
    until("the service was asked", || world.sandbox.counters().token_requests == 1);
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    let mut rest = Vec::new();
    child.stdout.take().unwrap().read_to_end(&mut rest).unwrap();
    assert!(rest.is_empty());
    world.cdse(["auth", "token"]).run().token();
}

/// A token that is fresh is printed without a request, a thread or a signal handler.
#[test]
fn m1_a_fresh_token_costs_no_request() {
    let world = World::logged_in();
    let connections = world.sandbox.counters().connections;
    for _ in 0..3 {
        world.cdse(["auth", "token"]).run().token();
    }
    assert_eq!(world.sandbox.counters().connections, connections);
}

fn field(child: &Child, name: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim().to_owned()
}

fn state(child: &Child) -> char {
    field(child, "State:").chars().next().unwrap_or('Z')
}

fn pending(child: &Child) -> u64 {
    u64::from_str_radix(&field(child, "ShdPnd:"), 16).unwrap_or(0)
}
