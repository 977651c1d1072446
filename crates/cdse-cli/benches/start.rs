//! What a call of `cdse auth token` and of `cdse --help` costs, beside a program that does nothing: `cargo bench -p cdse-cli`.
//!
//! Wall time of whole processes, in turns, so that other work on the machine meets both. Nothing is asserted: a figure
//! is for people.
#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a program that measures real time and prints it"
)]

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cdse_sandbox::{Action, Config, Fault, Lifetimes, Sandbox};
use nix::sys::resource::{UsageWho, getrusage};

const BINARY: &str = env!("CARGO_BIN_EXE_cdse");
const RUNS: usize = 300;
const PROCESSES: usize = 256;
/// How long an answer takes: so long that what is a matter of round trips can be told from what is not.
const ANSWER: Duration = Duration::from_millis(150);

fn main() {
    if let Some(program) = std::env::var_os("CDSE_BENCH_MEMORY") {
        return memory_of(Command::new(program).args(["auth", "token"]));
    }
    let home = tempfile::tempdir().expect("a folder");
    let sandbox = Sandbox::start(Config::default()).expect("a port");
    let cdse = || cdse(&sandbox, home.path());
    log_in(cdse().args(["auth", "login", "--username", "user@example.com", "--password-stdin"]));
    let empty = empty_program(home.path());

    let (mut nothing, mut token, mut help) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        nothing.push(time(&mut Command::new(&empty)));
        token.push(time(cdse().args(["auth", "token"])));
        help.push(time(cdse().arg("--help")));
    }
    let (nothing, token, help) = (figures(nothing), figures(token), figures(help));
    println!("an empty program:       {:.2} ms at best, {:.2} ms as a rule", nothing.0, nothing.1);
    println!("a stored, fresh token:  {:.2} ms at best, {:.2} ms as a rule", token.0, token.1);
    println!("that is {:.2} x at best, {:.2} x as a rule", token.0 / nothing.0, token.1 / nothing.1);
    println!("cdse --help:            {:.2} ms at best, {:.2} ms as a rule", help.0, help.1);
    println!("that is {:.2} x at best, {:.2} x as a rule", help.0 / nothing.0, help.1 / nothing.1);
    for (name, program) in [("an empty program", empty.as_path()), ("a stored, fresh token", Path::new(BINARY))] {
        let this = std::env::current_exe().expect("this program");
        let mut helper = with_program(&cdse(), &this);
        helper.env("CDSE_BENCH_MEMORY", program);
        print!("memory of {name}, at most: ");
        std::io::stdout().flush().expect("a terminal");
        assert!(helper.stdout(Stdio::inherit()).status().expect("a helper").success());
    }
    exec(&empty, &cdse);
    one_expired_token(&sandbox, home.path(), &cdse);
    another_token(&sandbox, home.path(), &cdse);
}

/// Fifty that want another token, all waiting when the first may send, into an exchange of 2 s: the last one has its token
/// within 1.3 exchanges and the time to start fifty processes.
fn another_token(sandbox: &Sandbox, home: &Path, cdse: &dyn Fn() -> Command) {
    const ANOTHER: usize = 50;
    let answer = Duration::from_secs(2);
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let start = Instant::now();
    let children: Vec<_> = (0..ANOTHER).map(|_| cdse().args(["auth", "token"]).spawn().expect("a process")).collect();
    children.into_iter().for_each(|mut child| assert!(child.wait().expect("an end").success()));
    let starting = start.elapsed();
    sandbox.script(Fault::token(Action::DelayAnswer(answer)).always());
    let before = sandbox.counters().token_requests;
    let lock = lock(home);
    let children: Vec<_> =
        (0..ANOTHER).map(|_| cdse().args(["auth", "token", "--force-refresh"]).spawn().expect("a process")).collect();
    std::thread::sleep(Duration::from_secs(1));
    let start = Instant::now();
    drop(lock);
    let served = children
        .into_iter()
        .map(|mut child| child.wait().expect("an end"))
        .filter(std::process::ExitStatus::success)
        .count();
    let last = start.elapsed();
    sandbox.clear_faults();
    println!(
        "{ANOTHER} processes that want another token, an exchange of {:.0} ms: {} request(s), {served} served, the last after \
         {:.0} ms ({:.0} ms to start {ANOTHER}; 1.3 exchanges and that: {:.0} ms)",
        millis(answer),
        sandbox.counters().token_requests - before,
        millis(last),
        millis(starting),
        millis(answer.mul_f64(1.3) + starting)
    );
}

fn cdse(sandbox: &Sandbox, home: &Path) -> Command {
    let mut command = Command::new(BINARY);
    command
        .env_clear()
        .env("HOME", home)
        .env("CDSE_STATE_DIR", home.join("state"))
        .env("CDSE_IDENTITY_URL", sandbox.realm_url())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    command
}

