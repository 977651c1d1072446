//! What can go wrong, and what to do about it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::sync::Arc;

/// A result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, to what, and what to do next, without a secret.
///
/// [`message`](Self::message) is one sentence; [`hint`](Self::hint), where there is one, says what to do about it. `Display`
/// shows both, separated by a semicolon; [`source`](std::error::Error::source) is the error of the system or of a library
/// that is behind it, which the sentence already tells.
///
/// Cheap to clone: one failure serves every waiter.
#[derive(Clone)]
pub struct Error(Arc<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

/// The kinds of failure, each with its name for programs.
macro_rules! kinds {
    ($($(#[doc = $doc:literal])* $kind:ident = $code:literal,)*) => {
        /// The kinds of failure. [`is_transient`](ErrorKind::is_transient) says whether waiting helps.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[doc = $doc])* $kind,)*
        }

        impl ErrorKind {
            /// A stable name for programs, such as `login_required`.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$kind => $code,)*
                }
            }
        }
    };
}

kinds! {
    /// User name, password, code or client secret were refused (the service does not say which).
    CredentialsRefused = "credentials_refused",
    /// The account has as many sessions open as the service allows.
    SessionLimit = "session_limit",
    /// The account is disabled or not fully set up.
    AccountBlocked = "account_blocked",
    /// There is no session, or it has ended, and nothing here can open another one.
    ReauthRequired = "login_required",
    /// The service still refuses a token that was renewed a moment ago.
    StillRefused = "still_refused",
    /// This kind of credential does not reach that service.
    WrongCredential = "wrong_credential",
    /// The service asks for fewer requests (429).
    RateLimited = "rate_limited",
    /// The service is temporarily unavailable (5xx), or something else answers in its place.
    ServiceUnavailable = "service_unavailable",
    /// The service was not reached, or its answer was lost on the way.
    Network = "network",
    /// Address, client id or settings are wrong; waiting does not help.
    Configuration = "configuration",
    /// The configured proxy or certificate authorities cannot be used, or there is no cryptography for TLS; nothing was sent.
    Transport = "transport",
    /// The certificate of the service, or of the proxy, was issued by an unknown authority; nothing was sent.
    UnknownAuthority = "unknown_authority",
    /// The service sent an invalid response.
    MalformedAnswer = "malformed_answer",
    /// The session store cannot be written (read-only, full, no permission).
    StoreUnwritable = "store_unwritable",
    /// The session store is not safe to use (foreign owner, symbolic link).
    StoreUnsafe = "store_unsafe",
    /// The session store was written by a newer version.
    StoreNewer = "store_newer",
    /// The session file is damaged, or is another account's.
    StoreDamaged = "store_damaged",
    /// The session store cannot be read or locked at all.
    StoreUnusable = "store_unusable",
    /// Another process holds the lock for longer than the caller would wait.
    LockWait = "lock_wait",
    /// The manager was shut down.
    ShutDown = "shut_down",
}

impl ErrorKind {
    /// Whether the same call can succeed later without any change here.
    #[must_use]
    pub fn is_transient(self) -> bool {
        matches!(self, Self::RateLimited | Self::ServiceUnavailable | Self::Network | Self::LockWait)
    }
}

