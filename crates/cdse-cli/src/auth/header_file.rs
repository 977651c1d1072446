//! `cdse auth header-file`: the header in a file, for programs that read it from there (`GDAL_HTTP_HEADER_FILE`,
//! `curl -H @PATH`).

use std::fs;
use std::io::Read;
use std::path::PathBuf;

use cdse_auth::{DataService, ErrorKind, HeaderValue};
use zeroize::Zeroizing;

use crate::cli::Global;
use crate::environment::Environment;
use crate::fail::{Fail, Result, one_line};
use crate::session::{Pace, Session};
use crate::{output, private_file, service, signals, time, waiting};

const START: &str = "Authorization: Bearer ";

#[derive(clap::Args, Debug)]
pub(crate) struct Command {
    /// File to write; readable by you alone, replaced as a whole
    #[arg(value_name = "PATH")]
    path: PathBuf,
    /// Stay, and replace the file with each renewal; it is removed at the end
    #[arg(long)]
    watch: bool,
    /// Fail, before any request, unless this kind of credential reaches the service
    #[arg(long = "for", value_name = "SERVICE", value_parser = service::parser())]
    service: Option<DataService>,
}

impl Command {
    pub(crate) fn run(&self, global: &Global, environment: &Environment) -> Result<()> {
        self.check_path()?;
        let pace = if self.watch { Pace::KeptAlive } else { Pace::OneShot };
        if self.service.is_some() {
            // With a session that renews nothing by itself: no request comes before this.
            Session::open(global, environment)?.check_reach(self.service)?;
        }
        let session = Session::open_at(pace, global, environment)?;
        signals::protect(&session.manager);
        let told = waiting::tell(&session.manager, global);
        if self.watch { self.watch(&session, told) } else { self.once(&session) }
    }

    /// Whatever else stands there is somebody's file.
    fn check_path(&self) -> Result<()> {
        let shown = one_line(&self.path.to_string_lossy());
        let refused = |why: &str| {
            let refused = Fail::unsafe_file(format!("{shown} {why}; it was left as it is"));
            Err(refused.hint("name a new file, or the one that was written before"))
        };
        let metadata = match fs::symlink_metadata(&self.path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Fail::other(format!("{shown} cannot be used: {error}"))),
        };
        if !metadata.is_file() {
            return refused("is no plain file");
        }
        let mut start = vec![0; START.len().min(usize::try_from(metadata.len()).unwrap_or(usize::MAX))];
        let read = fs::File::open(&self.path).and_then(|mut file| file.read_exact(&mut start));
        if read.is_err() || !START.as_bytes().starts_with(&start) {
            return refused("is no header file");
        }
        Ok(())
    }

    fn once(&self, session: &Session) -> Result<()> {
        let header = session.manager.authorization_header().map_err(|error| session.explain(error))?;
        let written = self.write(&header);
        session.say_what_was_mended();
        session.manager.settle().map_err(|error| session.explain(error))?;
        written
    }

    /// Until a signal comes. A session that has ended is waited for: a login elsewhere brings it back.
    fn watch(&self, session: &Session, told: waiting::Told) -> Result<()> {
        let unfinished = signals::hold_the_end();
        let first = match session.manager.authorization_header() {
            Ok(header) => header,
            Err(error) => {
                // Explaining may wait for the signal's handler, which waits for this.
                drop(unfinished);
                return Err(session.explain(error));
            }
        };
        // Nothing but renewals wakes this process from here on.
        drop(told);
        let written = self.write(&first);
        if let Err(fail) = written {
            let _ = session.manager.settle();
            return Err(fail);
        }
        output::note(&format!("writing {} until a signal comes", one_line(&self.path.to_string_lossy())));
        let mut last = first;
        let mut said = None;
        loop {
            let generation = session.manager.status().generation;
            let trouble = match session.manager.authorization_header() {
                Ok(header) => {
                    if header != last {
                        last = header;
                        self.write(&last).unwrap_or_else(|fail| output::warn(fail.text()));
                    }
                    ending(session)
                }
                Err(error) if error.kind() == ErrorKind::ShutDown => break,
                Err(error) => Some(session.explain(error).text().to_owned()),
            };
            if trouble != said {
                trouble.iter().for_each(|text| output::warn(&format!("{text}; still watching")));
                said = trouble;
            }
            let _ = session.manager.changed(generation);
        }
        self.remove(&last);
        drop(unfinished);
        signals::wait_for_the_end();
    }

    fn write(&self, header: &HeaderValue) -> Result<()> {
        let text = line(header);
        private_file::write(&self.path, text.as_bytes()).map_err(|error| Fail::other(error.message()))
    }

    /// Only what was written here.
    fn remove(&self, last: &HeaderValue) {
        let ours = fs::read(&self.path).is_ok_and(|text| text == line(last).as_bytes());
        if ours {
            let _ = private_file::remove(&self.path);
        }
    }
}

/// A token that is valid, and that nothing can follow any more.
fn ending(session: &Session) -> Option<String> {
    let status = session.manager.status();
    if status.refreshable || status.can_log_in {
        return None;
    }
    let until = status.access_expires_at.map_or_else(|| "its end".to_owned(), time::for_people);
    Some(format!("nothing renews this token: the file is good until {until}"))
}

fn line(header: &HeaderValue) -> Zeroizing<String> {
    let value = header.to_str().unwrap_or_default();
    let mut line = Zeroizing::new(String::with_capacity(value.len() + 32));
    line.extend(["Authorization: ", value, "\n"]);
    line
}
