//! Secrets from outside: standard input, and what every such text has in common.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use cdse_auth::Secret;
use zeroize::Zeroizing;

use crate::environment::if_unexpanded;
use crate::fail::{Fail, Result, is_unfit};

/// A secret is shorter.
const LARGEST: u64 = 64 * 1024;

/// All of standard input, one line end stripped.
pub(crate) fn stdin(option: &str) -> Result<Secret> {
    let mut text = Zeroizing::new(Vec::with_capacity(4096));
    io::stdin()
        .lock()
        .take(LARGEST + 1)
        .read_to_end(&mut text)
        .map_err(|error| Fail::other(format!("standard input could not be read: {error}")))?;
    if text.len() as u64 > LARGEST {
        return Err(Fail::usage(format!("{option}: standard input holds far too much for a secret")));
    }
    let secret = without_line_end(&text).map_err(|why| Fail::usage(format!("{option}: standard input {why}")))?;
    if secret.expose().is_empty() {
        return Err(Fail::usage(format!("{option}: standard input is empty")));
    }
    Ok(secret)
}

/// The text without the one line end that programs print after a value.
pub(crate) fn without_line_end(text: &[u8]) -> Result<Secret, String> {
    let text = std::str::from_utf8(text).map_err(|_| "is not valid UTF-8".to_owned())?;
    let text = text.strip_suffix('\n').map_or(text, |text| text.strip_suffix('\r').unwrap_or(text));
    check_visible(text)?;
    Ok(Secret::new(text))
}

/// A secret that somebody could have typed. One that was pasted, or read from the wrong file, would be refused by the service
/// as a wrong one, and count as a failed login.
pub(crate) fn check_visible(text: &str) -> Result<(), String> {
    match text.chars().find(|c| is_unfit(*c)) {
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
    let fail = |why: &str| Fail::usage(format!("{variable}: {shown} {why}"));
    let unreadable = |error: io::Error| fail(&format!("cannot be read: {error}{}", if_unexpanded(path)));
    // A pipe could let this wait for ever.
    if !fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(fail("is not a regular file"));
    }
    let mut text = Zeroizing::new(Vec::with_capacity(4096));
    fs::File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut text)).map_err(unreadable)?;
    if text.len() as u64 > LARGEST {
        return Err(fail("is far too large for a secret"));
    }
    let secret = without_line_end(&text).map_err(|why| fail(&why))?;
    if secret.expose().is_empty() { Err(fail("is empty")) } else { Ok(secret) }
}

/// What may have been meant by a secret that the service has refused.
pub(crate) fn suspicion(secret: &Secret) -> Option<&'static str> {
    let text = secret.expose();
    let quoted = ['"', '\'', '`', '“', '‘', '„', '«'];
    if text.chars().count() > 1 && text.starts_with(quoted) && !text.ends_with(char::is_alphanumeric) {
        return Some("stands in quotation marks, which are part of it");
    }
    if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
        return Some("begins or ends with a blank, which is part of it");
    }
    let odd = |c: char| c.is_whitespace() && c != ' ';
    text.chars().any(odd).then_some("holds a blank that is none of the space bar's")
}

/// A one-time code as people write it: `123456`, `123 456`.
pub(crate) fn code(text: &str) -> Result<Secret, String> {
    let digits: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !matches!(c, ' ' | '\t')).collect());
    if (6..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Secret::new(digits.as_str()));
    }
    Err("a one-time code has 6 to 8 digits".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::SecretCommand;
    use crate::duration;

    #[test]
    fn cli2_no_text_from_outside_is_shown() {
        cdse_fuzz::fuzz("small_texts", |data| {
            let secret = without_line_end(data);
            assert!(secret.as_ref().is_ok_and(|secret| secret.expose().len() + 2 >= data.len()) || secret.is_err());
            let text = String::from_utf8_lossy(data);
            let length = duration::parse(&text);
            assert!(length.as_ref().is_ok_and(|length| length.as_secs() <= 366 * 24 * 3600) || length.is_err());
            let code = code(&text).map(|code| code.expose().len());
            let command = SecretCommand::new("CDSE_TOTP_COMMAND", &text);
            (secret.is_ok(), length.map(|length| length.as_secs()), code, command.map(drop))
        });
    }
}
