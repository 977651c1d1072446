//! X2 with kill -9 at each system call of a renewal, a login and a logout, where refresh tokens work once.
//!
//! The test traces the command (ptrace) and kills it as it enters or leaves one system call after the other: of the
//! threads that do the work in the ordinary run, some of them; in the long form (`CDSE_TEST_LONG`) at each one of all.

use std::io::Write;
use std::process::{Child, Stdio};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use serde_json::Value;

use crate::support::{BINARY, Call, PASSWORD, USER, World};

fn long() -> bool {
    std::env::var_os("CDSE_TEST_LONG").is_some()
}

/// Kills the command at its `nth` stop; `false` if it ended before that.
fn is_killed(mut call: Call, nth: usize) -> bool {
    let arguments: Vec<_> = call.command.get_args().map(ToOwned::to_owned).collect();
    let environment: Vec<_> = call
        .command
        .get_envs()
        .filter_map(|(name, value)| value.map(|value| (name.to_owned(), value.to_owned())))
        .collect();
    // It waits until it is traced.
    let mut waiting = Call::new("/bin/sh", ["-c", "read -r go && exec \"$@\"", "sh", BINARY]);
    waiting.command.args(arguments).envs(environment);
    waiting.command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    call.command = waiting.command;
    let mut child = call.command.spawn().unwrap();
    trace(&mut child, nth)
}

fn trace(child: &mut Child, nth: usize) -> bool {
    let main = Pid::from_raw(child.id().try_into().unwrap());
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(main, options)
        .unwrap_or_else(|error| panic!("this test traces what it starts, and may not: {error}"));
    ptrace::interrupt(main).unwrap();
    child.stdin.take().unwrap().write_all(b"go\n").unwrap();
    let (mut begun, mut stops, mut killed) = (false, 0, false);
    loop {
        // Of this thread's children alone: other tests wait for theirs.
        let status = waitpid(None, Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)).unwrap();
        let (stopped, signal) = match status {
            WaitStatus::Exited(pid, _) | WaitStatus::Signaled(pid, ..) if pid == main => return killed,
            WaitStatus::PtraceSyscall(pid) => {
                if begun && (long() || pid != main) {
                    stops += 1;
                    if stops == nth {
                        killed = true;
                        kill(main, Signal::SIGKILL).unwrap();
                    }
                }
                (pid, None)
            }
            WaitStatus::PtraceEvent(pid, _, event) => {
                begun |= event == nix::libc::PTRACE_EVENT_EXEC;
                (pid, None)
            }
            WaitStatus::Stopped(pid, signal) => (pid, Some(signal)),
            _ => continue,
        };
        match ptrace::syscall(stopped, signal) {
            // It is dead already.
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => panic!("{error}"),
        }
    }
}

/// One kill after the other, until the command comes to its end. How many there were.
fn kill_everywhere(call: impl Fn() -> Call, mut check: impl FnMut(&str)) {
    let (mut nth, mut kills) = (1, 0);
    while is_killed(call(), nth) {
        check(&format!("killed at {nth}"));
        kills += 1;
        // A prime, so that both entering and leaving are met.
        nth += if long() { 1 } else { 11 };
    }
    check("not killed");
    assert!(kills >= 15, "{kills} kills");
}

fn one_time() -> World {
    World::with(|config| {
        config.rotation = cdse_sandbox::Rotation::OneTime;
        config.session_limit = None;
    })
}

fn stored(world: &World) -> Value {
    let text = std::fs::read(world.session_file()).unwrap();
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("a torn record: {error}"))
}

