//! [`TokenManager`]: the lifecycle of a session.

mod account;
mod builder;
mod caller;
mod changed;
mod core;
mod exchange;
mod explain;
mod flight;
mod fork;
mod header;
mod keep_alive;
mod logout;
mod shared;
mod status;
mod waiting;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use http::HeaderValue;

pub use self::account::Verdict;
pub use self::builder::TokenManagerBuilder;
use self::changed::Changed;
use self::core::Core;
use self::shared::{Shared, defect, logged_out};
pub use self::status::{SessionState, Status};
pub use self::waiting::{WaitCause, Waiting};
use crate::clock::span;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::Want;
use crate::record::{Grant, Slot};
use crate::secret::Fingerprint;
use crate::sync::{Arc, Mutex, lock, spawn};
use crate::token::TokenSet;

/// Answers one question: what is a valid `Authorization` header right now?
///
/// It obtains the first token, keeps it valid, shares one session between every task, process and clone, and gives the
/// session back at logout. Clones are handles of the same session.
///
/// * Thread-safe, and free of any runtime: its futures may be polled anywhere. Renewals run on a thread of its own.
/// * Fork-safe: a forked process begins anew with the same settings. It shares a session that is stored for several processes;
///   one that only its parent knows stays its parent's, whose refresh token it never sends. It keeps no session alive.
/// * Cancel-safe: dropping any of its futures loses nothing; a renewal that has begun goes on and is saved.
/// * Dropping the last handle ends nothing: a session that only this process knows is ended by
///   [`shutdown`](Self::shutdown) or [`logout`](Self::logout).
///
/// [`login`](Self::login) returns a [`Login`], which is not a session: it only says whether the call opened one or found one.
/// Four calls end something. Two are about the session: [`logout`](Self::logout) ends it at the identity service and removes
/// it here, and calls for a token fail until the next login; [`clear`](Self::clear) only discards its tokens, and the next
/// call may log in by itself. Two are about the manager, after which calls for a token fail: [`settle`](Self::settle) waits
/// until a running renewal is saved and keeps the session, for a program that ends and whose session is stored;
/// [`shutdown`](Self::shutdown) does the same, then logs out a session that no other process could use.
///
/// ```no_run
/// use cdse_auth::{PasswordAuth, TokenManager};
///
/// # async fn example() -> cdse_auth::Result<()> {
/// let manager = TokenManager::new(PasswordAuth::new("user@example.com", "not-a-real-password"))?;
/// let header = manager.authorization_header().await?;
/// // … send a request with it; when the service answers 401:
/// let header = manager.force_refresh_after(&header).await?;
/// manager.logout().await
/// # }
/// ```
#[derive(Clone)]
pub struct TokenManager {
    core: Arc<Core>,
    _handle: Arc<Handle>,
}

/// The last handle wakes what sleeps on the manager's behalf.
struct Handle(Arc<Core>);

impl Drop for Handle {
    fn drop(&mut self) {
        if let Some(core) = self.0.begun_here() {
            let mut shared = core.shared();
            (shared.abandoned, shared.changed) = (true, true);
        }
    }
}

impl TokenManager {
    /// What this process works with. The header is looked for in `core` itself, because asking which process this is costs more
    /// than it does.
    fn core(&self) -> &Arc<Core> {
        self.core.here()
    }

    /// In a forked process: a handle of what the manager began anew there, which serves a fresh header as fast as the first one did
    /// in its own process. In any other process it is a clone.
    #[must_use]
    pub fn in_this_process(&self) -> Self {
        let core = Arc::clone(self.core());
        if Arc::ptr_eq(&core, &self.core) {
            self.clone()
        } else {
            Self { _handle: Arc::new(Handle(Arc::clone(&core))), core }
        }
    }

    /// A valid `Authorization` header value, marked sensitive.
    ///
    /// While the token is fresh this costs some 10 ns: no wait, no I/O, no allocation. A token that is due is served at
    /// once and renewed in the background; in its last seconds a caller waits a little for the new one; without a valid token
    /// a caller waits for as long as its [patience](TokenManagerBuilder::patience).
    ///
    /// # Errors
    ///
    /// Never while a token is valid. Otherwise [`Error`] says what to do; `is_transient()` says whether waiting helps.
    pub async fn authorization_header(&self) -> Result<HeaderValue> {
        if let Some(header) = self.fresh_header().or_else(|| self.core.fresh_in_fork()) {
            return Ok(header);
        }
        Box::pin(self.core().obtain(Want::Fresh, None)).await
    }

    /// The header if the token is fresh, else whatever `stale` gives.
    #[inline(always)]
    pub(crate) fn fresh_header_or(&self, stale: impl FnOnce() -> Result<HeaderValue>) -> Result<HeaderValue> {
        self.core.header.get(&self.core.clock, Ok, stale)
    }

