//! `cdse-outsider FILE [PROFILE] [--netrc]`: writes into FILE which credential wins, or how the chain fails. It prints nothing.

use cdse_credentials::{Environment, Error, Mode, Name, Selection, Session};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().unwrap_or_default();
    let mut selection = Selection::default();
    for argument in arguments {
        match argument.as_str() {
            "--netrc" => selection.netrc = true,
            name => selection.profile = Name::parse(name).ok(),
        }
    }
    std::fs::write(file, winner(&selection).unwrap_or_else(|error| failure(&error)))
}

fn winner(selection: &Selection) -> Result<String, Error> {
    // The one call of a usual program, for its error; then the winner by name.
    if selection.profile.is_none() && !selection.netrc {
        cdse_credentials::default_manager()?;
    }
    let session = Session::open(selection, &Environment::read()?, Mode::Inspect)?;
    Ok(session.source().to_string())
}

fn failure(error: &Error) -> String {
    match error {
        Error::InvalidConfig(invalid) => format!("usage {}", invalid.name),
        Error::NotLoggedIn(none) => none.source.to_string(),
        Error::OtherService(_) => "other service".to_owned(),
        Error::Auth(error) => format!("library {}", error.kind().code()),
        _ => "unknown".to_owned(),
    }
}
