//! `cdse auth list`: the accounts that are logged in here.

use crate::args::call::Call;
use crate::report::fail::Result;
use crate::report::{output, table};
use cdse_credentials::{Source, Stored, profile_in_use};
use serde::Serialize;

use super::status::Examined;

/// The JSON shape; it is part of the interface.
#[derive(Serialize, Debug)]
struct Entry {
    profile: Option<String>,
    active: bool,
    username: Option<String>,
    client_id: Option<String>,
    credential: Option<&'static str>,
    state: &'static str,
    /// Why it cannot be used, for one.
    problems: Vec<String>,
}

pub(crate) fn run(call: &Call) -> Result<()> {
    let active = Source::Profile(profile_in_use(&call.selection, &call.environment)?);
    let entry = |Stored { source, session, .. }| {
        let is_active = source == active;
        let report = Examined::stored(source, &session).report;
        Entry {
            profile: report.profile,
            active: is_active,
            username: report.username,
            client_id: report.client_id,
            credential: report.credential,
            state: report.state,
            problems: report.problems,
        }
    };
    let entries: Vec<Entry> = call.stored()?.into_iter().map(entry).collect();
    if output::is_json() {
        return output::answer(&entries);
    }
    if entries.is_empty() {
        output::note("not logged in; run `cdse auth login`");
        return Ok(());
    }
    let row = |entry: &Entry| {
        let who = match (&entry.username, entry.credential, &entry.client_id) {
            (Some(name), _, _) => output::one_line(name),
            (None, Some("client"), Some(id)) => format!("client {}", output::one_line(id)),
            _ => "-".to_owned(),
        };
        let mark = if entry.active { "*" } else { "" };
        [mark.to_owned(), entry.profile.clone().unwrap_or_else(|| "-".to_owned()), who, entry.state.to_owned()]
    };
    output::stdout(&table::of(["", "PROFILE", "ACCOUNT", "STATE"], entries.iter().map(row)))?;
    for entry in &entries {
        let name = entry.profile.as_deref().unwrap_or("a session without a profile");
        entry.problems.iter().for_each(|problem| output::warn(&format!("{name}: {problem}")));
    }
    Ok(())
}
