//! `cdse auth refresh`: renew now.

use crate::args::call::Call;
use crate::process::signals;
use crate::report::fail::{Fail, Result};
use crate::report::{explain, output, progress, time};
use cdse_credentials::{Mode, Name, Source};
use serde::Serialize;

/// The JSON shape; it is part of the interface.
#[derive(Serialize, Debug)]
struct Report<'a> {
    source: String,
    profile: Option<&'a str>,
    username: Option<&'a str>,
    access_expires_at: Option<String>,
    session_expires_at: Option<String>,
    warnings: Vec<String>,
}

pub(crate) fn run(call: &Call) -> Result<()> {
    let session = call.open(Mode::OneShot)?;
    if *session.source() == Source::AccessToken {
        return Err(Fail::usage("CDSE_ACCESS_TOKEN is used as it is and cannot be renewed")
            .hint("unset CDSE_ACCESS_TOKEN to renew the session that is stored"));
    }
    signals::protect(session.manager());
    let told = progress::show(session.manager());
    let renewed = session.manager().force_refresh();
    // Also one that takes longer than this caller waits is finished: its answer may be the only one.
    let settled = session.manager().settle();
    renewed.and(settled).map_err(|error| explain::of(&session, error))?;
    drop(told);
    let status = session.manager().status();
    let end = status.access_expires_at.map(time::for_people).unwrap_or_default();
    output::note(&format!("renewed ({}): the access token is valid until {end}", session.source()));
    explain::news(&session).iter().for_each(|problem| output::warn(&problem.to_string()));
    output::answer(&Report {
        source: session.source().to_string(),
        profile: session.source().profile().map(Name::as_str),
        username: session.username(),
        access_expires_at: status.access_expires_at.and_then(time::rfc3339),
        session_expires_at: status.session_expires_at.and_then(time::rfc3339),
        warnings: output::warnings(),
    })
}
