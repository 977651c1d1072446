//! The environment, read once. An empty variable counts as unset.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use cdse_auth::{DEFAULT_REALM_URL, PasswordAuth, Secret, TotpSecret};

use crate::error::{Error, Result};
use crate::input::{self, check_name};
use crate::name::Name;
use crate::secret_command::SecretCommand;
use crate::secret_text;

/// What the environment says, and two settings that only a caller gives. `Debug` shows no secret.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Environment {
    /// `CDSE_IDENTITY_URL`: the address of another realm.
    pub identity_url: Option<String>,
    /// `CDSE_PROFILE`.
    pub profile: Option<Name>,
    /// `CDSE_SESSION`: the id of a stored session's slot, which `cdse exec` sets for what it runs.
    pub session: Option<String>,
    /// `CDSE_NO_INPUT`: nothing is asked on the terminal.
    pub no_input: bool,
    /// `CDSE_ACCESS_TOKEN`.
    pub access_token: Option<Secret>,
    /// `CDSE_REFRESH_TOKEN`, or the contents of `CDSE_REFRESH_TOKEN_FILE`.
    pub refresh_token: Option<Secret>,
    /// `CDSE_CLIENT_ID`.
    pub client_id: Option<String>,
    /// `CDSE_CLIENT_SECRET`, or the contents of `CDSE_CLIENT_SECRET_FILE`.
    pub client_secret: Option<Secret>,
    /// `CDSE_USERNAME`.
    pub username: Option<String>,
    /// `CDSE_PASSWORD`, or the contents of `CDSE_PASSWORD_FILE`.
    pub password: Option<Secret>,
    /// `CDSE_PASSWORD_COMMAND`.
    pub password_command: Option<SecretCommand>,
    /// `CDSE_TOTP`: a one-time code.
    pub totp: Option<Secret>,
    /// `CDSE_TOTP_SECRET`, or the contents of `CDSE_TOTP_SECRET_FILE`.
    pub totp_secret: Option<Secret>,
    /// The variable that the secret comes from.
    pub(crate) totp_secret_name: &'static str,
    /// `CDSE_TOTP_COMMAND`.
    pub totp_command: Option<String>,
    /// `CDSE_STATE_DIR`.
    pub state_dir: Option<PathBuf>,
    /// `XDG_STATE_HOME`.
    pub xdg_state_home: Option<PathBuf>,
    /// `HOME`, if it is a folder that can be one, else the home folder in the system's list of users.
    pub home: Option<PathBuf>,
    /// `NETRC`.
    pub netrc: Option<PathBuf>,
    /// How long a call waits for a token, a login or another process, and a secret command for its program. No variable:
    /// `None` unless the caller sets it.
    pub timeout: Option<Duration>,
    /// Certificate authorities in PEM beside the system's. No variable: `None` unless the caller sets it.
    pub ca_bundle: Option<PathBuf>,
}

impl Environment {
    /// Reads the variables.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidConfig`] with the name of a variable whose value cannot be used, or that excludes another one.
    pub fn read() -> Result<Self> {
        let environment = Self::from(|name| env::var_os(name))?;
        let home = environment.home.filter(|home| is_home(home)).or_else(home_of_user);
        Ok(Self { home, ..environment })
    }

    /// The realm to log in at.
    #[must_use]
    pub fn realm(&self) -> &str {
        self.identity_url.as_deref().unwrap_or(DEFAULT_REALM_URL)
    }

    /// Whether a one-time code, or a source of codes, is given.
    #[must_use]
    pub fn has_one_time_code(&self) -> bool {
        self.totp.is_some() || self.totp_secret.is_some() || self.totp_command.is_some()
    }

