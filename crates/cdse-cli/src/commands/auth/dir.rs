//! `cdse auth dir`: where sessions live.

use crate::args::call::Call;
use crate::report::fail::Result;
use crate::report::output;
use serde::Serialize;

/// The JSON shape; it is part of the interface.
#[derive(Serialize, Debug)]
struct Report {
    state_dir: String,
    sessions: String,
    profiles: String,
}

pub(crate) fn run(call: &Call) -> Result<()> {
    let state = call.state()?;
    if !output::is_json() {
        return output::stdout(&format!("{}\n", state.path().display()));
    }
    let text = |path: &std::path::Path| path.to_string_lossy().into_owned();
    output::answer(&Report {
        state_dir: text(state.path()),
        sessions: text(&state.sessions()),
        profiles: text(&state.profiles()),
    })
}
