//! `cdse auth header-file`: the header in a file, for programs that read it from there (`GDAL_HTTP_HEADER_FILE`,
//! `curl -H @PATH`).

use crate::args::call::Call;
use crate::args::service;
use crate::process::signals;
use crate::report::fail::{Fail, Result};
use crate::report::{explain, output, progress, time};
use cdse_credentials::{Mode, Session, Source, input as check};
use cdse_files::{ErrorKind as FileErrorKind, PrivateFile};
use std::fs;
use std::io;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, SystemTime};

use cdse_auth::{DataService, Error, ErrorKind, Grant, HeaderValue, TokenStore};
use zeroize::Zeroizing;

const START: &str = "Authorization: Bearer ";

/// How often a watch looks at its file.
const LOOK: Duration = Duration::from_millis(250);
/// Looks from one look at the store to the next, for what others have stored: each second, and a keyring, which is asked by
/// way of other processes, every five.
const LOOKS_PER_STORE: u32 = 4;
const LOOKS_PER_KEYRING: u32 = 20;
/// Looks after a write that failed until the next try: 1 s, then twice as long each time, up to half a minute.
const FIRST_PAUSE: u32 = 4;
const LONGEST_PAUSE: u32 = 120;
/// Looks for which a file may be another one before that is said: another watch of this path may have a renewal first.
const STRANGE: u32 = 12;

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
        let file = HeaderFile::at(&self.path)?;
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
        if self.watch { watch(file, &session, told) } else { once(file, &session) }
    }
}

fn once(mut file: HeaderFile, session: &Session) -> Result<()> {
    let header = session.manager().authorization_header().map_err(|error| explain::of(session, error))?;
    let written = file.write(&line(&header));
    explain::say_what_was_mended(session);
    session.manager().settle().map_err(|error| explain::of(session, error))?;
    written
}

/// Until a signal comes. A session that has ended is waited for: a login elsewhere brings it back.
fn watch(mut file: HeaderFile, session: &Session, told: progress::Shown) -> Result<()> {
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
    if let Err(fail) = file.write(&line(&first)) {
        let _ = session.manager().shutdown();
        return Err(fail);
    }
    output::note(&format!("writing {} until a signal comes", file.shown()));
    let ended = std::thread::scope(|scope| {
        let (send, news) = mpsc::channel();
        let started = std::thread::Builder::new().spawn_scoped(scope, move || follow(session, &send));
        let ended = match started {
            Ok(_) => tend(&mut file, session, &news),
            Err(error) => Err(Fail::other(format!("no thread could be started: {error}"))),
        };
        file.remove();
        // A session in memory is known to nobody else, and whoever follows it stops.
        session.manager().shutdown().unwrap_or_else(|error| output::warn(error.message()));
        ended
    });
    drop(unfinished);
    ended?;
    signals::wait_for_the_end();
}

/// What there is to write by now.
struct News {
    header: Option<HeaderValue>,
    /// When that ends, where it is known.
    until: Option<SystemTime>,
    trouble: Option<String>,
}

/// Tells of each change, until the manager is shut down.
fn follow(session: &Session, news: &Sender<News>) {
    loop {
        let generation = session.manager().status().generation;
        let next = match session.manager().authorization_header() {
            Ok(header) => current(session, header),
            Err(error) if error.kind() == ErrorKind::ShutDown => return,
            Err(error) => News { header: None, until: None, trouble: Some(explain::of(session, error).message) },
        };
        if news.send(next).is_err() {
            return;
        }
        let _ = session.manager().changed(generation);
    }
}

/// A header whose session the service has ended is none, however long it would have been valid: the services refuse it.
fn current(session: &Session, header: HeaderValue) -> News {
    let status = session.manager().status();
    let until = status.access_expires_at;
    // Of these `refreshable` says no more than that the token is valid.
    let is_alone = matches!(status.grant, Grant::AccessToken | Grant::ClientCredentials);
    if (status.refreshable && !is_alone) || status.can_log_in {
        return News { header: Some(header), until, trouble: None };
    }
    let tokens = session.store().and_then(|store| store.load().ok().flatten());
    let could_renew = tokens.is_some_and(|tokens| tokens.refresh_token().is_some());
    if could_renew && !is_alone {
        let why = status.last_error.filter(|error| error.kind() != ErrorKind::ShutDown);
        let why = why.map_or_else(|| "the session has ended".to_owned(), |error| explain::of(session, error).message);
        return News { header: None, until: None, trouble: Some(why) };
    }
    let end = until.map_or_else(|| "its end".to_owned(), time::for_people);
    let trouble = format!("nothing renews this token: the file is good until {end}");
    News { header: Some(header), until, trouble: Some(trouble) }
}