    /// The variables of the second factor that are set.
    pub(crate) fn second_factors(&self) -> impl Iterator<Item = &'static str> {
        let given = [
            ("CDSE_TOTP", self.totp.is_some()),
            (self.totp_secret_name, self.totp_secret.is_some()),
            ("CDSE_TOTP_COMMAND", self.totp_command.is_some()),
        ];
        given.into_iter().filter_map(|(name, given)| given.then_some(name))
    }

    /// `user` with the one-time code, or the source of codes, that the environment names.
    ///
    /// # Errors
    ///
    /// [`Error::InvalidConfig`] where two of them are set, or one cannot be used.
    pub fn with_one_time_code(&self, user: PasswordAuth) -> Result<PasswordAuth> {
        let mut given = self.second_factors();
        if let (Some(one), Some(other)) = (given.next(), given.next()) {
            return Err(both(one, other));
        }
        if let Some(code) = &self.totp {
            let code = input::code(code.expose());
            return Ok(user.with_code(code.map_err(|why| Error::invalid("CDSE_TOTP", format!("CDSE_TOTP: {why}")))?));
        }
        if let Some(secret) = &self.totp_secret {
            let name = self.totp_secret_name;
            let secret = TotpSecret::new(secret.expose()).map_err(|error| {
                Error::invalid(name, format!("{name}: {}", error.message())).with_hint(error.hint())
            })?;
            return Ok(user.with_totp_secret(secret));
        }
        if let Some(command) = &self.totp_command {
            return Ok(SecretCommand::new("CDSE_TOTP_COMMAND", command)?.as_code_source(user));
        }
        Ok(user)
    }

    /// The same without any credential.
    #[must_use]
    pub fn without_credentials(&self) -> Self {
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
        let odd = |name: &str, why: &str| Error::invalid(name, format!("{name} {why}: correct or unset it"));
        let text =
            |name: &str| raw(name).map(OsString::into_string).transpose().map_err(|_| odd(name, "is not valid UTF-8"));
        let secret = |name: &str| -> Result<_> {
            let Some(value) = text(name)?.map(Secret::new) else { return Ok(None) };
            secret_text::check_visible(value.expose()).map_err(|why| odd(name, &why))?;
            Ok(Some(value))
        };
        // In the variable itself, or in a file that another one names.
        let secret_or_file = |name: &str, file: &str| -> Result<_> {
            match (secret(name)?, raw(file)) {
                (Some(_), Some(_)) => Err(both(name, file)),
                (value, None) => Ok(value),
                (None, Some(path)) => secret_text::file(file, Path::new(&path)).map(Some),
            }
        };
        let password_command = text("CDSE_PASSWORD_COMMAND")?
            .map(|text| SecretCommand::new("CDSE_PASSWORD_COMMAND", &text))
            .transpose()?;
        let password = ["CDSE_PASSWORD", "CDSE_PASSWORD_FILE"].into_iter().find(|name| raw(name).is_some());
        if let (Some(_), Some(other)) = (&password_command, password) {
            return Err(both(other, "CDSE_PASSWORD_COMMAND"));
        }
        let totp_secret_name =
            if raw("CDSE_TOTP_SECRET_FILE").is_some() { "CDSE_TOTP_SECRET_FILE" } else { "CDSE_TOTP_SECRET" };
        let plain = |name: &str| -> Result<_> {
            let value = text(name)?;
            value.as_deref().map_or(Ok(()), check_name).map_err(|why| odd(name, &why))?;
            Ok(value)
        };
        let profile = text("CDSE_PROFILE")?.map(|name| Name::parse(&name)).transpose();
        Ok(Self {
            identity_url: text("CDSE_IDENTITY_URL")?,
            profile: profile.map_err(|why| Error::invalid("CDSE_PROFILE", format!("CDSE_PROFILE: {why}")))?,
            session: text("CDSE_SESSION")?
                .map(|id| if is_slot_id(&id) { Ok(id) } else { Err(odd("CDSE_SESSION", "is not the id of a session")) })
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
        })
    }
}

fn both(one: &str, other: &str) -> Error {
    Error::invalid(other, format!("{one} and {other} are both set: unset one of them"))
}

/// As [`Slot::id`](cdse_auth::Slot::id) has it: it becomes the name of a file.
fn is_slot_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
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
        Some(_) => Err(Error::invalid(name, format!("{name} must be 1 or 0"))),
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
        let help = include_str!("../../cdse-cli/src/args/variables.rs");
        let known: Vec<&str> = help.split(|c: char| c != '_' && !c.is_ascii_uppercase()).collect();
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
            ("CDSE_SESSION", "../CANARY"),
            ("CDSE_NO_INPUT", "CANARY"),
        ] {
            let error = Environment::from(|asked| (asked == name).then(|| value.into())).unwrap_err();
            assert!(matches!(&error, Error::InvalidConfig(invalid) if invalid.name == name), "{name}");
            let shown = format!("{error:?}");
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
                Err(error) => {
                    assert!(matches!(error, Error::InvalidConfig(_)));
                    assert!(!format!("{error:?}").contains("CANARY"), "{error:?}");
                    error.message()
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
