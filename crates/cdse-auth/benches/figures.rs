//! The figures that the project promises, printed: `cargo bench -p cdse-auth`.
//!
//! Times of single calls are thread CPU time (other work on the machine does not count); times of whole operations are
//! wall time. Nothing is asserted: a figure is for people.
#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a program that measures real time and prints it"
)]

use std::hint::black_box;
use std::path::Path;
use std::process::{Child, Command};
use std::sync::{Arc, Barrier};
use std::time::{Duration, Instant};

use cdse_auth::{
    FileTokenStore, ManualClock, PasswordAuth, Proxy, TokenManager, TokenManagerBuilder, TokenSet, TokenStore,
    TransportConfig, blocking,
};
use cdse_sandbox::{Action, Config, Fault, Sandbox};
use rustix::time::{ClockId, clock_gettime};

fn main() {
    if let Some(path) = std::env::var_os("CDSE_BENCH_LOAD") {
        return load_many(Path::new(&path));
    }
    fresh_header();
    pieces();
    one_refusal();
    loads();
}

fn builder(sandbox: &Sandbox) -> TokenManagerBuilder {
    TokenManager::builder(PasswordAuth::new("user@example.com", "s3cret!"))
        .realm_url(&sandbox.realm_url())
        .transport(TransportConfig::new().with_proxy(Proxy::None))
}

fn manager(sandbox: &Sandbox, store: Option<&Path>) -> blocking::TokenManager {
    let builder = builder(sandbox);
    let builder = match store {
        Some(path) => builder.store(FileTokenStore::new(path)),
        None => builder,
    };
    builder.build().expect("good settings").into()
}

fn thread_cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn fresh_header() {
    let folder = tempfile::tempdir().expect("a folder");
    let sandbox = Sandbox::start(Config::default()).expect("a port");
    for (name, store) in [("memory", None), ("file", Some(folder.path().join("session.json")))] {
        let manager = manager(&sandbox, store.as_deref());
        manager.authorization_header().expect("a login");
        let borrowed = || manager.as_async().fresh_header().is_some_and(|header| header.is_sensitive());
        let returned = || manager.authorization_header().is_ok_and(|header| header.is_sensitive());
        let (one, two) = (per_call(borrowed), on_two_threads(borrowed));
        println!("{name} store, fresh_header(): {one:.1} ns on one thread, {two:.1} ns on each of two at once");
        let (one, two) = (per_call(returned), on_two_threads(returned));
        println!("{name} store, authorization_header(): {one:.1} ns on one thread, {two:.1} ns on each of two at once");
    }
}

fn on_two_threads<T>(call: impl Fn() -> T + Sync) -> f64 {
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    barrier.wait();
                    per_call(&call)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).fold(0.0, f64::max)
    })
}

/// What a fresh header is made of, to see where the time goes.
fn pieces() {
    let coarse = per_call(|| clock_gettime(ClockId::MonotonicCoarse));
    let lock = try_lock::TryLock::new(7_u64);
    let tried = per_call(|| lock.try_lock().map(|value| *value));
    let tokens = TokenSet::new("x".repeat(1500), Duration::from_secs(600)).expect("a header value");
    let header = tokens.authorization_header();
    let clone = per_call(|| header.clone());
    let precise = per_call(Instant::now);
    println!(
        "of which: a coarse clock {coarse:.1} ns (the wall clock's is read once a tick; a precise one takes {precise:.1} ns), the lock \
         {tried:.1} ns, the header's clone {clone:.1} ns"
    );
}

/// The best of many batches, in ns a call: whoever else uses the core slows it down for a while.
fn per_call<T>(mut call: impl FnMut() -> T) -> f64 {
    const BATCH: u32 = 20_000;
    let mut best = f64::MAX;
    for _ in 0..1500 {
        let before = thread_cpu();
        for _ in 0..BATCH {
            // By reference: moving a header costs more than cloning it.
            black_box(&call());
        }
        best = best.min((thread_cpu() - before).as_nanos() as f64 / f64::from(BATCH));
    }
    best
}