/// Another program in the same environment.
fn with_program(of: &Command, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().envs(of.get_envs().filter_map(|(name, value)| value.map(|value| (name, value))));
    command
}

fn log_in(command: &mut Command) {
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the binary");
    child.stdin.take().expect("a pipe").write_all(b"s3cret!").expect("it reads");
    assert!(child.wait().expect("an end").success(), "the login failed");
}

fn empty_program(folder: &Path) -> PathBuf {
    let (source, program) = (folder.join("empty.rs"), folder.join("empty"));
    std::fs::write(&source, "fn main() {}").expect("a file");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let options = ["-O", "--edition=2024", "-Cpanic=abort", "-Cstrip=symbols", "-o"];
    let done = Command::new(rustc).args(options).arg(&program).arg(&source).status().expect("rustc");
    assert!(done.success(), "the empty program was not built");
    program
}

fn time(command: &mut Command) -> Duration {
    let start = Instant::now();
    let done = command.status().expect("a process");
    let took = start.elapsed();
    assert!(done.success(), "{command:?}: {done}");
    took
}

/// Least and median, in ms.
fn figures(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort();
    let millis = |nth: usize| times[nth].as_secs_f64() * 1e3;
    (millis(0), millis(times.len() / 2))
}

/// The largest resident set of a child; this process is small itself, for the system counts it up to the child's start.
fn memory_of(command: &mut Command) {
    assert!(command.stdout(Stdio::null()).status().expect("a process").success());
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("figures");
    println!("{:.1} MiB", usage.max_rss() as f64 / 1024.0);
}

/// What `cdse exec` adds to the start and the end of a program.
fn exec(empty: &Path, cdse: &dyn Fn() -> Command) {
    let (mut nothing, mut once, mut supervised) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..RUNS {
        nothing.push(time(&mut Command::new(empty)));
        once.push(time(cdse().args(["exec", "--once", "--"]).arg(empty)));
        supervised.push(time(cdse().args(["exec", "--"]).arg(empty)));
    }
    let (nothing, once, supervised) = (figures(nothing), figures(once), figures(supervised));
    for (name, with) in [("cdse exec --once adds", once), ("cdse exec adds", supervised)] {
        println!("{name:<23} {:.2} ms at best, {:.2} ms as a rule", with.0 - nothing.0, with.1 - nothing.1);
    }
}

/// One that starts after the other, and then all of them waiting when the first may send: the last one has its token within
/// three round trips and a second, on two cores.
fn one_expired_token(sandbox: &Sandbox, home: &Path, cdse: &dyn Fn() -> Command) {
    let millis = |time: Duration| time.as_secs_f64() * 1e3;
    let slow = || sandbox.script(Fault::token(Action::DelayAnswer(ANSWER)));
    expire(sandbox, cdse);
    slow();
    let round_trip = time(cdse().args(["auth", "token"]));
    let limit = 3 * round_trip + Duration::from_secs(1);
    println!("a renewal alone: {:.0} ms; three of them and a second: {:.0} ms", millis(round_trip), millis(limit));
    for waiting in [false, true] {
        expire(sandbox, cdse);
        slow();
        let before = sandbox.counters().token_requests;
        let lock = waiting.then(|| lock(home));
        let mut start = Instant::now();
        let children: Vec<_> =
            (0..PROCESSES).map(|_| cdse().args(["auth", "token"]).spawn().expect("a process")).collect();
        if let Some(lock) = lock {
            std::thread::sleep(Duration::from_secs(2));
            start = Instant::now();
            drop(lock);
        }
        let served = children
            .into_iter()
            .map(|mut child| child.wait().expect("an end"))
            .filter(std::process::ExitStatus::success)
            .count();
        println!(
            "{PROCESSES} processes {} at one expired token: {} request(s), {served} served, the last after {:.0} ms",
            if waiting { "that wait" } else { "that start" },
            sandbox.counters().token_requests - before,
            millis(start.elapsed())
        );
    }
}

/// Has the session's lock.
fn lock(home: &Path) -> File {
    let mut files = std::fs::read_dir(home.join("state/sessions")).expect("a session").flatten();
    let path = files.find(|file| file.path().extension() == Some("lock".as_ref())).expect("a lock").path();
    let file = File::open(path).expect("a file");
    file.lock().expect("nobody has it");
    file
}

/// Leaves a token that has just ended.
fn expire(sandbox: &Sandbox, cdse: &dyn Fn() -> Command) {
    let short = Duration::from_secs(2);
    sandbox.set_lifetimes(Lifetimes { access: short, ..Lifetimes::default() });
    assert!(cdse().args(["auth", "refresh"]).stderr(Stdio::null()).status().expect("a process").success());
    sandbox.set_lifetimes(Lifetimes::default());
    std::thread::sleep(short);
}
