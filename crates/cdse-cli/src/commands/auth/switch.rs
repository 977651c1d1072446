//! `cdse auth switch`: which profile is meant when nobody names one.

use crate::args::call::Call;
use crate::args::candidates;
use crate::report::fail::{Fail, Result};
use crate::report::output;
use cdse_credentials::{Active, Name, Profile, Source, winner};
use clap_complete::ArgValueCandidates;
use serde::Serialize;

/// The JSON shape; it is part of the interface.
#[derive(Serialize, Debug)]
struct Report<'a> {
    profile: &'a str,
    username: Option<&'a str>,
    client_id: &'a str,
    source: Option<String>,
    warnings: Vec<String>,
}

#[derive(clap::Args, Debug)]
pub(crate) struct Command {
    /// Profile to use from now on
    #[arg(value_name = "NAME", value_parser = Name::parse, add = ArgValueCandidates::new(candidates::profiles))]
    name: Name,
}

impl Command {
    pub(crate) fn run(&self, call: &Call) -> Result<()> {
        if call.selection.profile.is_some() {
            return Err(Fail::usage("the profile to switch to is given as NAME, not with --profile"));
        }
        let state = call.state()?;
        let Some(profile) = Profile::load(&state, &self.name)? else {
            return Err(Fail::usage(format!("there is no profile {}", self.name))
                .hint(format!("see `cdse auth list`, or `{}`", self.name.login_command())));
        };
        Active::of(&state).save(&self.name)?;
        let who = profile.username.as_ref().unwrap_or(&profile.client_id);
        output::note(&format!("switched to profile {} ({})", self.name, output::one_line(who)));
        let winner = winner(&call.selection, &call.environment);
        match &winner {
            Ok(Source::Profile(name)) if *name == self.name => {}
            Ok(Source::Profile(_)) => output::remark("CDSE_PROFILE is set and takes precedence; unset it"),
            Ok(other) => output::remark(&format!("{other} is set and takes precedence; unset it")),
            Err(_) => {}
        }
        output::answer(&Report {
            profile: self.name.as_str(),
            username: profile.username.as_deref(),
            client_id: &profile.client_id,
            source: winner.ok().map(|winner| winner.to_string()),
            warnings: output::warnings(),
        })
    }
}
