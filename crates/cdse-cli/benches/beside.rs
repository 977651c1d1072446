//! The library's part of `bench/peers/run`, which measures other tools beside this one, and starts this program:
//!
//! ```text
//! refusal TASKS    logs in, prints the header, waits for a line; then all tasks hold that header, which is refused
//! cached BATCHES   CPU time of a call that finds a fresh token, in ns
//! memory COMMAND   the largest resident set of a command, in KiB; this program is small itself
//! ```
//!
//! The service's address is `PEERS_SERVICE`; figures are JSON.
#![allow(
    clippy::print_stdout,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "a program that measures real time and prints it"
)]

use std::hint::black_box;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cdse_auth::{PasswordAuth, Proxy, TokenManager, TransportConfig};
use nix::sys::resource::{UsageWho, getrusage};
use nix::time::{ClockId, clock_gettime};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["refusal", tasks] => refusal(tasks.parse().expect("a number")),
        ["cached", batches] => cached(batches.parse().expect("a number")),
        ["memory", program, rest @ ..] => memory(Command::new(program).args(rest)),
        _ => println!("bench/peers/run starts this with what to measure"),
    }
}

fn origin() -> String {
    std::env::var("PEERS_SERVICE").expect("PEERS_SERVICE")
}

fn manager() -> TokenManager {
    TokenManager::builder(PasswordAuth::new("user@example.com", "s3cret!"))
        .realm_url(&format!("{}/auth/realms/CDSE", origin()))
        .transport(TransportConfig::new().with_proxy(Proxy::None))
        .build()
        .expect("good settings")
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
}

fn refusal(tasks: usize) {
    let manager = manager();
    let runtime = runtime();
    let refused = runtime.block_on(manager.authorization_header()).expect("a login");
    println!("{}", refused.to_str().expect("text"));
    std::io::stdout().flush().expect("a reader");
    std::io::stdin().read_line(&mut String::new()).expect("a line");
    let start = Instant::now();
    let served: usize = runtime.block_on(async {
        let tasks: Vec<_> = (0..tasks)
            .map(|_| {
                let (manager, refused) = (manager.clone(), refused.clone());
                tokio::spawn(async move {
                    if is_served(refused.to_str().expect("text")).await {
                        return false;
                    }
                    let header = manager.force_refresh_after(&refused).await.expect("a token");
                    is_served(header.to_str().expect("text")).await
                })
            })
            .collect();
        let mut served = 0;
        for task in tasks {
            served += usize::from(task.await.expect("no panic"));
        }
        served
    });
    println!("{}", json!({ "served": served, "seconds": start.elapsed().as_secs_f64() }));
}

/// Whether the bearer of this header is given the protected resource.
async fn is_served(header: &str) -> bool {
    let origin = origin();
    let host = origin.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).await.expect("the service");
    let request = format!(
        "GET /odata/v1/Products(1)/$value HTTP/1.1\r\nHost: {host}\r\nAuthorization: {header}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("the service");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("an answer");
    answer.starts_with(b"HTTP/1.1 200")
}

fn cached(batches: usize) {
    let manager = manager();
    runtime().block_on(manager.authorization_header()).expect("a login");
    let blocking: cdse_auth::blocking::TokenManager = manager.clone().into();
    let header = per_call(batches, || _ = black_box(&blocking.authorization_header().expect("a header")));
    let fresh = per_call(batches, || _ = black_box(&manager.fresh_header().expect("a header")));
    println!(
        "{}",
        json!({ "least": header.0, "median": header.1, "fresh_header": { "least": fresh.0, "median": fresh.1 } })
    );
}

/// Least and median of many batches, in ns a call.
fn per_call(batches: usize, mut call: impl FnMut()) -> (f64, f64) {
    const BATCH: u32 = 20_000;
    let mut took: Vec<f64> = (0..batches)
        .map(|_| {
            let before = thread_cpu();
            (0..BATCH).for_each(|_| call());
            (thread_cpu() - before).as_nanos() as f64 / f64::from(BATCH)
        })
        .collect();
    took.sort_by(f64::total_cmp);
    (took[0], took[took.len() / 2])
}

fn thread_cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).expect("a clock").into()
}

fn memory(command: &mut Command) {
    assert!(command.stdout(Stdio::null()).status().expect("a process").success());
    println!("{}", getrusage(UsageWho::RUSAGE_CHILDREN).expect("figures").max_rss());
}
