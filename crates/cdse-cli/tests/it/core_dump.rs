//! What the system may keep of a process that holds tokens.

use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use cdse_sandbox::{Action, Fault};
use nix::sys::resource::{Resource, getrlimit};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{BINARY, Call, World, until};

/// As `program`, where core dumps are allowed.
fn with_core_dumps(world: &World, program: &[&str]) -> Call {
    let shell = ["-c", "ulimit -c unlimited 2>/dev/null || ulimit -c $(ulimit -H -c); exec \"$@\"", "sh"];
    let mut call = Call::new("/bin/sh", shell.iter().chain(program)).env("PATH", "/usr/bin:/bin");
    call.command.current_dir(world.home.path());
    call.env("HOME", world.home.path())
        .env("CDSE_STATE_DIR", world.state())
        .env("CDSE_IDENTITY_URL", world.sandbox.realm_url())
}

fn quit(mut child: Child) -> ExitStatus {
    kill_process(Pid::from_child(&child), Signal::QUIT).unwrap();
    child.wait().unwrap()
}

#[test]
fn p5_no_core_dump_is_written() {
    let world = World::logged_in();
    world.age(700);
    world.sandbox.clear_log();
    world.sandbox.script(Fault::token(Action::DelayAnswer(Duration::from_secs(60))));
    let child = with_core_dumps(&world, &[BINARY, "auth", "token"]).spawn();
    until("it has the tokens in memory", || world.sandbox.counters().token_requests == 1);
    let ended = quit(child);
    assert_eq!((ended.signal(), ended.core_dumped()), (Some(3), false));
    let files: Vec<_> = std::fs::read_dir(world.home.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["state"]);

    // What another program leaves, so that the above says something. A machine may allow no core dump to anybody.
    let other = with_core_dumps(&world, &["sleep", "60"]).spawn();
    until("the shell is gone", || command_of(&other).starts_with("sleep"));
    let allowed = getrlimit(Resource::RLIMIT_CORE).unwrap().1 > 0 && !pattern_is_a_program();
    assert!(quit(other).core_dumped() || !allowed);
}

fn command_of(child: &Child) -> String {
    std::fs::read_to_string(format!("/proc/{}/comm", child.id())).unwrap_or_default()
}

/// A program that core dumps are handed to may not be there.
fn pattern_is_a_program() -> bool {
    std::fs::read_to_string("/proc/sys/kernel/core_pattern").is_ok_and(|pattern| pattern.starts_with('|'))
}

#[test]
fn p5_what_is_run_may_leave_core_dumps() {
    let world = World::new();
    let run = [BINARY, "sandbox", "run", "--", "/bin/sh", "-c", "ulimit -c"];
    let done = with_core_dumps(&world, &run).run().ok();
    let limit = getrlimit(Resource::RLIMIT_CORE).unwrap().1;
    assert!(done.stdout.trim() != "0" || limit == 0, "{done:?}");
}
