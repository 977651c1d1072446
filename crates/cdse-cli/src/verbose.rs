//! What `-v` and `-vv` say on stderr: what was decided, and each request. Nothing that is said holds a secret.

use log::{LevelFilter, Log, Metadata, Record};

use crate::output;

struct Stderr;

static STDERR: Stderr = Stderr;

/// From now on it is said. Without `-v` nothing is set up.
pub(crate) fn start(verbose: u8) {
    let level = match verbose {
        0 => return,
        1 => LevelFilter::Info,
        _ => LevelFilter::Debug,
    };
    if log::set_logger(&STDERR).is_ok() {
        log::set_max_level(level);
    }
}

impl Log for Stderr {
    /// What other libraries tell is not known to be without secrets.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("cdse")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            output::line(record.level().as_str().to_ascii_lowercase().as_str(), &record.args().to_string());
        }
    }

    fn flush(&self) {}
}
