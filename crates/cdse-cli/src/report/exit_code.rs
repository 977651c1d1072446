//! The exit codes. They are part of the interface.

use cdse_auth::ErrorKind;

/// The exit codes and what they mean, for `cdse help exit-codes`.
pub(crate) const EXIT_CODES: &[(&str, &str)] = &[
    ("0", "success"),
    ("1", "another error: configuration, an untrusted certificate, an invalid response, a damaged session file"),
    ("2", "an invalid argument or environment variable, such as a certificate file or a proxy that cannot be used"),
    ("4", "login required: no session, an expired session, refused credentials, a locked account"),
    ("5", "try again later: network error, lost response, 429, 5xx, a lock held by another process"),
    ("6", "the account has reached its limit of open sessions"),
    (
        "7",
        "refused for safety: another owner, a symbolic link, a store that cannot be written or is of a newer version",
    ),
    ("8", "this kind of credential does not reach the service"),
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
