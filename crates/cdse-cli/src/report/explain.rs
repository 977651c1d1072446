//! The library's errors in the words of the command line.

use cdse_auth::{DataService, Error, ErrorKind, Grant, Problem, ProblemKind};
use cdse_credentials::{Session, Source};

use crate::report::fail::{Fail, Result};
use crate::report::{output, time};

/// A clock that is off by more than this makes codes fail (RFC 6238: a step is 30 s).
const A_STEP: i64 = 30;

/// Says before any request that this kind of credential does not reach the service.
pub(crate) fn check_reach(session: &Session, service: Option<DataService>) -> Result<()> {
    let grant = session.manager().as_async().slot().grant;
    service.map_or(Ok(()), |service| grant.check_reach(service)).map_err(|error| of(session, error))
}

/// Reads the store, and says what was mended: permissions that let other users read it.
pub(crate) fn say_what_was_mended(session: &Session) {
    let is_mended = |problem: &&Problem| {
        matches!(problem.kind(), ProblemKind::PermissionsCorrected | ProblemKind::OpenFile | ProblemKind::OpenFolder)
    };
    news(session).iter().filter(is_mended).for_each(|problem| output::warn(&problem.to_string()));
}

/// The problems that were not there at the login, or that the login did not tell: a file system keeps no permissions for as
/// long as it is there.
pub(crate) fn news(session: &Session) -> Vec<Problem> {
    let problems = session.manager().status().problems.into_iter();
    problems.filter(|problem| problem.kind() != ProblemKind::NoPermissions).collect()
}

/// Whose session it is, for people.
pub(crate) fn who(username: Option<&str>, grant: Grant, client: &str, unnamed: &str) -> String {
    match username {
        Some(name) => output::one_line(name),
        None if grant == Grant::ClientCredentials => format!("client {}", output::one_line(client)),
        None => unnamed.to_owned(),
    }
}

/// The failure, with what is odd about the secret that was refused.
fn suspecting(session: &Session, fail: Fail) -> Fail {
    match session.suspicion() {
        Some((name, what)) => fail.hint_first(&format!("{name} {what}")),
        None => fail,
    }
}

/// What a refusal may have to do with the second factor that was sent, or was not.
fn about_second_factor(session: &Session) -> String {
    let none =
        "no second factor was sent: an account that has one needs CDSE_TOTP, CDSE_TOTP_SECRET or CDSE_TOTP_COMMAND";
    let Some(name) = session.second_factor() else { return none.to_owned() };
    if name == "CDSE_TOTP" {
        let once = "the code in CDSE_TOTP was sent, which works once and for half a minute: set it to a new one";
        return once.to_owned();
    }
    // The service tells the time to anybody.
    let clock = match session.manager().probe().ok().and_then(|probe| probe.ahead) {
        Some(ahead) => clock_fault(ahead, A_STEP).unwrap_or_else(|| {
            "this machine's clock agrees with the service's, so compare the secret with the account's".to_owned()
        }),
        None => "`cdse auth doctor` tells whether this machine's clock is right".to_owned(),
    };
    format!("a code from {name} was sent: {clock}")
}

/// What to do about a clock that is so many seconds ahead of the service's, if that is more than `most`.
pub(crate) fn clock_fault(ahead: i64, most: i64) -> Option<String> {
    let (off, which) = (ahead.abs(), if ahead.is_negative() { "behind" } else { "ahead of" });
    (off > most).then(|| format!("this machine's clock is {off} s {which} the service's: set it"))
}

/// What the library says of a session, with the name of what has to be changed.
pub(crate) fn of(session: &Session, error: Error) -> Fail {
    let kind = error.kind();
    let message = error.message().to_owned();
    let fail = Fail::from(error);
    let damaged = kind == ErrorKind::StoreDamaged;
    let refused = matches!(kind, ErrorKind::ReauthRequired | ErrorKind::CredentialsRefused);
    let slot = session.manager().as_async().slot();
    match session.source() {
        source if kind == ErrorKind::WrongCredential => fail.message(format!("{source}: {message}")),
        Source::Profile(name) if refused && slot.grant == Grant::ClientCredentials => {
            let (client, login) = (&slot.client_id, name.login_command());
            let left = session.manager().status().access_expires_at.filter(|_| session.manager().status().logged_in);
            let left = left.map(time::for_people);
            let (message, force) = match left {
                Some(end) => (format!("cannot be renewed without its secret; it is valid until {end}"), " --force"),
                None => ("has ended; it cannot be renewed without its secret".to_owned(), ""),
            };
            fail.message(format!("the token of the client {client} {message}"))
                .hint(format!("{login} --client-id {client} --client-secret-stdin{force}"))
        }
        Source::Profile(name) if refused || damaged => fail.hint(name.login_command()),
        Source::AccessToken if refused || damaged => {
            let fail = fail
                .message("the access token in CDSE_ACCESS_TOKEN has ended or was refused, and it cannot be renewed");
            fail.hint(match session.beside() {
                Some(name) => format!("a session is stored (profile {name}): unset CDSE_ACCESS_TOKEN to use it"),
                None => "set CDSE_ACCESS_TOKEN to a new one, or unset it and `cdse auth login`".to_owned(),
            })
        }
        Source::RefreshToken if refused => fail
            .message(format!("CDSE_REFRESH_TOKEN: {message}"))
            .hint("set CDSE_REFRESH_TOKEN to a new one, or unset it and `cdse auth login`"),
        Source::Netrc(path) if refused => fail
            .message(format!("the netrc file {}: {message}", path.display()))
            .hint_first(&format!("correct the file, or `cdse auth login`; {}", about_second_factor(session))),
        Source::User if kind == ErrorKind::CredentialsRefused => {
            let fail = fail.message(format!("CDSE_USERNAME, CDSE_PASSWORD: {message}"));
            suspecting(session, fail.hint_first(&about_second_factor(session)))
        }
        Source::User if kind == ErrorKind::ReauthRequired => fail
            .message(format!("CDSE_USERNAME: {message}"))
            .hint("set CDSE_TOTP to a new code, or CDSE_TOTP_SECRET or CDSE_TOTP_COMMAND once, or `cdse auth login`"),
        Source::Client if kind == ErrorKind::CredentialsRefused => {
            suspecting(session, fail.message(format!("CDSE_CLIENT_ID, CDSE_CLIENT_SECRET: {message}")))
        }
        _ => fail,
    }
}
