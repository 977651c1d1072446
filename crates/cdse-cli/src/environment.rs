//! The environment, read once. An empty variable counts as unset.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cdse_auth::Secret;

use crate::cli::Global;
use crate::command::SecretCommand;
use crate::fail::{Fail, Result};
use crate::{outside, profile};

/// Every variable that is heeded, and what it does, for `cdse help environment`.
pub(crate) const VARIABLES: &[(&str, &str)] = &[
    ("CDSE_ACCESS_TOKEN", "An access token. It is used as it is, never stored and never renewed."),
    ("CDSE_REFRESH_TOKEN", "A refresh token. Its session is stored, shared and renewed like that of a login."),
    (
        "CDSE_CLIENT_ID, CDSE_CLIENT_SECRET",
        "An OAuth client of your own, for Sentinel Hub and openEO. A client does not reach downloads.",
    ),
    (
        "CDSE_USERNAME, CDSE_PASSWORD",
        "A user. The first use logs in, and so does the next one after the session has ended; processes share the session.",
    ),
    (
        "CDSE_PASSWORD_FILE, CDSE_TOTP_SECRET_FILE, CDSE_CLIENT_SECRET_FILE, CDSE_REFRESH_TOKEN_FILE",
        "A file that holds the secret, in place of the variable without _FILE; one line end is stripped. Both set: an error.",
    ),
    (
        "CDSE_PASSWORD_COMMAND",
        "A program that prints the password, in place of CDSE_PASSWORD; it runs without a shell, when no fresh token is stored.",
    ),
    ("CDSE_TOTP", "The user's one-time code, for one login within a minute."),
    ("CDSE_TOTP_SECRET", "The secret that generates the user's one-time codes: base32, or an otpauth:// address."),
    (
        "CDSE_TOTP_COMMAND",
        "A program that prints a one-time code; it runs without a shell. At most one CDSE_TOTP… may be set.",
    ),
    ("CDSE_PROFILE", "The profile in use, as --profile NAME says; but credentials in the environment win over it."),
    (
        "CDSE_LOG",
        "What is said on stderr: info as -v, debug as -vv, off; also error, warn, trace. -v and -vv win over it.",
    ),
    ("CDSE_NO_INPUT", "1: never ask on the terminal, as --no-input."),
    (
        "CDSE_IDENTITY_URL",
        "Another identity service, by the address of its realm: https://HOST/…/realms/NAME; http to this machine only.",
    ),
    (
        "CDSE_STATE_DIR",
        "The folder where sessions are stored; else $XDG_STATE_HOME/cdse, else ~/.local/state/cdse \
         (`cdse auth dir` prints it). A whole path; it must be your own, on a disk of this machine.",
    ),
    (
        "XDG_STATE_HOME, HOME",
        "Where the state folder is, unless CDSE_STATE_DIR says. Without a HOME it is that of the user's entry in the system.",
    ),
    ("NETRC", "The netrc file that --netrc reads; else ~/.netrc."),
    (
        "HTTPS_PROXY, ALL_PROXY, NO_PROXY",
        "The proxy to the identity service (http://, https://, socks5h://, socks5://), and the hosts that are reached without it, as curl reads them: names (example.org is for a.example.org too), addresses, ranges (10.0.0.0/8), or * alone; with commas or blanks between. Other forms are warned of. This machine is always reached without it.",
    ),
    ("SSL_CERT_FILE, SSL_CERT_DIR", "Certificate authorities in place of the system's."),
    (
        "NO_COLOR, CLICOLOR_FORCE, CLICOLOR, TERM",
        "No colour if NO_COLOR is not empty, CLICOLOR is 0 or TERM is dumb; colour even in a pipe if CLICOLOR_FORCE is set and \
         not 0. --color wins over all of them.",
    ),
    ("CDSE_COMPLETE", "Set by what `cdse completions` prints: answer a shell instead of running."),
];

#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    pub(crate) identity_url: Option<String>,
    pub(crate) profile: Option<profile::Name>,
    pub(crate) no_input: bool,
    pub(crate) access_token: Option<Secret>,
    pub(crate) refresh_token: Option<Secret>,
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret: Option<Secret>,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) password_command: Option<SecretCommand>,
    pub(crate) totp: Option<Secret>,
    pub(crate) totp_secret: Option<Secret>,
    /// The variable that it comes from.
    pub(crate) totp_secret_name: &'static str,
    pub(crate) totp_command: Option<String>,
    pub(crate) state_dir: Option<PathBuf>,
    pub(crate) xdg_state_home: Option<PathBuf>,
    pub(crate) home: Option<PathBuf>,
    pub(crate) netrc: Option<PathBuf>,
    /// From `--timeout` alone.
    pub(crate) timeout: Option<Duration>,
    /// From `--ca-bundle` alone.
    pub(crate) ca_bundle: Option<PathBuf>,
}

