//! Ends a process that hangs, and keeps the input that it hangs on.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::files::keep;
use crate::report::report;

/// No input takes so long.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Watch(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    input: Option<Vec<u8>>,
    runs: u64,
    over: bool,
}

impl Watch {
    pub(crate) fn start(target: &str) -> Self {
        let seen = Arc::new(Mutex::new(Seen::default()));
        let (theirs, target) = (Arc::clone(&seen), target.to_owned());
        std::thread::spawn(move || watch(&target, &theirs));
        Self(seen)
    }

    pub(crate) fn begin(&self, input: &[u8]) {
        let mut seen = lock(&self.0);
        seen.runs += 1;
        seen.input = Some(input.to_vec());
    }

    pub(crate) fn end(&self) {
        lock(&self.0).input = None;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        lock(&self.0).over = true;
    }
}

fn watch(target: &str, seen: &Mutex<Seen>) {
    let mut runs = None;
    loop {
        std::thread::park_timeout(PATIENCE);
        let seen = lock(seen);
        if seen.over {
            return;
        }
        if let Some(input) = seen.input.as_ref().filter(|_| runs == Some(seen.runs)) {
            keep(target, input);
            report(&format!("fuzz {target}: it hangs"));
            std::process::exit(101);
        }
        runs = Some(seen.runs);
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
