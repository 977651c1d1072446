//! `cdse auth switch`: which profile is meant when nobody names one.

use clap_complete::ArgValueCandidates;

use crate::cli::Global;
use crate::environment::Environment;
use crate::fail::{Fail, Result, one_line};
use crate::profile::{Name, Profile};
use crate::source::{self, Source};
use crate::state::StateFolder;
use crate::{active, complete, output};

#[derive(clap::Args, Debug)]
pub(crate) struct Command {
    /// Profile to use from now on
    #[arg(value_name = "NAME", value_parser = Name::parse, add = ArgValueCandidates::new(complete::profiles))]
    name: Name,
}

impl Command {
    pub(crate) fn run(&self, global: &Global, environment: &Environment) -> Result<()> {
        if global.profile.is_some() {
            return Err(Fail::usage("the profile to switch to is given as NAME, not with --profile"));
        }
        let state = StateFolder::of(environment)?;
        let Some(profile) = Profile::load(&state, &self.name)? else {
            return Err(Fail::usage(format!("there is no profile {}", self.name))
                .hint(format!("see `cdse auth list`, or `{}`", source::login_command(&self.name))));
        };
        active::save(&state, &self.name)?;
        let who = profile.username.as_ref().unwrap_or(&profile.client_id);
        output::note(&format!("profile {} ({}) is used from now on", self.name, one_line(who)));
        match source::choose(global, environment) {
            Ok(Source::Profile(name)) if name == self.name => {}
            Ok(Source::Profile(_)) => output::note("note: CDSE_PROFILE is set and wins; unset it"),
            Ok(other) => output::note(&format!("note: {} is set and wins; unset it", other.describe())),
            Err(_) => {}
        }
        Ok(())
    }
}
