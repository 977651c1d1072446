//! `cdse auth header-file`: the header in a file, for programs that read it from there (`GDAL_HTTP_HEADER_FILE`,
//! `curl -H @PATH`).

use std::path::{Path, PathBuf};

use cdse_auth::DataService;
use cdse_credentials::{Mode, input as check};
use cdse_http::{Form, TokenFile};

use crate::args::call::Call;
use crate::args::service;
use crate::commands::keeping::{Keeping, Pace};
use crate::process::signals;
use crate::report::fail::{Fail, Result};
use crate::report::{explain, output, progress};

#[derive(clap::Args, Debug)]
pub(crate) struct Command {
    /// File to write; only you can read it, and it is replaced atomically
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Keep running, replace the file at each renewal, and remove it at the end
    #[arg(long)]
    watch: bool,
    /// Keep the session in memory, for this process alone, and end it with the process
    #[arg(long, value_name = "STORE", value_enum, requires = "watch")]
    store: Option<KeptIn>,
    /// Fail, before any request, unless this kind of credential reaches the service
    #[arg(long = "for", value_name = "SERVICE", value_parser = service::parser())]
    service: Option<DataService>,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum KeptIn {
    Memory,
}

impl Command {
    pub(crate) fn run(&self, call: &Call) -> Result<()> {
        let file = header_file(&self.path)?;
        let mode = match (self.watch, self.store) {
            (_, Some(KeptIn::Memory)) => Mode::InMemory,
            (true, None) => Mode::KeepAlive,
            (false, None) => Mode::OneShot,
        };
        if self.service.is_some() {
            // With a session that renews nothing by itself: no request comes before this.
            let mode = if mode == Mode::KeepAlive { Mode::OneShot } else { mode };
            explain::check_reach(&call.open(mode)?, self.service)?;
        }
        let session = call.open(mode)?;
        signals::protect(session.manager());
        let told = progress::show(session.manager());
        let keeping =
            Keeping { session: &session, files: vec![file], pace: Pace::Watch, meanwhile: "still watching".to_owned() };
        if self.watch { watch(keeping, &self.path, told) } else { once(keeping) }
    }
}

/// Whatever else stands there is somebody's file.
fn header_file(path: &Path) -> Result<TokenFile> {
    if path.as_os_str() == "-" {
        return Err(Fail::usage("- names no file: `cdse auth token --format header` prints the header"));
    }
    check::check_expanded(path).map_err(|why| Fail::usage(format!("{} {why}", path.display())))?;
    Ok(TokenFile::new(path, Form::Header)?)
}

fn once(mut keeping: Keeping<'_>) -> Result<()> {
    let session = keeping.session;
    let header = session.manager().authorization_header().map_err(|error| explain::of(session, error))?;
    let written = keeping.begin(&header);
    explain::say_what_was_mended(session);
    session.manager().settle().map_err(|error| explain::of(session, error))?;
    written
}

/// Until a signal comes. A session that has ended is waited for: a login elsewhere brings it back.
fn watch(mut keeping: Keeping<'_>, path: &Path, told: progress::Shown) -> Result<()> {
    let session = keeping.session;
    let unfinished = signals::hold_the_end();
    let first = match session.manager().authorization_header() {
        Ok(header) => header,
        Err(error) => {
            // Explaining may wait for the signal's handler, which waits for this.
            drop(unfinished);
            return Err(explain::of(session, error));
        }
    };
    // Nothing but renewals wakes this process from here on.
    drop(told);
    if let Err(fail) = keeping.begin(&first) {
        let _ = session.manager().shutdown();
        return Err(fail);
    }
    output::note(&output::one_line(&format!("writing {} until a signal comes", path.display())));
    let ended = keeping.run();
    drop(unfinished);
    ended?;
    signals::wait_for_the_end();
}
