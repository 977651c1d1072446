//! What processes with different wants see of each other (rule W).

use std::process::Child;
use std::time::Duration;

use cdse_sandbox::{Action, Fault, Rotation};
use rustix::process::{Pid, Signal, kill_process};

use crate::processes::has_thread;
use crate::support::{Call, MFA, TOTP_SECRET, World, until};

const PROCESSES: usize = 50;

fn one_time(age: i64) -> World {
    let world = World::with(|config| config.rotation = Rotation::OneTime);
    world.log_in();
    world.age(age);
    world.sandbox.clear_log();
    world
}

/// All of them have begun when the first one may send something.
fn released_at_once(world: &World, calls: impl IntoIterator<Item = Call>) -> Vec<(Call, Child)> {
    let lock = std::fs::File::open(world.session_file().with_extension("json.lock")).unwrap();
    lock.lock().unwrap();
    let running: Vec<(Call, Child)> = calls
        .into_iter()
        .map(|mut call| {
            let child = call.spawn();
            (call, child)
        })
        .collect();
    for (_, child) in &running {
        until("it is about to renew", || has_thread(child, "cdse-auth"));
    }
    running
}

#[test]
fn w_fifty_processes_that_want_another_token_at_once_all_get_one() {
    for words in
        [&["auth", "token", "--force-refresh"][..], &["auth", "refresh"], &["auth", "token", "--min-validity", "590s"]]
    {
        let world = one_time(100);
        world.sandbox.script(Fault::token(Action::DelayAnswer(Duration::from_secs(2))).always());
        let running = released_at_once(&world, (0..PROCESSES).map(|_| world.cdse(words)));
        for (call, child) in running {
            call.wait(child).ok();
        }
        let counters = world.sandbox.counters();
        assert!((1..=2).contains(&counters.token_requests), "{words:?}: {counters:?}");
        assert_eq!((counters.reuse_detected, counters.sessions_open), (0, 1), "{words:?}");
    }
}

#[test]
fn w_fifty_cold_starts_with_one_totp_secret_share_one_login() {
    let world = World::new();
    world.sandbox.script(Fault::token(Action::DelayAnswer(Duration::from_millis(500))).always());
    let running: Vec<(Call, Child)> = (0..PROCESSES)
        .map(|_| {
            let mut call = world.cdse_as(MFA, ["auth", "token"]).env("CDSE_TOTP_SECRET", TOTP_SECRET);
            let child = call.spawn();
            (call, child)
        })
        .collect();
    for (call, child) in running {
        call.wait(child).token();
    }
    let counters = world.sandbox.counters();
    assert_eq!((counters.logins_ok, counters.token_requests, counters.totp_reused), (1, 1, 0), "{counters:?}");
}

/// The holder of the lock is stopped in the middle of its exchange: whoever has a valid token uses it, and all others are
/// served once it goes on.
#[test]
fn w_a_stopped_holder_of_the_lock_fails_nobody() {
    let world = one_time(490);
    world.sandbox.script(Fault::token(Action::DelayAnswer(Duration::from_millis(300))).always());
    let mut call = world.cdse(["auth", "token", "--force-refresh"]);
    let holder = call.spawn();
    until("it is at the exchange", || world.sandbox.counters().token_requests == 1);
    let pid = Pid::from_child(&holder);
    kill_process(pid, Signal::STOP).unwrap();
    world.cdse(["auth", "token"]).run().token();
    let waiting: Vec<(Call, Child)> = [&["auth", "refresh"][..], &["auth", "token", "--min-validity", "300s"]]
        .into_iter()
        .map(|words| {
            let mut call = world.cdse(words);
            let child = call.spawn();
            (call, child)
        })
        .collect();
    for (_, child) in &waiting {
        until("it waits for the lock", || has_thread(child, "cdse-auth"));
    }
    kill_process(pid, Signal::CONT).unwrap();
    call.wait(holder).token();
    for (call, child) in waiting {
        call.wait(child).ok();
    }
    let counters = world.sandbox.counters();
    assert_eq!((counters.reuse_detected, counters.sessions_open), (0, 1), "{counters:?}");
}

/// A process that was killed in an exchange: only who asks for another token is told that the answer is lost, and when
/// that changes; everybody else is served.
#[test]
fn w_a_killed_holder_of_the_lock_is_judged_once() {
    let world = one_time(100);
    world.sandbox.script(Fault::token(Action::Stall { processed: true }));
    let mut call = world.cdse(["auth", "refresh"]);
    let mut holder = call.spawn();
    until("it is at the exchange", || world.sandbox.counters().token_requests == 1);
    holder.kill().unwrap();
    holder.wait().unwrap();
    world.cdse(["auth", "token"]).run().token();
    world.cdse(["auth", "token", "--min-validity", "590s"]).run().token();
    let done = world.cdse(["auth", "refresh"]).run();
    assert_eq!(done.code, Some(5), "{done:?}");
    assert!(done.stderr.contains("is valid for"), "{done:?}");
    assert_eq!(world.sandbox.counters().token_requests, 1, "what may be spent rests");
}