impl Environment {
    /// With what an option says in its place.
    pub(crate) fn read(global: &Global) -> Result<Self> {
        let environment = Self::from(|name| env::var_os(name))?;
        let home = environment.home.filter(|home| is_home(home)).or_else(home_of_user);
        if let Some(path) = &global.ca_bundle {
            check_expanded(path).map_err(|why| Fail::usage(format!("--ca-bundle: {} {why}", path.display())))?;
        }
        let password_command = environment.password_command.map(|command| command.within(global.timeout));
        let (ca_bundle, timeout) = (global.ca_bundle.clone(), global.timeout);
        Ok(Self { ca_bundle, timeout, home, password_command, ..environment })
    }

    /// As if none were given.
    pub(crate) fn without_credentials(&self) -> Self {
        Self {
            identity_url: self.identity_url.clone(),
            profile: self.profile.clone(),
            no_input: self.no_input,
            state_dir: self.state_dir.clone(),
            xdg_state_home: self.xdg_state_home.clone(),
            home: self.home.clone(),
            ca_bundle: self.ca_bundle.clone(),
            timeout: self.timeout,
            ..Self::default()
        }
    }

    fn from(variable: impl Fn(&str) -> Option<OsString>) -> Result<Self> {
        let raw = |name: &str| variable(name).filter(|value| !value.is_empty());
        let text = |name: &str| match raw(name).map(OsString::into_string) {
            None => Ok(None),
            Some(Ok(value)) => Ok(Some(value)),
            Some(Err(_)) => Err(Fail::usage(format!("{name} is not valid UTF-8: correct or unset it"))),
        };
        let secret = |name: &str| -> Result<_> {
            let Some(value) = text(name)?.map(Secret::new) else { return Ok(None) };
            outside::check_visible(value.expose())
                .map_err(|why| Fail::usage(format!("{name} {why}: correct or unset it")))?;
            Ok(Some(value))
        };
        // In the variable itself, or in a file that another one names.
        let secret_or_file = |name: &str, file: &str| -> Result<_> {
            match (secret(name)?, raw(file)) {
                (Some(_), Some(_)) => Err(both(name, file)),
                (value, None) => Ok(value),
                (None, Some(path)) => outside::file(file, Path::new(&path)).map(Some),
            }
        };
        let password_command = text("CDSE_PASSWORD_COMMAND")?
            .map(|text| SecretCommand::new("CDSE_PASSWORD_COMMAND", &text).map_err(Fail::usage))
            .transpose()?;
        if password_command.is_some() {
            let other = ["CDSE_PASSWORD", "CDSE_PASSWORD_FILE"].into_iter().find(|name| raw(name).is_some());
            if let Some(other) = other {
                return Err(both(other, "CDSE_PASSWORD_COMMAND"));
            }
        }
        let totp_secret_name =
            if raw("CDSE_TOTP_SECRET_FILE").is_some() { "CDSE_TOTP_SECRET_FILE" } else { "CDSE_TOTP_SECRET" };
        let plain = |name: &str| match text(name)? {
            Some(value) => check_name(&value)
                .map(|()| Some(value))
                .map_err(|why| Fail::usage(format!("{name} {why}: correct or unset it"))),
            None => Ok(None),
        };
        let environment = Self {
            identity_url: text("CDSE_IDENTITY_URL")?,
            profile: text("CDSE_PROFILE")?
                .map(|name| profile::Name::parse(&name).map_err(|why| Fail::usage(format!("CDSE_PROFILE: {why}"))))
                .transpose()?,
            no_input: switch("CDSE_NO_INPUT", text("CDSE_NO_INPUT")?.as_deref())?,
            access_token: secret("CDSE_ACCESS_TOKEN")?,
            refresh_token: secret_or_file("CDSE_REFRESH_TOKEN", "CDSE_REFRESH_TOKEN_FILE")?,
            client_id: plain("CDSE_CLIENT_ID")?,
            client_secret: secret_or_file("CDSE_CLIENT_SECRET", "CDSE_CLIENT_SECRET_FILE")?,
            username: plain("CDSE_USERNAME")?,
            password: secret_or_file("CDSE_PASSWORD", "CDSE_PASSWORD_FILE")?,
            password_command,
            totp: secret("CDSE_TOTP")?,
            totp_secret: secret_or_file("CDSE_TOTP_SECRET", "CDSE_TOTP_SECRET_FILE")?,
            totp_secret_name,
            totp_command: text("CDSE_TOTP_COMMAND")?,
            state_dir: text("CDSE_STATE_DIR")?.map(PathBuf::from),
            xdg_state_home: raw("XDG_STATE_HOME").map(PathBuf::from),
            home: raw("HOME").map(PathBuf::from),
            netrc: raw("NETRC").map(PathBuf::from),
            ca_bundle: None,
            timeout: None,
        };
        Ok(environment)
    }
}

fn both(one: &str, other: &str) -> Fail {
    Fail::usage(format!("{one} and {other} are both set: unset one of them"))
}

/// A user name or client id that somebody could have meant. It goes to the service as it is.
pub(crate) fn check_name(text: &str) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("is blank".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("holds a line end or another control character".to_owned());
    }
    if text.len() > 255 {
        return Err("is longer than any name".to_owned());
    }
    Ok(())
}

