//! What `-v`, `-vv` and `CDSE_LOG` have said on stderr: what was decided, and each request. Nothing that is said holds a secret.

use std::env;
use std::str::FromStr as _;

use log::{Level, LevelFilter, Log, Metadata, Record};
use serde::Serialize;

use crate::report::fail::{Fail, Result};
use crate::report::{output, time};

struct Stderr;

static STDERR: Stderr = Stderr;

/// With `--json`, a line of its own.
#[derive(Serialize, Debug)]
#[serde(rename_all = "snake_case")]
enum Line {
    Log { time: String, level: String, message: String },
}

/// From now on it is said. Without `-v` and `CDSE_LOG` nothing is set up. `-v` wins.
pub(crate) fn start(verbose: u8) -> Result<()> {
    let level = match verbose {
        0 => match env::var_os("CDSE_LOG").filter(|level| !level.is_empty()) {
            Some(level) => LevelFilter::from_str(&level.to_string_lossy())
                .map_err(|_| Fail::usage("CDSE_LOG must be off, error, warn, info, debug or trace"))?,
            // Without it only the library's warnings are said, as warnings.
            None => LevelFilter::Warn,
        },
        1 => LevelFilter::Info,
        _ => LevelFilter::Debug,
    };
    if level != LevelFilter::Off && log::set_logger(&STDERR).is_ok() {
        log::set_max_level(level);
    }
    Ok(())
}

impl Log for Stderr {
    /// What other libraries tell is not known to be without secrets.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("cdse")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        if record.level() <= Level::Warn {
            output::warn(&record.args().to_string());
            return;
        }
        let time = humantime::format_rfc3339_millis(time::now()).to_string();
        let (level, message) = (record.level().as_str().to_ascii_lowercase(), record.args().to_string());
        if output::is_json() {
            output::stderr(&output::json_line(&Line::Log { time, level, message: output::one_line(&message) }));
        } else {
            output::line(&level, &format!("{time} {message}"));
        }
    }

    fn flush(&self) {}
}
