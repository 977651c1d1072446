//! The program's name: messages say what to type, and a package may install the program by another name than its own.

use std::borrow::Cow;
use std::env;
use std::path::Path;
use std::sync::OnceLock;

const OWN: &str = "cdse";
/// What follows the name where a command is meant.
const AFTER: [&str; 7] = ["auth", "completions", "exec", "help", "man", "sandbox", "[OPTIONS]"];

/// The name that the program was called by.
pub(crate) fn program() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| env::args_os().next().and_then(|path| of(Path::new(&path))).unwrap_or_else(|| OWN.to_owned()))
}

/// A name that can be typed as it is.
fn of(path: &Path) -> Option<String> {
    let name = path.file_stem()?.to_str()?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    name.chars().all(is_plain).then(|| name.to_owned())
}

/// The text with the commands as they are typed here.
pub(crate) fn named(text: &str) -> Cow<'_, str> {
    named_as(program(), text)
}

fn named_as<'a>(name: &str, text: &'a str) -> Cow<'a, str> {
    if name == OWN {
        return Cow::Borrowed(text);
    }
    let commands = AFTER.iter().map(|word| (format!("{OWN} {word}"), format!("{name} {word}")));
    Cow::Owned(commands.fold(text.to_owned(), |text, (own, here)| text.replace(&own, &here)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cli9_a_command_is_named_as_the_program_was_called() {
        let text = "`cdse auth login` or `cdse help credentials`; the state of cdse is in /home/me/cdse";
        assert_eq!(named_as("cdse", text), text);
        let here = "`cdse-auth auth login` or `cdse-auth help credentials`; the state of cdse is in /home/me/cdse";
        assert_eq!(named_as("cdse-auth", text), here);
        assert_eq!(named_as("cdse-auth", "Usage: cdse [OPTIONS] <COMMAND>"), "Usage: cdse-auth [OPTIONS] <COMMAND>");
        assert_eq!(of(Path::new("/usr/bin/cdse-auth")).as_deref(), Some("cdse-auth"));
        assert_eq!(of(Path::new("/tmp/two words")), None);
    }
}
