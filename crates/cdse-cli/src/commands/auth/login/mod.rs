//! `cdse auth login`: the one command that asks.

mod ask;
mod open;
mod target;
mod transfer;

use crate::args::call::Call;
use crate::process::input;
use crate::process::terminal::Terminal;
use crate::report::fail::{Fail, Result};
use crate::report::output;
use cdse_credentials::{Profile, SecretCommand, StoreKind, input as check, is_same_realm, profile_in_use};
use std::cell::Cell;
use std::time::Duration;

use cdse_auth::{
    AuthProvider as _, ClientCredentialsAuth, DEFAULT_CLIENT_ID, ErrorKind, Grant, PasswordAuth, RefreshTokenAuth,
    Secret,
};

use self::target::Target;

/// Longer than this a person does not look at a login that gets nowhere.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(clap::Args, Debug)]
pub(crate) struct Login {
    /// User name, usually an e-mail address [env: CDSE_USERNAME]
    #[arg(long, value_name = "NAME", value_parser = parse_name)]
    username: Option<String>,
    /// Read the password from standard input; one line end is stripped [env: CDSE_PASSWORD]
    #[arg(long, conflicts_with_all = ["password_command", "client_secret_stdin", "refresh_token_stdin"])]
    password_stdin: bool,
    /// Program that prints the password; it runs without a shell
    #[arg(long, value_name = "COMMAND")]
    password_command: Option<String>,
    /// One-time code of the second factor [env: CDSE_TOTP, CDSE_TOTP_SECRET, CDSE_TOTP_COMMAND]
    #[arg(long, value_name = "CODE", value_parser = check::code, conflicts_with = "totp_command")]
    totp: Option<Secret>,
    /// Program that prints a one-time code; it runs without a shell
    #[arg(long, value_name = "COMMAND")]
    totp_command: Option<String>,
    /// OAuth client. Defaults to cdse-public
    #[arg(long, value_name = "ID", value_parser = parse_name)]
    client_id: Option<String>,
    /// Log in as the client itself, its secret on standard input
    #[arg(long, conflicts_with_all = ["username", "password_command", "totp", "totp_command", "refresh_token_stdin"])]
    client_secret_stdin: bool,
    /// Take over a session by its refresh token, on standard input
    #[arg(long, conflicts_with_all = ["username", "password_command", "totp", "totp_command"])]
    refresh_token_stdin: bool,
    /// Where to keep the session. Defaults to where the profile keeps it now, else a file; an open session is moved
    #[arg(long, value_name = "STORE", value_enum)]
    store: Option<Kept>,
    /// Log in even if a session is open, then end the old session
    #[arg(long)]
    force: bool,
}

/// Where a session is kept.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Kept {
    /// A file of the state folder
    File,
    /// The keyring of the desktop session (Secret Service)
    Keyring,
}

fn parse_name(text: &str) -> Result<String, String> {
    check::check_name(text).map(|()| text.to_owned())
}

impl Login {
    pub(crate) fn run(self, call: &Call) -> Result<()> {
        if call.selection.netrc {
            return Err(Fail::usage("--netrc is for commands that use a session without a login: leave it out here"));
        }
        // A person sees at once that there is no network.
        let timeout = call.environment.timeout;
        let mut call = Call { selection: call.selection.clone(), environment: call.environment.clone() };
        call.environment.timeout.get_or_insert(PATIENCE);
        let call = &call;
        call.environment.check_realm()?;
        let state = call.state()?;
        let name = profile_in_use(&call.selection, &call.environment)?;
        let before = Profile::load(&state, &name)?;
        let kind = match self.store {
            Some(Kept::File) => StoreKind::File,
            Some(Kept::Keyring) => StoreKind::Keyring,
            None => before.as_ref().map(|profile| profile.store).unwrap_or_default(),
        };
        let somebody = call.terminal().is_some();
        let target = Target { state, name, before, kind, somebody, call, timeout, warned: Cell::default() };
        if self.refresh_token_stdin {
            let token = input::stdin("--refresh-token-stdin")?;
            check::check_token(&token)
                .map_err(|why| Fail::usage(format!("--refresh-token-stdin: standard input {why}")))?;
            let client = self.client_id.as_deref().unwrap_or(DEFAULT_CLIENT_ID);
            let provider = RefreshTokenAuth::new(token).with_client_id(client);
            let profile = target.profile(client, Grant::RefreshToken, None, provider.subject());
            let found = target.look(profile, self.force)?;
            return target.open(provider, self.force, &found);
        }
        if self.client_secret_stdin {
            let Some(client) = self.client_id.clone().or_else(|| call.environment.client_id.clone()) else {
                return Err(Fail::usage("--client-secret-stdin needs --client-id"));
            };
            let found = target.look(target.profile(&client, Grant::ClientCredentials, None, None), self.force)?;
            if found.status.refreshable && !self.force {
                return target.already(&found);
            }
            let provider = ClientCredentialsAuth::new(client, input::stdin("--client-secret-stdin")?);
            return target.open(provider, self.force, &found);
        }
        self.user(&target)
    }