fn one_refusal() {
    const DELAY: Duration = Duration::from_millis(100);
    let time = ManualClock::at(1_800_000_000);
    let theirs = time.clone();
    let config = Config { clock: cdse_sandbox::Clock::new(move || theirs.wall()), ..Config::default() };
    let sandbox = Sandbox::start(config).expect("a port");
    let manager: blocking::TokenManager = builder(&sandbox).clock(time.clock()).build().expect("good settings").into();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).build().expect("a runtime");
    for tasks in [1, 64, 4096] {
        let refused = manager.authorization_header().expect("a token");
        time.advance(Duration::from_secs(100));
        sandbox.script(Fault::token(Action::Delay(DELAY)));
        let before = sandbox.counters().token_requests;
        let start = Instant::now();
        let took: Duration = runtime.block_on(async {
            let calls: Vec<_> = (0..tasks)
                .map(|_| {
                    let (manager, refused) = (manager.as_async().clone(), refused.clone());
                    tokio::spawn(async move { manager.force_refresh_after(&refused).await.expect("a token") })
                })
                .collect();
            for call in calls {
                call.await.expect("no panic");
            }
            start.elapsed()
        });
        let requests = sandbox.counters().token_requests - before;
        println!(
            "{tasks} tasks at one refusal: {requests} request(s), all served after {:.1} ms ({:.2} x the service's 100 ms)",
            took.as_secs_f64() * 1e3,
            took.as_secs_f64() / DELAY.as_secs_f64()
        );
    }
}

const LOADS: u32 = 1000;

fn load_many(path: &Path) {
    let store = FileTokenStore::new(path);
    for _ in 0..LOADS {
        match store.load() {
            Ok(Some(tokens)) => drop(black_box(tokens)),
            Ok(None) => panic!("an empty read"),
            Err(error) => panic!("a torn read: {error}"),
        }
    }
}

fn loads() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("session.json");
    let store = FileTokenStore::new(&path);
    let tokens = |n: u32| {
        TokenSet::new(format!("{n}-{}", "x".repeat(1500)), Duration::from_secs(600))
            .expect("a header value")
            .with_refresh_token("y".repeat(800), None)
    };
    store.save(&tokens(0)).expect("a save");

    let time = |work: &dyn Fn()| {
        let mut best = f64::MAX;
        for _ in 0..20 {
            let start = Instant::now();
            for _ in 0..LOADS {
                work();
            }
            best = best.min(start.elapsed().as_secs_f64() / f64::from(LOADS) * 1e6);
        }
        best
    };
    let read = time(&|| drop(black_box(std::fs::read(&path).expect("a read"))));
    let load = time(&|| drop(black_box(store.load().expect("a load"))));
    println!("a load: {load:.1} us, {:.2} x reading the file ({read:.1} us)", load / read);

    let exe = std::env::current_exe().expect("this program");
    let children: Vec<Child> =
        (0..8).map(|_| Command::new(&exe).env("CDSE_BENCH_LOAD", &path).spawn().expect("a child")).collect();
    let running = Arc::new(std::sync::atomic::AtomicBool::new(true));
    let theirs = Arc::clone(&running);
    let writer = std::thread::spawn(move || {
        let mut saves = 0;
        while theirs.load(std::sync::atomic::Ordering::Relaxed) {
            saves += 1;
            store.save(&tokens(saves)).expect("a save");
        }
        saves
    });
    let failed = children.into_iter().map(|mut child| child.wait().expect("an end")).filter(|s| !s.success()).count();
    running.store(false, std::sync::atomic::Ordering::Relaxed);
    let saves = writer.join().expect("no panic");
    println!("8 processes x {LOADS} loads beside {saves} saves: {failed} process(es) saw a torn or an empty record");
}