/// A path that somebody meant, not one that a shell should have expanded and nobody did: in a unit file, a cron table or a
/// container's settings `~` and `$HOME` stand for themselves.
pub(crate) fn check_expanded(path: &Path) -> Result<(), String> {
    let text = path.to_string_lossy();
    let is_name = |rest: &str| rest.starts_with(|c: char| c == '{' || c == '_' || c.is_ascii_alphabetic());
    let what = if text.starts_with('~') {
        "~"
    } else if text.split('$').skip(1).any(is_name) {
        "a variable ($)"
    } else {
        return Ok(());
    };
    Err(format!("holds {what}, which only a shell expands: write the whole path"))
}

/// For the error about a path that is not there: why, if that is why.
pub(crate) fn if_unexpanded(path: &Path) -> String {
    check_expanded(path).err().map_or_else(String::new, |why| format!("; it {why}"))
}

/// Containers and services set `HOME` to what is no home folder, or not at all.
fn is_home(path: &Path) -> bool {
    path.is_absolute() && path.parent().is_some()
}

/// What the system's list of users says.
#[cfg(unix)]
fn home_of_user() -> Option<PathBuf> {
    let user = nix::unistd::User::from_uid(nix::unistd::geteuid()).ok()??;
    Some(user.dir).filter(|home| is_home(home))
}

#[cfg(not(unix))]
fn home_of_user() -> Option<PathBuf> {
    env::home_dir().filter(|home| is_home(home))
}

fn switch(name: &str, value: Option<&str>) -> Result<bool> {
    match value.map(str::to_ascii_lowercase).as_deref() {
        Some("1" | "true" | "yes" | "on") => Ok(true),
        None | Some("0" | "false" | "no" | "off") => Ok(false),
        Some(_) => Err(Fail::usage(format!("{name} must be 1 or 0"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cli4_an_empty_variable_counts_as_unset() {
        let environment = Environment::from(|_| Some(OsString::new())).unwrap();
        assert!(environment.access_token.is_none() && environment.home.is_none() && !environment.no_input);
    }

    #[test]
    fn cli4_every_variable_that_is_read_is_in_the_help() {
        let known: Vec<&str> = VARIABLES.iter().flat_map(|(names, _)| names.split(", ")).collect();
        Environment::from(|name| {
            assert!(known.contains(&name), "{name} is not in the help");
            None
        })
        .unwrap();
    }

    #[test]
    fn cli4_an_odd_value_is_named_by_its_variable_and_not_shown() {
        for (name, value) in [
            ("CDSE_USERNAME", "a\nCANARY"),
            ("CDSE_USERNAME", "   "),
            ("CDSE_CLIENT_ID", "CANARY\r"),
            ("CDSE_PROFILE", "../CANARY"),
            ("CDSE_NO_INPUT", "CANARY"),
        ] {
            let fail = Environment::from(|asked| (asked == name).then(|| value.into())).unwrap_err();
            assert_eq!(fail.exit(), 2, "{name}");
            let shown = format!("{fail:?}");
            assert!(shown.contains(name) && !shown.contains("CANARY"), "{shown}");
        }
    }

    /// Lines `NAME=value`; what stands for a value may be anything.
    #[test]
    fn cli4_no_value_of_a_variable_is_shown() {
        cdse_fuzz::fuzz("environment", |data| {
            let lines: Vec<&[u8]> = data.split(|byte| *byte == b'\n').collect();
            let value = |name: &str| {
                let line = lines.iter().find(|line| line.starts_with(name.as_bytes()))?;
                Some(bytes_of(line.get(name.len() + 1..)?))
            };
            match Environment::from(value) {
                Ok(environment) => {
                    let shown = format!("{environment:?}");
                    // What is no secret may hold the same text.
                    let without =
                        Environment { password: None, client_secret: None, refresh_token: None, ..environment.clone() };
                    let others = format!("{without:?}");
                    for secret in [&environment.password, &environment.client_secret, &environment.refresh_token] {
                        let Some(secret) = secret else { continue };
                        // A quote at its end could be one that is shown around something else.
                        let secret = secret.expose().trim_matches(|letter: char| !letter.is_alphanumeric());
                        assert!(secret.len() <= 8 || others.contains(secret) || !shown.contains(secret));
                    }
                    format!("{} {}", environment.password.is_some(), environment.no_input)
                }
                Err(fail) => {
                    assert_eq!(fail.exit(), 2);
                    assert!(!format!("{fail:?}").contains("CANARY"), "{fail:?}");
                    fail.text().to_owned()
                }
            }
        });
    }

    #[cfg(unix)]
    fn bytes_of(value: &[u8]) -> OsString {
        std::os::unix::ffi::OsStringExt::from_vec(value.to_vec())
    }

    #[cfg(not(unix))]
    fn bytes_of(value: &[u8]) -> OsString {
        String::from_utf8_lossy(value).into_owned().into()
    }
}
