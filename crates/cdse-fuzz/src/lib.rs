//! Throws mutated bytes at a function that must never panic, on any toolchain.
//!
//! What libFuzzer does with coverage and a nightly compiler (`fuzz/`), this does without: it mutates seeds, and keeps an
//! input as a new seed when the function answers something that it has not answered before. The same seeds, number of runs
//! and `CDSE_FUZZ_SEED` give the same inputs.

mod files;
mod mutate;
mod report;
mod watch;

use std::collections::HashSet;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::time::{Duration, Instant};

use files::{keep, seeds};
use mutate::Mutator;
use report::report;
use watch::Watch;

/// So many runs, unless `CDSE_FUZZ_SECONDS` says how long.
const RUNS: u64 = 3_000;
/// More inputs are not kept.
const KEPT: usize = 20_000;

/// Runs `check` on the seeds of `target` (the files of `fuzz/seeds/TARGET`, found inputs among them), then on mutations of
/// them. What `check` returns says what it has come to: a thing never seen before makes its input a seed.
///
/// # Panics
///
/// As `check` does; the input is then kept in `target/fuzz`, and named.
pub fn fuzz<T: Hash>(target: &str, check: impl Fn(&[u8]) -> T) {
    let seed = setting("CDSE_FUZZ_SEED").unwrap_or(1);
    let length = setting("CDSE_FUZZ_SECONDS").map(Duration::from_secs);
    let mut fuzzer = Fuzzer { target, check, watch: Watch::start(target), seen: HashSet::new(), kept: seeds(target) };
    for input in fuzzer.kept.clone() {
        fuzzer.run(&input);
    }
    let mut mutator = Mutator::new(seed, &fuzzer.kept);
    let begun = now();
    let mut runs = 0;
    while length.map_or(runs < RUNS, |length| begun.elapsed() < length) {
        let input = mutator.mutate(&fuzzer.kept);
        if fuzzer.run(&input) && fuzzer.kept.len() < KEPT {
            fuzzer.kept.push(input);
        }
        runs += 1;
    }
    report(&format!(
        "fuzz {target}: {runs} runs of seed {seed} in {} ms, {} answers",
        begun.elapsed().as_millis(),
        fuzzer.seen.len()
    ));
}

struct Fuzzer<'a, C> {
    target: &'a str,
    check: C,
    watch: Watch,
    seen: HashSet<u64>,
    kept: Vec<Vec<u8>>,
}

impl<T: Hash, C: Fn(&[u8]) -> T> Fuzzer<'_, C> {
    /// Whether the answer is new.
    fn run(&mut self, input: &[u8]) -> bool {
        self.watch.begin(input);
        let answer = catch_unwind(AssertUnwindSafe(|| (self.check)(input)));
        self.watch.end();
        match answer {
            Ok(answer) => {
                let mut hasher = DefaultHasher::new();
                answer.hash(&mut hasher);
                self.seen.insert(hasher.finish())
            }
            Err(panic) => {
                keep(self.target, input);
                resume_unwind(panic)
            }
        }
    }
}

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

#[expect(clippy::disallowed_methods, reason = "how long to go on is asked of the real clock")]
fn now() -> Instant {
    Instant::now()
}