#[test]
fn x2_a_renewal_that_is_killed_anywhere_loses_the_session_only_with_the_answer() {
    let world = one_time();
    world.log_in();
    let mut old = world.stored_refresh_token();
    let mut lost = 0;
    world.sandbox.clear_log();
    kill_everywhere(
        || world.cdse(["auth", "refresh"]),
        |what| {
            let record = stored(&world);
            let is_new = record["tokens"]["refresh_token"] != old.as_str();
            let is_suspect = record["suspect"].is_object();
            assert!(!is_new || !is_suspect, "{what}: {record}");
            // The lock is free, and the access token serves.
            world.cdse(["auth", "token"]).run().token();
            world.cdse(["auth", "status", "--json"]).run().ok().json();
            let sent = world.sandbox.counters().token_requests;
            assert!(sent <= 1 && (sent == 0 || is_new || is_suspect), "what was sent is known: {what}: {record}");
            // When it is nearly over, the session is renewed, unless the answer is lost.
            world.age(590);
            let done = world.cdse(["auth", "token"]).run();
            let counters = world.sandbox.counters();
            assert_eq!((counters.password_grants, counters.token_requests), (0, sent + 1), "{what}: {counters:?}");
            if counters.reuse_detected == 0 {
                assert_eq!(done.code, Some(0), "{what}: {done:?}");
            } else {
                assert!(is_suspect && !is_new, "{what}: {record}");
                lost += 1;
                // The last seconds of the token that is left are served.
                assert!(matches!(done.code, Some(0 | 4)), "{what}: {done:?}");
                world.age(20);
                world.cdse(["auth", "token"]).run().exits(4).says("cdse auth login");
                assert_eq!(world.sandbox.counters().token_requests, 2, "an ended session is not asked about again");
                world.log_in();
            }
            old = world.stored_refresh_token();
            world.sandbox.clear_log();
        },
    );
    let names = std::fs::read_dir(world.state().join("sessions")).unwrap();
    let names: Vec<_> = names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    world.cdse(["auth", "logout"]).run().ok();
    let after = std::fs::read_dir(world.state().join("sessions")).unwrap().count();
    assert!(after <= 2, "a logout clears away what the dead have left: {names:?}");
    assert!(lost > 0, "between the answer and its saving is where a session is lost");
}

#[test]
fn x2_a_logout_that_is_killed_anywhere_can_be_done_again() {
    let world = one_time();
    world.log_in();
    kill_everywhere(
        || world.cdse(["auth", "logout"]),
        |what| {
            let open = world.sandbox.counters().sessions_open;
            let record = stored(&world);
            // Ended at the service first: what is open there is known here.
            assert!(open == 0 || record["tokens"].is_object(), "{what}: {record}");
            world.cdse(["auth", "status", "--json"]).run();
            let again = world.cdse(["auth", "logout"]).run();
            assert!(matches!(again.code, Some(0 | 4)), "{what}: {again:?}");
            assert_eq!(world.sandbox.counters().sessions_open, 0, "{what}: {again:?}");
            assert!(stored(&world)["tokens"].is_null(), "{what}");
            world.cdse(["auth", "token"]).run().exits(4);
            world.log_in();
            assert_eq!(world.sandbox.counters().reuse_detected, 0);
        },
    );
}

#[test]
fn x2_a_login_that_is_killed_anywhere_leaves_at_most_one_session_behind() {
    let world = one_time();
    let call = || {
        let call = world.cdse(["auth", "login"]);
        call.env("CDSE_USERNAME", USER).env("CDSE_PASSWORD", PASSWORD)
    };
    kill_everywhere(call, |what| {
        let files = world.session_files();
        let record = if files.is_empty() { Value::Null } else { stored(&world) };
        let (is_stored, is_suspect) = (record["tokens"].is_object(), record["suspect"].is_object());
        if is_suspect && !is_stored {
            // What a login that was broken off holds back is over a minute later.
            let mut earlier = record.clone();
            earlier["suspect"]["since"] = (record["suspect"]["since"].as_i64().unwrap() - 60_000).into();
            std::fs::write(world.session_file(), earlier.to_string()).unwrap();
        }
        world.cdse_as(USER, ["auth", "token"]).run().token();
        let counters = world.sandbox.counters();
        let most = if is_suspect && !is_stored { 2 } else { 1 };
        assert!(counters.token_requests <= most, "{what}: {counters:?}: {record}");
        world.cdse_as(USER, ["auth", "token"]).run().token();
        assert_eq!(world.sandbox.counters(), counters, "{what}");
        std::fs::remove_dir_all(world.state()).unwrap();
        world.sandbox.restart();
        world.sandbox.clear_log();
    });
}
