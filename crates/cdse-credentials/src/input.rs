//! Checks of what people type and set: names, codes, paths, secrets. What is refused is described and never repeated.

use std::path::Path;

use cdse_auth::Secret;
use zeroize::Zeroizing;

pub use crate::secret_text::without_line_end;

/// Checks a user name or client id. It goes to the service as it is.
///
/// # Errors
///
/// What is wrong with it, as the end of a sentence: "is blank".
pub fn check_name(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("is blank".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("holds a line end or another control character".to_owned());
    }
    if text.len() > 255 {
        return Err("is longer than any name".to_owned());
    }
    Ok(())
}

/// Checks that a path needs no shell: in a unit file, a cron table or a container's settings `~` and `$HOME` are not expanded.
///
/// # Errors
///
/// What is wrong with it, as the end of a sentence.
pub fn check_expanded(path: &Path) -> Result<(), String> {
    let text = path.to_string_lossy();
    let is_name = |rest: &str| rest.starts_with(|c: char| c == '{' || c == '_' || c.is_ascii_alphabetic());
    let what = if text.starts_with('~') {
        "~"
    } else if text.split('$').skip(1).any(is_name) {
        "a variable ($)"
    } else {
        return Ok(());
    };
    Err(format!("contains {what}, which only a shell expands: use an absolute path"))
}

/// For the error about a path that does not exist: why, if that is why.
pub(crate) fn if_unexpanded(path: &Path) -> String {
    check_expanded(path).err().map_or_else(String::new, |why| format!("; it {why}"))
}

/// What is odd about a secret that the service has refused, as the end of a sentence.
#[must_use]
pub fn suspicion(secret: &Secret) -> Option<&'static str> {
    let text = secret.expose();
    let quoted = ['"', '\'', '`', '“', '‘', '„', '«'];
    if text.chars().count() > 1 && text.starts_with(quoted) && !text.ends_with(char::is_alphanumeric) {
        return Some("is in quotation marks, which are part of it");
    }
    if text.starts_with(char::is_whitespace) || text.ends_with(char::is_whitespace) {
        return Some("begins or ends with a space, which is part of it");
    }
    let odd = |c: char| c.is_whitespace() && c != ' ';
    text.chars().any(odd).then_some("contains an unusual space character")
}

/// A one-time code as people write it: `123456`, `123 456`.
///
/// # Errors
///
/// What a code looks like, where the text is not one.
pub fn code(text: &str) -> Result<Secret, String> {
    let digits: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !matches!(c, ' ' | '\t')).collect());
    if (6..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Secret::new(digits.as_str()));
    }
    Err("a one-time code has 6 to 8 digits".to_owned())
}

/// Checks that a text can be a token for the identity service.
///
/// # Errors
///
/// What is wrong with it, as the end of a sentence.
pub fn check_token(token: &Secret) -> Result<(), String> {
    let fits = !token.expose().is_empty() && token.expose().bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(()) } else { Err("is not a token: it holds characters that no token has".to_owned()) }
}
