//! Files with the session's token, kept up to date while something else goes on.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::time::{Duration, SystemTime};

use cdse_auth::{Error, ErrorKind, Grant, HeaderValue, TokenStore};
use cdse_credentials::{Session, Source};
use cdse_http::{Notice, TokenFile};

use crate::report::fail::{Fail, Result};
use crate::report::{explain, output, time};

/// How often somebody looks at files that others may replace.
const LOOK: Duration = Duration::from_millis(250);
/// How often somebody looks at the store where nothing else brings a token back.
const SLOW: Duration = Duration::from_secs(1);
/// Looks from one look at the store to the next, for what others have stored: each second, and a keyring, which is asked by
/// way of other processes, every five.
const LOOKS_PER_STORE: u32 = 4;
const LOOKS_PER_KEYRING: u32 = 20;

/// How closely the files are watched.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pace {
    /// Others may replace or remove them at any time, and log out in another process.
    Watch,
    /// They are this process's own: while all is well nothing but a renewal wakes it.
    Quiet,
}

/// The files, and how they are kept.
pub(crate) struct Keeping<'a> {
    pub(crate) session: &'a Session,
    pub(crate) files: Vec<TokenFile>,
    pub(crate) pace: Pace,
    /// What goes on, for the end of a warning: "still watching".
    pub(crate) meanwhile: String,
}

impl Keeping<'_> {
    /// Writes the first token. A file that other users can read is warned of.
    pub(crate) fn begin(&mut self, header: &HeaderValue) -> Result<()> {
        for file in &mut self.files {
            file.write(header)?;
            if file.is_open_to_others() {
                let what = format!("other users of this machine may be able to read {}", file.path().display());
                output::warn(&format!("{what}: its file system keeps no permissions"));
            }
        }
        Ok(())
    }

    /// Keeps them up to date until the manager is settled or shut down, and removes them. Ends earlier, with an error, where no
    /// token can ever come again.
    pub(crate) fn run(mut self) -> Result<()> {
        let session = self.session;
        std::thread::scope(|scope| {
            let (send, news) = mpsc::channel();
            let started = std::thread::Builder::new().spawn_scoped(scope, move || follow(session, &send));
            let ended = match started {
                Ok(_) => self.tend(&news),
                Err(error) => Err(Fail::other(format!("no thread could be started: {error}"))),
            };
            for file in &self.files {
                file.remove().unwrap_or_else(|error| output::warn(error.message()));
            }
            // A session in memory is known to nobody else, and whoever follows it stops.
            session.manager().shutdown().unwrap_or_else(|error| output::warn(error.message()));
            ended
        })
    }

    /// Keeps the files as they should be until nothing follows the session any more.
    fn tend(&mut self, news: &mpsc::Receiver<News>) -> Result<()> {
        let mut wanted: Option<News> = None;
        let (mut said, mut over) = (None, None);
        let per_store = match (self.pace, self.session.manager().status().store.path) {
            (Pace::Quiet, Some(_)) => 1,
            (Pace::Watch, Some(_)) => LOOKS_PER_STORE,
            (_, None) => LOOKS_PER_KEYRING,
        };
        for look in 1_u32.. {
            match news.recv_timeout(self.pause(wanted.as_ref())) {
                Ok(next) => {
                    if next.trouble != said {
                        next.trouble.iter().for_each(|text| self.warn(text));
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
                if *self.session.source() == Source::AccessToken {
                    // Nobody can bring this one back.
                    self.keep(None);
                    let ended = Error::new(ErrorKind::ReauthRequired, "the token has ended");
                    return Err(explain::of(self.session, ended));
                }
                over = Some(look);
            }
            over = over.filter(|_| now.header.is_none());
            // A process that was stopped renews it in a moment.
            if over.take_if(|since| look > *since + LOOKS_PER_STORE).is_some() {
                let text = "the token has ended, and nothing has renewed it".to_owned();
                self.warn(&text);
                said = Some(text);
            }
            let header = now.header.clone();
            self.keep(header.as_ref());
            if look % per_store == 0 && (self.pace == Pace::Watch || header.is_none()) {
                // Reads the store, and takes over what others have stored: a login, a renewal, a logout.
                let _ = self.session.manager().status();
            }
        }
        Ok(())
    }

    /// How long to wait for news.
    fn pause(&self, wanted: Option<&News>) -> Duration {
        let has_header = wanted.is_some_and(|news| news.header.is_some());
        match (self.pace, wanted.and_then(|news| news.until)) {
            (Pace::Watch, _) => LOOK,
            (Pace::Quiet, _) if !has_header || !self.files.iter().all(TokenFile::is_kept) => SLOW,
            (Pace::Quiet, None) => Duration::MAX,
            (Pace::Quiet, Some(until)) => {
                SLOW + Duration::from_secs(u64::try_from(time::seconds_until(until)).unwrap_or_default())
            }
        }
    }

    fn keep(&mut self, header: Option<&HeaderValue>) {
        for file in &mut self.files {
            match file.keep(header) {
                Some(Notice::Warning(text)) => output::warn(&text),
                Some(Notice::Recovered(text)) => output::note(&text),
                _ => {}
            }
        }
    }

    fn warn(&self, text: &str) {
        output::warn(&format!("{text}; {}", self.meanwhile));
    }
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
