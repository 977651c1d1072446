//! Secrets that users hand over: in files, variables and the output of programs.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use cdse_auth::Secret;
use cdse_auth::text::is_unprintable;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::input::if_unexpanded;

/// A secret is shorter.
const LARGEST: u64 = 64 * 1024;

/// A secret, without the one line end that programs print after a value.
///
/// # Errors
///
/// What is wrong with it, as the end of a sentence: "holds a tab".
pub fn without_line_end(text: &[u8]) -> Result<Secret, String> {
    let text = std::str::from_utf8(text).map_err(|_| "is not valid UTF-8".to_owned())?;
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    check_visible(text)?;
    Ok(Secret::new(text))
}

/// A secret that somebody could have typed. One that was pasted, or read from the wrong file, would be refused by the service
/// as a wrong one, and count as a failed login.
pub(crate) fn check_visible(text: &str) -> Result<(), String> {
    match text.chars().find(|c| is_unprintable(*c)) {
        None => Ok(()),
        Some('\n' | '\r') => Err("holds a line end".to_owned()),
        Some('\t') => Err("holds a tab".to_owned()),
        Some(c) if c.is_control() => Err(format!("holds a control character (U+{:04X})", u32::from(c))),
        Some(c) => Err(format!("holds an invisible character (U+{:04X})", u32::from(c))),
    }
}

/// The secret in a file that a variable names, as Docker, Kubernetes and systemd hand secrets over.
pub(crate) fn file(variable: &str, path: &Path) -> Result<Secret> {
    let shown = path.display();
    let fail = |why: &str| Error::invalid(variable, format!("{variable}: {shown} {why}"));
    let unreadable = |error: io::Error| fail(&format!("cannot be read: {error}{}", if_unexpanded(path)));
    // A pipe could let this wait for ever.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(fail("is not a regular file"));
    }
    let mut text = Zeroizing::new(Vec::with_capacity(4096));
    fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut text)).map_err(unreadable)?;
    if text.len() as u64 > LARGEST {
        return Err(fail("is too large for a secret (more than 64 KiB)"));
    }
    let secret = without_line_end(&text).map_err(|why| fail(&why))?;
    if secret.expose().is_empty() { Err(fail("is empty")) } else { Ok(secret) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input;
    use crate::secret_command::SecretCommand;

    #[test]
    fn cli2_no_text_from_outside_is_shown() {
        cdse_fuzz::fuzz("small_texts", |data| {
            let secret = without_line_end(data);
            assert!(secret.as_ref().is_ok_and(|secret| secret.expose().len() + 2 >= data.len()) || secret.is_err());
            let text = String::from_utf8_lossy(data);
            let code = input::code(&text).map(|code| code.expose().len());
            let command = SecretCommand::new("CDSE_TOTP_COMMAND", &text);
            (secret.is_ok(), code, command.map(drop).map_err(|error| error.message()))
        });
    }
}
