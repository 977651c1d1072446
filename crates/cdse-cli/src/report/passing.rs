//! The line that is overwritten while a person waits.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The line, which is cleared before anything else is written: how many characters are shown. `None` where nothing is shown any
/// more.
pub(crate) struct Passing(Option<usize>);

/// What a terminal shows of Ctrl-C, after the line.
pub(crate) const ECHO: usize = "^C".len();

static PASSING: Mutex<Passing> = Mutex::new(Passing(Some(0)));

/// Holds the terminal: nothing else shows or clears the line meanwhile.
pub(crate) fn passing() -> MutexGuard<'static, Passing> {
    PASSING.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Passing {
    pub(crate) fn clear(&mut self) {
        if let Some(length @ 1..) = self.0 {
            let all = " ".repeat(length + ECHO);
            let _ = io::stderr().lock().write_all(format!("\r{all}\r").as_bytes());
            self.0 = Some(0);
        }
    }
}

/// Shows a line that something else will take the place of.
pub(crate) fn show(text: &str) {
    let mut passing = passing();
    let Some(before) = passing.0 else { return };
    let length = text.chars().count();
    let rest = " ".repeat(before.saturating_sub(length));
    let _ = io::stderr().lock().write_all(format!("\r{text}{rest}").as_bytes());
    passing.0 = Some(length.max(before));
}

pub(crate) fn clear() {
    passing().clear();
}

/// From now on such a line may be shown.
pub(crate) fn begin() {
    passing().0 = Some(0);
}

/// From now on no such line is shown.
pub(crate) fn end() {
    let mut passing = passing();
    passing.clear();
    passing.0 = None;
}