    /// The header if the token is fresh: what [`authorization_header`](Self::authorization_header) tries first.
    ///
    /// Never waits, from any number of threads. `None` is not an error: the token is not fresh, this is a forked process (see
    /// [`in_this_process`](Self::in_this_process)) or, in theory, eight threads
    /// were stopped within the same few nanoseconds of this call.
    #[inline(always)]
    #[must_use]
    pub fn fresh_header(&self) -> Option<HeaderValue> {
        self.core.header.get(&self.core.clock, Some, || None)
    }

    /// A header whose token is valid for at least `min_validity` from now.
    ///
    /// If new tokens do not live that long, it has a new one. If the answer to a renewal was lost, it has the present one until
    /// that may be renewed again.
    ///
    /// # Errors
    ///
    /// When the token is valid for less and its renewal fails: [`Error`] says what to do, and `is_transient()` whether
    /// waiting helps. [`ErrorKind::ReauthRequired`] when nothing here can renew it or log in.
    pub async fn header_for(&self, min_validity: Duration) -> Result<HeaderValue> {
        Box::pin(self.core().obtain(Want::Validity(span(min_validity)), None)).await
    }

    /// The tokens behind the header, valid for at least `min_validity`.
    ///
    /// # Errors
    ///
    /// When the token is valid for less and its renewal fails: [`Error`] says what to do, and `is_transient()` whether
    /// waiting helps. [`ErrorKind::ReauthRequired`] when nothing here can renew it or log in, or the session was logged out
    /// meanwhile.
    pub async fn tokens(&self, min_validity: Duration) -> Result<TokenSet> {
        let want = if min_validity.is_zero() { Want::Fresh } else { Want::Validity(span(min_validity)) };
        let record = Box::pin(self.core().reach(want, None)).await?;
        record.tokens.clone().ok_or_else(logged_out)
    }

    /// Renews the token, even a fresh one. A renewal by another caller or process that begins after this call counts.
    ///
    /// # Errors
    ///
    /// When the renewal fails: [`Error`] says what to do, and `is_transient()` whether waiting helps. A token that is still
    /// valid stays in use.
    pub async fn force_refresh(&self) -> Result<HeaderValue> {
        let want = Want::Renewal { since: self.core().clock.now().wall, not: None, after: None };
        Box::pin(self.core().obtain(want, None)).await
    }

