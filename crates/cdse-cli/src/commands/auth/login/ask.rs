//! The questions of `cdse auth login`.

use cdse_auth::Secret;
use cdse_credentials::input as check;

use crate::process::terminal::Terminal;
use crate::report::fail::Result;
use crate::report::output;

pub(super) fn username(terminal: &Terminal, known: Option<&str>) -> Result<String> {
    loop {
        let question = known
            .map_or_else(|| "User name: ".to_owned(), |known| format!("User name [{}]: ", output::one_line(known)));
        let answer = terminal.ask(&question)?;
        match (answer.trim(), known) {
            ("", Some(known)) => return Ok(known.to_owned()),
            (answer, _) => match check::check_name(answer) {
                Ok(()) => return Ok(answer.to_owned()),
                Err(why) => output::note(&format!("the user name {why}")),
            },
        }
    }
}

pub(super) fn password(terminal: &Terminal, username: &str) -> Result<Secret> {
    loop {
        let password = terminal.ask_hidden(&format!("Password of {}: ", output::one_line(username)))?;
        if !password.expose().is_empty() {
            return Ok(password);
        }
    }
}

pub(super) fn code(terminal: &Terminal) -> Result<Option<Secret>> {
    loop {
        let answer = terminal.ask("One-time code (empty if none): ")?;
        if answer.trim().is_empty() {
            return Ok(None);
        }
        match check::code(&answer) {
            Ok(code) => return Ok(Some(code)),
            Err(why) => output::note(&why),
        }
    }
}
