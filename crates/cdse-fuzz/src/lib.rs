//! Throws mutated bytes at a function that must never panic, on any toolchain.
//!
//! What libFuzzer does with coverage and a nightly compiler (`fuzz/`), this does without: it mutates seeds, and keeps an
//! input as a new seed when the function answers something that it has not answered before. The same seeds, number of runs
//! and `CDSE_FUZZ_SEED` give the same inputs.

mod mutate;

use std::collections::HashSet;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher, Hash};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};
use std::{env, fs, io, process, thread};

use mutate::Mutator;

/// So many runs, unless `CDSE_FUZZ_SECONDS` says how long.
const RUNS: u64 = 3_000;
/// More inputs are not kept.
const KEPT: usize = 20_000;
/// No input takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

/// Runs `check` on the seeds of `target` (the files of `fuzz/seeds/TARGET`, found inputs among them), then on mutations of
/// them. What `check` returns says what it has come to: a thing never seen before makes its input a seed.
///
/// # Panics
///
/// As `check` does; the input is then kept in `target/fuzz`, and named. So is one that hangs; the process ends then.
pub fn fuzz<T: Hash>(target: &str, check: impl Fn(&[u8]) -> T + Send) {
    let (begin, begun) = mpsc::sync_channel(16);
    thread::scope(|scope| {
        let runs = scope.spawn(move || run(target, check, &begin));
        let mut input = Vec::new();
        loop {
            match begun.recv_timeout(PATIENCE) {
                Ok(next) => input = next,
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {
                    keep(target, &input);
                    report(&format!("fuzz {target}: it hangs"));
                    process::exit(101);
                }
            }
        }
        if let Err(panic) = runs.join() {
            keep(target, &input);
            resume_unwind(panic);
        }
    });
}

/// Tells `begin` each input before it is run.
fn run<T: Hash>(target: &str, check: impl Fn(&[u8]) -> T, begin: &SyncSender<Vec<u8>>) {
    let seed = setting("CDSE_FUZZ_SEED").unwrap_or(1);
    let length = setting("CDSE_FUZZ_SECONDS").map(Duration::from_secs);
    let mut seen = HashSet::new();
    let mut is_new = |input: &[u8]| {
        // There is a receiver for as long as this runs.
        let _ = begin.send(input.to_vec());
        seen.insert(hash(check(input)))
    };
    let mut kept = seeds(target);
    for input in &kept {
        is_new(input);
    }
    let mut mutator = Mutator::new(seed, &kept);
    let begun = now();
    let mut runs = 0;
    while length.map_or(runs < RUNS, |length| begun.elapsed() < length) {
        let input = mutator.mutate(&kept);
        if is_new(&input) && kept.len() < KEPT {
            kept.push(input);
        }
        runs += 1;
    }
    let (took, answers) = (begun.elapsed().as_millis(), seen.len());
    report(&format!("fuzz {target}: {runs} runs of seed {seed} in {took} ms, {answers} answers"));
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = root().join("fuzz/seeds").join(target);
    let read = || {
        let files = fs::read_dir(&folder)?.map(|entry| Ok(entry?.path()));
        let mut files = files.collect::<io::Result<Vec<_>>>()?;
        files.sort();
        files.iter().map(fs::read).collect::<io::Result<Vec<_>>>()
    };
    let seeds = read().unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    assert!(!seeds.is_empty(), "{} is empty", folder.display());
    seeds
}

/// Writes an input that must be looked at to a file, and says which.
fn keep(target: &str, input: &[u8]) {
    let folder = root().join("target/fuzz");
    let file = folder.join(format!("{target}-{:016x}", hash(input)));
    let kept = fs::create_dir_all(&folder).and_then(|()| fs::write(&file, input));
    report(&match kept {
        Ok(()) => format!("fuzz {target}: the input is in {}; a copy in fuzz/seeds/{target} keeps it", file.display()),
        Err(error) => format!("fuzz {target}: the input {input:?} could not be kept: {error}"),
    });
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The same in every process.
fn hash(value: impl Hash) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one(value)
}

fn setting(name: &str) -> Option<u64> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

#[expect(clippy::disallowed_methods, reason = "how long to go on is asked of the real clock")]
fn now() -> Instant {
    Instant::now()
}

/// A line for whoever runs a test by hand.
#[expect(clippy::print_stderr, reason = "for whoever runs a test by hand")]
fn report(line: &str) {
    eprintln!("{line}");
}
