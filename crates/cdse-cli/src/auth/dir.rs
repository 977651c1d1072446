//! `cdse auth dir`: where sessions live.

use serde::Serialize;

use crate::cli::Global;
use crate::environment::Environment;
use crate::fail::Result;
use crate::output;
use crate::state::StateFolder;

/// The JSON shape; it is part of the interface.
#[derive(Serialize, Debug)]
struct Report {
    state_dir: String,
    sessions: String,
    profiles: String,
}

pub(crate) fn run(global: &Global, environment: &Environment) -> Result<()> {
    let state = StateFolder::of(environment)?;
    if !global.json {
        return output::stdout(&format!("{}\n", state.path().display()));
    }
    let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
    output::stdout(&output::json(&Report {
        state_dir: text(state.path()),
        sessions: text(&state.sessions()),
        profiles: text(&state.profiles()),
    }))
}
