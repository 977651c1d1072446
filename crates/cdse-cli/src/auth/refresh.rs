//! `cdse auth refresh`: renew now.

use crate::cli::Global;
use crate::environment::Environment;
use crate::fail::{Fail, Result};
use crate::session::Session;
use crate::source::Source;
use crate::{output, signals, time, waiting};

pub(crate) fn run(global: &Global, environment: &Environment) -> Result<()> {
    let session = Session::open(global, environment)?;
    if session.source == Source::AccessToken {
        return Err(Fail::usage("CDSE_ACCESS_TOKEN is used as it is: there is nothing to renew")
            .hint("unset CDSE_ACCESS_TOKEN to renew the session that is stored"));
    }
    signals::protect(&session.manager);
    let told = waiting::tell(&session.manager, global);
    session.manager.force_refresh().map_err(|error| session.explain(error))?;
    session.manager.settle().map_err(|error| session.explain(error))?;
    drop(told);
    let status = session.manager.status();
    let end = status.access_expires_at.map(time::for_people).unwrap_or_default();
    output::note(&format!("renewed ({}): the access token is valid until {end}", session.source.describe()));
    session.news().iter().for_each(|problem| output::warn(problem));
    Ok(())
}
