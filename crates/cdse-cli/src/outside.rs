//! Secrets from outside: standard input, and what every such text has in common.

use std::io::Read;

use cdse_auth::Secret;
use zeroize::Zeroizing;

use crate::fail::{Fail, Result};

/// A secret is shorter.
const LARGEST: u64 = 64 * 1024;

/// All of standard input, one line end stripped.
pub(crate) fn stdin(option: &str) -> Result<Secret> {
    let mut text = Zeroizing::new(Vec::with_capacity(4096));
    std::io::stdin()
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
    Ok(Secret::new(text))
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
