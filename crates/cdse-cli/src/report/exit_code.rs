//! The exit codes. They are part of the interface.

use cdse_auth::ErrorKind;

/// The exit codes and what they mean, for `cdse help exit-codes`.
pub(crate) const EXIT_CODES: &[(&str, &str)] = &[
    ("0", "success"),
    (
        "1",
        "something else: configuration, a certificate that is not trusted, an answer that is none, a damaged session file",
    ),
    ("2", "a bad argument or environment value, such as a file of authorities or a proxy that cannot be used"),
    ("4", "log in (again): no session, an ended one, refused credentials, a blocked account"),
    ("5", "try again later: network, a lost answer, 429, 5xx, a lock that was waited for"),
    ("6", "a limit: the account has as many sessions open as it may"),
    ("7", "refused for safety: a foreign owner, a symbolic link, a store that cannot be written or is newer"),
    ("8", "the wrong kind of credential for this service"),
    ("128 + n", "ended by signal n"),
];

/// The exit code of what the library reports.
pub(crate) fn of(kind: ErrorKind) -> u8 {
    match kind {
        ErrorKind::Transport => 2,
        ErrorKind::CredentialsRefused
        | ErrorKind::AccountBlocked
        | ErrorKind::ReauthRequired
        | ErrorKind::StillRefused => 4,
        ErrorKind::Network | ErrorKind::ServiceUnavailable | ErrorKind::RateLimited | ErrorKind::LockWait => 5,
        ErrorKind::SessionLimit => 6,
        ErrorKind::WrongCredential => 8,
        ErrorKind::StoreUnwritable | ErrorKind::StoreUnsafe | ErrorKind::StoreNewer => 7,
        // Configuration, a certificate that is not trusted, malformed answers, a damaged or unusable store; and a manager that was shut down, which only
        // a signal does, whose handler ends the process with its own code.
        _ => 1,
    }
}