    /// After a service refused a request with 401: another token than the one in `refused`, the header that was sent.
    ///
    /// Any number of tasks may call it at once; the first call about the current token causes one renewal.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::StillRefused`] when the refused token itself replaced a refused one a moment ago (a quarter of its life,
    /// at most a minute): renewing it again would not help. Otherwise when the renewal fails.
    pub async fn force_refresh_after(&self, refused: &HeaderValue) -> Result<HeaderValue> {
        let text = refused.to_str().unwrap_or_default();
        let parts = text.split_at_checked("Bearer ".len()).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("Bearer "));
        let token = parts.map_or(text, |(_, token)| token);
        Box::pin(self.core().obtain(Want::Not(Fingerprint::of(token)), None)).await
    }

    /// Logs in, unless the store has a live session.
    ///
    /// # Errors
    ///
    /// When the login fails; what was stored before is then still there. [`ErrorKind::Configuration`] for a fixed access
    /// token, which cannot log in.
    pub async fn login(&self) -> Result<Login> {
        let before = self.core().shared().last_login;
        self.log_in(Want::Session { since: self.core().clock.now().wall }).await?;
        Ok(if self.core().shared().last_login > before { Login::Opened } else { Login::AlreadyOpen })
    }

    /// Logs in even if the store has a live session, and then ends that one.
    ///
    /// # Errors
    ///
    /// When the login fails; the stored session then stays open. [`ErrorKind::Configuration`] for a fixed access token, which
    /// cannot log in.
    pub async fn force_login(&self) -> Result<()> {
        self.log_in(Want::NewSession { since: self.core().clock.now().wall }).await
    }

    async fn log_in(&self, want: Want) -> Result<()> {
        if self.core().slot.grant == Grant::AccessToken {
            let why = "a fixed access token is used as it is, and cannot log in";
            return Err(Error::new(ErrorKind::Configuration, why));
        }
        self.core().be_open();
        Box::pin(self.core().reach(want, None)).await.map(drop)
    }

    /// Ends the session at the identity service and removes it from the store. A running renewal, of this process or another,
    /// does not bring it back: the call waits for it, up to its patience and at most 30 s.
    ///
    /// # Errors
    ///
    /// When the service could not be reached or did not end the session: the local copy is removed all the same, and the
    /// session stays open until it ends by itself. When the store could not be written.
    pub async fn logout(&self) -> Result<()> {
        self.on_own_thread(logout::logout).await
    }

    /// Discards the cached tokens, in memory and in the store; the next call obtains new ones if the provider can log in.
    /// It waits for a running exchange (at most 30 s where another process holds the lock): callers that waited for that
    /// exchange get its token. The session at the service is not ended now, but by the next login.
    ///
    /// # Errors
    ///
    /// When the store could not be read or written.
    pub async fn clear(&self) -> Result<()> {
        self.on_own_thread(logout::clear).await
    }

    /// Ends the manager: no renewal begins any more, a running one is saved, and a session that only this process knows is
    /// logged out. Every later call for a token fails with [`ErrorKind::ShutDown`].
    ///
    /// # Errors
    ///
    /// When a session that only this process knows could not be ended at the service; when the token of the last renewal
    /// could not be saved.
    pub async fn shutdown(&self) -> Result<()> {
        let settled = self.settle().await;
        let unknown = self.core().shared().unsaved.as_ref().is_some_and(|unsaved| unsaved.opened_here);
        let private = logout::is_private(self.core()) || unknown;
        if private && self.core().slot.grant != Grant::AccessToken {
            self.on_own_thread(logout::logout_what_is_seen).await?;
        }
        settled
    }

    /// Ends the manager but keeps the session: no renewal begins any more, and a running renewal or logout is waited for. It
    /// is for a program that ends, or is told to, and whose session is stored.
    ///
    /// # Errors
    ///
    /// When the token of the last renewal could not be saved: it is lost with this process.
    pub async fn settle(&self) -> Result<()> {
        {
            let mut shared = self.core().shared();
            (shared.closing, shared.changed) = (true, true);
            self.core().header.clear();
        }
        let at_rest = |shared: &Shared| shared.flight.as_ref().is_none_or(|flight| flight.asking);
        Changed::new(self.core(), at_rest).await;
        self.on_own_thread(exchange::save_what_is_unsaved).await
    }

    /// Runs `action` while no exchange is running here: for stopping the process (Ctrl-Z), which must not happen between
    /// sending a one-time token and saving its successor. Blocks for as long as an exchange takes.
    pub fn between_exchanges<T>(&self, action: impl FnOnce() -> T) -> T {
        let _section = lock(&self.core().section);
        action()
    }

    /// Sets up what requests need: reads the certificate authorities and checks the proxy. Nothing is sent. Without this call
    /// the first request does it; a program can find out before it asks a user for a password.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Transport`] for a configured proxy or certificate authorities that cannot be used;
    /// [`ErrorKind::Configuration`] where there are no authorities at all.
    pub fn prepare(&self) -> Result<()> {
        self.core().service.prepare()
    }

    /// A snapshot without secrets. Reads the store.
    #[must_use]
    pub fn status(&self) -> Status {
        status::status(self.core())
    }

    /// What this manager waits for, if it waits, for progress messages. Returns at once and does not read the store.
    #[must_use]
    pub fn waiting(&self) -> Option<Waiting> {
        self.core().shared().waiting.clone()
    }

    /// Waits until the record is no longer the one of `generation` (see [`Status::generation`]), or the manager is shut down.
    /// It notices its own renewals at once, and those of other processes when it reads the store.
    pub async fn changed(&self, generation: u64) -> Status {
        let other = move |shared: &Shared| {
            shared.closing || shared.seen.as_ref().map_or(0, |seen| seen.record.generation) != generation
        };
        Changed::new(self.core(), other).await;
        self.status()
    }

    /// The slot that this manager works on.
    #[must_use]
    pub fn slot(&self) -> &Slot {
        &self.core.slot
    }

    /// Blocking work, which must not hold up whoever polls.
    async fn on_own_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Core) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let core = Arc::clone(self.core());
        let result: Arc<Mutex<Option<Result<T>>>> = Arc::default();
        let theirs = Arc::clone(&result);
        let work = Arc::new(Mutex::new(Some(work)));
        let mine = Arc::clone(&work);
        let take = |work: &Mutex<Option<_>>| lock(work).take();
        let started = spawn("cdse-auth", move || {
            if let Some(work) = take(&work) {
                // A store of somebody else's may panic, and its caller must not wait for ever.
                let done = catch_unwind(AssertUnwindSafe(|| work(&core))).unwrap_or_else(|_| Err(defect()));
                *lock(&theirs) = Some(done);
                core.wake_all();
            }
        });
        if started.is_err()
            && let Some(work) = lock(&mine).take()
        {
            return work(self.core());
        }
        Changed::new(self.core(), |_: &Shared| lock(&result).is_some()).await;
        let done = lock(&result).take();
        done.unwrap_or_else(|| Err(logged_out()))
    }
}

/// What [`TokenManager::login`] did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Login {
    /// It opened a session.
    Opened,
    /// The store already had a live session.
    AlreadyOpen,
}

impl fmt::Debug for TokenManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenManager").field("slot", &self.core.slot).finish_non_exhaustive()
    }
}
