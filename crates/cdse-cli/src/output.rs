//! The two streams: stdout carries the requested value only, stderr everything else.

use std::io::{self, ErrorKind, Write};

use serde::Serialize;

use crate::fail::{Fail, Result};

/// Writes what was asked for. A reader that has gone away has seen enough: that is no error.
pub(crate) fn stdout(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Fail::other(format!("the output could not be written: {error}")))
        }
        _ => Ok(()),
    }
}

/// A report as JSON, ready to be written.
pub(crate) fn json(report: &impl Serialize) -> String {
    // Plain texts and numbers with string keys, for which serde_json has no error.
    serde_json::to_string_pretty(report).unwrap_or_default() + "\n"
}

/// A line for people. There is nobody to tell when it cannot be written.
pub(crate) fn note(line: &str) {
    let _ = io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// Something that went well all the same.
pub(crate) fn warn(text: &str) {
    note(&format!("warning: {}", crate::fail::one_line(text)));
}