impl Error {
    /// An error of `kind` with one sentence for people. The sentence must hold no secret.
    ///
    /// Stores and providers outside this crate make theirs with this.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Arc::new(Inner { kind, message: message.into(), hint: None, source: None }))
    }

    /// With what to do about it, for people. It must hold no secret.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self(Arc::new(Inner { hint: Some(hint.into()), ..Arc::unwrap_or_clone(self.0) }))
    }

    /// With the error that is behind it, which must hold no secret either.
    #[must_use]
    pub fn with_source(self, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self(Arc::new(Inner { source: Some(Arc::new(source)), ..Arc::unwrap_or_clone(self.0) }))
    }

    /// The same failure as part of another: kind, hint and source stay.
    pub(crate) fn retold(self, tell: impl FnOnce(&str) -> String) -> Self {
        let message = tell(self.message());
        Self(Arc::new(Inner { message, ..Arc::unwrap_or_clone(self.0) }))
    }

    /// The same failure as one of another kind.
    pub(crate) fn with_kind(self, kind: ErrorKind) -> Self {
        Self(Arc::new(Inner { kind, ..Arc::unwrap_or_clone(self.0) }))
    }

    /// With the advice to try later, where waiting helps and nothing else is known to. A hold says when the next try is due; this
    /// is for a failure without one.
    pub(crate) fn or_try_later(self) -> Self {
        if self.is_transient() && self.hint().is_none() { self.with_hint("try again later") } else { self }
    }

    /// What went wrong.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call can succeed later without any change here.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.kind().is_transient()
    }

    /// The sentence: what happened, to what.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it, where that is known.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }
}

impl From<cdse_files::Error> for Error {
    fn from(error: cdse_files::Error) -> Self {
        use cdse_files::ErrorKind as File;
        let kind = match error.kind() {
            File::Unsafe => ErrorKind::StoreUnsafe,
            File::Unwritable => ErrorKind::StoreUnwritable,
            File::TooLarge => ErrorKind::StoreDamaged,
            // What cannot be read, and what cannot be locked.
            _ => ErrorKind::StoreUnusable,
        };
        let hint = error.hint().map(str::to_owned);
        let message = error.message().to_owned();
        let source = error.into_io().map(|error| Arc::new(error) as _);
        Self(Arc::new(Inner { kind, message, hint, source }))
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hint() {
            Some(hint) => write!(f, "{}; {hint}", self.message()),
            None => f.write_str(self.message()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Error");
        shown.field("kind", &self.kind()).field("message", &self.message());
        if let Some(hint) = self.hint() {
            shown.field("hint", &hint);
        }
        shown.finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_ref().map(|source| &**source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn e1_only_what_passes_by_itself_is_transient() {
        use ErrorKind::{CredentialsRefused, LockWait, Network, RateLimited, ReauthRequired, ServiceUnavailable};
        for kind in [RateLimited, ServiceUnavailable, Network, LockWait] {
            assert!(Error::new(kind, "busy").is_transient(), "{kind:?}");
        }
        for kind in [CredentialsRefused, ReauthRequired, ErrorKind::Configuration, ErrorKind::StoreDamaged] {
            assert!(!Error::new(kind, "broken").is_transient(), "{kind:?}");
        }
    }

    #[test]
    fn e2_an_error_shows_its_sentence_and_names_its_kind_where_a_person_looks_for_it() {
        let error = Error::new(ErrorKind::ReauthRequired, "the session has ended");
        assert_eq!(error.to_string(), "the session has ended");
        assert_eq!(format!("{error:?}"), r#"Error { kind: ReauthRequired, message: "the session has ended" }"#);
        let error = error.with_hint("log in").with_source(fmt::Error);
        assert_eq!(error.to_string(), "the session has ended; log in");
        assert_eq!((error.message(), error.hint()), ("the session has ended", Some("log in")));
        assert!(std::error::Error::source(&error).is_some_and(<dyn std::error::Error>::is::<fmt::Error>));
        let error = error.retold(|message| format!("status: {message}")).with_kind(ErrorKind::StillRefused);
        assert_eq!(error.to_string(), "status: the session has ended; log in");
        assert!(error.kind() == ErrorKind::StillRefused && std::error::Error::source(&error).is_some());
    }

    #[test]
    fn e5_the_advice_to_wait_is_for_what_passes_by_itself() {
        let hint = |kind| Error::new(kind, "x").or_try_later().hint().map(str::to_owned);
        assert_eq!(hint(ErrorKind::Network).as_deref(), Some("try again later"));
        assert_eq!(hint(ErrorKind::Configuration), None);
        let error = Error::new(ErrorKind::Network, "x").with_hint("check the proxy");
        assert_eq!(error.or_try_later().hint(), Some("check the proxy"));
    }
}
