//! Secrets on standard input.

use std::io::{self, Read};

use cdse_auth::Secret;
use cdse_credentials::input::without_line_end;
use zeroize::Zeroizing;

use crate::report::fail::{Fail, Result};

/// A secret is shorter.
const LARGEST: u64 = 64 * 1024;

/// All of standard input, one line end stripped.
pub(crate) fn stdin(option: &str) -> Result<Secret> {
    let mut text = Zeroizing::new(Vec::with_capacity(4096));
    let read = io::stdin().lock().take(LARGEST + 1).read_to_end(&mut text);
    read.map_err(|error| Fail::other(format!("standard input could not be read: {error}")))?;
    let odd = |why: &str| Fail::usage(format!("{option}: standard input {why}"));
    if text.len() as u64 > LARGEST {
        return Err(odd("is too long for a secret (more than 64 KiB)"));
    }
    let secret = without_line_end(&text).map_err(|why| odd(&why))?;
    if secret.expose().is_empty() { Err(odd("is empty")) } else { Ok(secret) }
}