    fn user(self, target: &Target<'_>) -> Result<()> {
        let environment = &target.call.environment;
        let client = self.client_id.as_deref().unwrap_or(DEFAULT_CLIENT_ID);
        // Bad values are said before anything is asked.
        let command =
            |name, text: &Option<String>| text.as_ref().map(|text| SecretCommand::new(name, text)).transpose();
        let password_command = command("--password-command", &self.password_command)?;
        let password_command = password_command.map(|command| command.within(target.timeout));
        let totp_command = command("--totp-command", &self.totp_command)?;
        let terminal = target.call.terminal();

        let given = self.username.clone().or_else(|| environment.username.clone());
        let here = |profile: &&Profile| is_same_realm(&profile.identity_url, environment.realm());
        let known = target.before.as_ref().filter(here);
        let same_client = |known: &Profile| self.client_id.as_ref().is_none_or(|client| *client == known.client_id);
        if let (None, Some(known), false) = (&given, known.filter(|known| same_client(known)), self.force) {
            // Nobody is named, and somebody is logged in: that is who is meant.
            let (username, subject) = (known.username.clone(), known.subject.clone());
            let found = target.look(target.profile(&known.client_id, known.grant, username, subject), false)?;
            if found.status.refreshable {
                return target.already(&found);
            }
        }
        let known = known.and_then(|profile| profile.username.as_deref());
        let username = match (given, &terminal, known) {
            (Some(username), _, _) => username,
            (None, Some(terminal), _) => ask::username(terminal, known)?,
            (None, None, Some(known)) => known.to_owned(),
            (None, None, None) => {
                let pass = "--username, and --password-stdin or --password-command";
                return Err(nobody_to_ask("no user name, and", pass, "CDSE_USERNAME and CDSE_PASSWORD"));
            }
        };
        let (name, subject) = (Some(username.clone()), Some(username.to_lowercase()));
        let found = target.look(target.profile(client, Grant::Password, name, subject), self.force)?;
        if found.status.refreshable && !self.force {
            return target.already(&found);
        }
        // Nobody types a password for a request that cannot be made.
        found.manager.prepare()?;
        // The environment's password and codes are those of its own user.
        let theirs = environment.username.as_ref().is_none_or(|name| name.to_lowercase() == username.to_lowercase());
        let password = if self.password_stdin {
            input::stdin("--password-stdin")?
        } else if let Some(command) = &password_command {
            command.secret()?
        } else if let Some(password) = environment.password.as_ref().filter(|_| theirs) {
            password.clone()
        } else if let Some(command) = environment.password_command.as_ref().filter(|_| theirs) {
            command.secret()?
        } else if let Some(terminal) = &terminal {
            ask::password(terminal, &username)?
        } else {
            let pass = "--password-stdin or --password-command";
            return Err(nobody_to_ask("no password, and", pass, "CDSE_PASSWORD"));
        };
        let user = || PasswordAuth::new(username.clone(), password.clone()).with_client_id(client);
        let (provider, with) = match (self.totp, totp_command) {
            (Some(code), _) => (user().with_code(code), With::Code),
            (None, Some(command)) => (command.as_code_source(user()), With::Code),
            (None, None) if theirs && environment.has_one_time_code() => {
                (environment.with_one_time_code(user())?, With::Code)
            }
            (None, None) => match (found.status.uses_one_time_code, &terminal) {
                (Some(false), _) | (None, None) => (user(), With::NoCode),
                (_, Some(terminal)) => match ask::code(terminal)? {
                    Some(code) => (user().with_code(code), With::TypedCode(terminal)),
                    None => (user(), With::NoCode),
                },
                (Some(true), None) => {
                    let lacking = "this account needs a one-time code, and there is";
                    let set = "CDSE_TOTP, CDSE_TOTP_SECRET or CDSE_TOTP_COMMAND";
                    return Err(nobody_to_ask(lacking, "--totp or --totp-command", set));
                }
            },
        };
        let refused = match target.open(provider, self.force, &found) {
            Err(fail) if fail.is(ErrorKind::CredentialsRefused) => fail,
            done => return done,
        };
        let hinted = |refused: Fail| match check::suspicion(&password) {
            Some(what) => refused.hint_first(&format!("the password {what}")),
            None => refused,
        };
        match with {
            With::Code => Err(hinted(refused)),
            With::NoCode => {
                let code =
                    "check the user name and password; if the account has a second factor, pass its code with --totp";
                Err(hinted(refused.hint_first(code)))
            }
            With::TypedCode(terminal) => {
                output::note("refused; the code may have expired while you typed it: try again with a new one");
                match ask::code(terminal)? {
                    Some(code) => target.open(user().with_code(code), self.force, &found),
                    None => Err(hinted(refused)),
                }
            }
        }
    }
}

fn nobody_to_ask(lacking: &str, pass: &str, set: &str) -> Fail {
    Fail::usage(format!("{lacking} no terminal to ask on: pass {pass}")).hint(format!("or set {set}"))
}

/// Whether a login has a code with it, and whether it was typed a moment ago.
enum With<'a> {
    NoCode,
    Code,
    TypedCode(&'a Terminal),
}
