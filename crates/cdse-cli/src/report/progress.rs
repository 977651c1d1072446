//! A line that says what is waited for, where somebody looks: on a terminal, and when it takes longer than a moment.

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use cdse_auth::blocking::TokenManager;

use crate::report::{output, passing, time};

/// Whoever waits for less needs no explanation.
const A_MOMENT: Duration = Duration::from_secs(2);
/// The same for whoever reads it later.
const A_WHILE: Duration = Duration::from_secs(4);
const LOOK: Duration = Duration::from_millis(100);

/// Clears the line when it is dropped.
#[must_use]
pub(crate) struct Shown {
    over: Option<Arc<AtomicBool>>,
}

/// From now on whoever looks at the terminal is told what `manager` waits for.
///
/// It starts a thread, and so is called only when a request may follow. With `-v` the same is said in lines that stay.
pub(crate) fn show(manager: &TokenManager) -> Shown {
    if output::is_json() || log::max_level() >= log::LevelFilter::Info {
        return Shown { over: None };
    }
    let terminal = io::stderr().is_terminal();
    if terminal {
        passing::begin();
    }
    let over = Arc::new(AtomicBool::new(false));
    let (theirs, manager) = (Arc::clone(&over), manager.clone());
    // Without a thread nobody is told, and nothing else is different.
    let _ = std::thread::Builder::new().spawn(move || watch(&manager, &theirs, terminal));
    Shown { over: Some(over) }
}

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(over) = &self.over {
            over.store(true, Ordering::SeqCst);
            passing::end();
        }
    }
}

fn watch(manager: &TokenManager, over: &AtomicBool, terminal: bool) {
    let mut since = None;
    // Where nobody looks each cause gets one line in the log.
    let mut logged: Vec<String> = Vec::new();
    while !over.load(Ordering::SeqCst) {
        match manager.waiting() {
            Some(waiting) => {
                let waited = since.get_or_insert_with(time::monotonic).elapsed();
                let left = time::seconds_until(waiting.until).max(1);
                if !terminal {
                    let cause = waiting.cause.to_string();
                    if waited >= A_WHILE && !logged.contains(&cause) {
                        output::note(&format!("Waiting for {} (at most {left} s) …", output::one_line(&cause)));
                        logged.push(cause);
                    }
                } else if waited >= A_MOMENT {
                    passing::show(&fitting(&format!("Waiting for {} (at most {left} s) …", waiting.cause)));
                }
            }
            None if terminal => {
                since = None;
                passing::clear();
            }
            None => {}
        }
        std::thread::park_timeout(LOOK);
    }
}

/// On one line of the terminal: what is longer could not be cleared.
fn fitting(text: &str) -> String {
    let text = output::one_line(text);
    let most = width().saturating_sub(1 + passing::ECHO);
    if text.chars().count() <= most {
        return text;
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

fn width() -> usize {
    #[cfg(unix)]
    if let Ok(size) = rustix::termios::tcgetwinsize(io::stderr())
        && size.ws_col > 0
    {
        return usize::from(size.ws_col);
    }
    80
}