/// Keeps the file as it should be until the manager is shut down, or nothing can ever be written again.
fn tend(file: &mut HeaderFile, session: &Session, news: &mpsc::Receiver<News>) -> Result<()> {
    let mut wanted: Option<News> = None;
    let mut said = None;
    let per_store = match session.manager().status().store.path {
        Some(_) => LOOKS_PER_STORE,
        None => LOOKS_PER_KEYRING,
    };
    for look in 1_u32.. {
        match news.recv_timeout(LOOK) {
            Ok(next) => {
                if next.trouble != said {
                    next.trouble.iter().for_each(|text| output::warn(&format!("{text}; still watching")));
                    said.clone_from(&next.trouble);
                }
                wanted = Some(next);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        }
        let Some(now) = &mut wanted else { continue };
        if now.header.is_some() && now.until.is_some_and(|until| time::seconds_until(until) <= 0) {
            now.header = None;
            if *session.source() == Source::AccessToken {
                // Nobody can bring this one back.
                file.keep(None);
                let ended = Error::new(ErrorKind::ReauthRequired, "the token has ended");
                return Err(explain::of(session, ended));
            }
            let text = "the token has ended, and nothing has renewed it".to_owned();
            output::warn(&format!("{text}; still watching"));
            said = Some(text);
        }
        file.keep(now.header.as_ref().map(line).as_ref());
        if look % per_store == 0 {
            // Reads the store, and takes over what others have stored: a login, a renewal, a logout.
            let _ = session.manager().status();
        }
    }
    Ok(())
}

/// A file at a path where others may put theirs at any time: what is there is looked at each time, and only what was written
/// here is replaced or removed.
struct HeaderFile {
    file: PrivateFile,
    /// What may be replaced: what was written last, and before that what an earlier call has left.
    ours: Option<Zeroizing<Vec<u8>>>,
    /// Looks until the next try, and how many it was the last time.
    pause: u32,
    next_pause: u32,
    strange: u32,
    said: Option<String>,
    warned: bool,
}

enum Found {
    Nothing,
    /// What was written last.
    Ours,
    /// What is to be there, whoever has written it.
    Wanted,
    Strange(String),
}

impl HeaderFile {
    /// Whatever else stands there is somebody's file.
    fn at(path: &std::path::Path) -> Result<Self> {
        let shown = output::one_line(&path.to_string_lossy());
        if path.as_os_str() == "-" {
            return Err(Fail::usage("- names no file: `cdse auth token --format header` prints the header"));
        }
        check::check_expanded(path).map_err(|why| Fail::usage(format!("{shown} {why}")))?;
        let file = PrivateFile::new(path);
        let ours = match file.read() {
            Ok(None) => None,
            Ok(Some(text)) if START.as_bytes().starts_with(&text) || text.starts_with(START.as_bytes()) => Some(text),
            Ok(Some(_)) => return Err(refused(&shown, "is not a header file")),
            Err(_) if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) => {
                return Err(refused(&shown, "is not a regular file"));
            }
            Err(error) if error.kind() == FileErrorKind::Unsafe && path.exists() => {
                return Err(refused(&shown, "is another user's file"));
            }
            Err(error) => return Err(Fail::other(format!("{shown} cannot be used: {error}"))),
        };
        Ok(Self { file, ours, pause: 0, next_pause: FIRST_PAUSE, strange: 0, said: None, warned: false })
    }

    fn shown(&self) -> String {
        output::one_line(&self.file.path().to_string_lossy())
    }

    fn look(&self, wanted: Option<&Zeroizing<String>>) -> Found {
        let text = match self.file.read() {
            Ok(None) => return Found::Nothing,
            Ok(Some(text)) => text,
            Err(error) => return Found::Strange(error.message().to_owned()),
        };
        if wanted.is_some_and(|wanted| wanted.as_bytes() == &text[..]) {
            Found::Wanted
        } else if self.ours.as_ref() == Some(&text) {
            Found::Ours
        } else {
            Found::Strange(format!("{} was replaced by another program", self.shown()))
        }
    }

    /// Writes the line, unless something else has come to stand there.
    fn write(&mut self, line: &Zeroizing<String>) -> Result<()> {
        match self.look(Some(line)) {
            Found::Strange(_) => Err(refused(&self.shown(), "has become another file meanwhile")),
            // A file that others can read is not made safe by what is in it.
            _ => self.replace(line),
        }
    }

    fn replace(&mut self, line: &Zeroizing<String>) -> Result<()> {
        self.file.replace(line.as_bytes()).map_err(|error| match error.kind() {
            FileErrorKind::Unsafe => Fail::unsafe_file(error.message()).hint("name a file in a folder of your own"),
            _ => Fail::other(error.message()),
        })?;
        self.is_written(line);
        Ok(())
    }

    fn is_written(&mut self, line: &Zeroizing<String>) {
        self.ours = Some(Zeroizing::new(line.as_bytes().to_vec()));
        if self.file.is_open_to_others() && !std::mem::replace(&mut self.warned, true) {
            let what = format!("other users of this machine may be able to read {}", self.shown());
            output::warn(&format!("{what}: its file system keeps no permissions"));
        }
    }

    /// One look, and what it takes for the file to hold the line, or nothing.
    fn keep(&mut self, wanted: Option<&Zeroizing<String>>) {
        let found = self.look(wanted);
        if let Found::Strange(why) = &found {
            self.strange += 1;
            if self.strange >= STRANGE {
                self.say(format!("{why}; it is left as it is"));
            }
            return;
        }
        self.strange = 0;
        if self.pause > 0 && !matches!(found, Found::Wanted) {
            self.pause -= 1;
            return;
        }
        let done = match (found, wanted) {
            (Found::Nothing | Found::Ours, Some(line)) => self.replace(line),
            (Found::Wanted, Some(line)) => {
                self.is_written(line);
                Ok(())
            }
            (Found::Ours, None) => {
                self.take_away().map_err(|why| Fail::other(format!("{why}; the token in it is of no use any more")))
            }
            _ => Ok(()),
        };
        match done {
            Ok(()) => {
                self.next_pause = FIRST_PAUSE;
                if self.said.take().is_some() {
                    output::note(&format!("{} is up to date again", self.shown()));
                }
            }
            Err(fail) => {
                self.pause = self.next_pause;
                self.next_pause = (self.next_pause * 2).min(LONGEST_PAUSE);
                self.say(format!("{}; trying again", fail.message));
            }
        }
    }

    fn say(&mut self, text: String) {
        if self.said.as_ref() != Some(&text) {
            output::warn(&text);
            self.said = Some(text);
        }
    }

    /// Removes it, or, in a folder that takes no changes, empties it.
    fn take_away(&self) -> Result<(), String> {
        let empty = || fs::File::options().write(true).open(self.file.path()).and_then(|file| file.set_len(0));
        match fs::remove_file(self.file.path()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound && empty().is_err() => {
                Err(format!("{} cannot be removed: {error}", self.shown()))
            }
            _ => Ok(()),
        }
    }

    /// At the end: no token stays.
    fn remove(&self) {
        if matches!(self.look(None), Found::Ours)
            && let Err(why) = self.take_away()
        {
            output::warn(&format!("{why}; it still holds a token: remove it yourself"));
        }
    }
}

fn refused(shown: &str, why: &str) -> Fail {
    Fail::unsafe_file(format!("{shown} {why}; it was left as it is"))
        .hint("name a new file, or the one that was written before")
}

fn line(header: &HeaderValue) -> Zeroizing<String> {
    let value = header.to_str().unwrap_or_default();
    let mut line = Zeroizing::new(String::with_capacity(value.len() + 32));
    line.extend(["Authorization: ", value, "\n"]);
    line
}
