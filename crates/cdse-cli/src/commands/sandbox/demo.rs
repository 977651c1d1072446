//! `cdse sandbox demo`: the main job, told by the service's own figures.
//!
//! Every step is done by processes of this very program, as a user would start them, with an environment of their own:
//! nothing that the caller has set reaches them.

use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, Output, Stdio};
use std::time::Duration;

use cdse_sandbox::{Action, Config, Counters, Fault, Lifetimes, Rotation, Sandbox};
use clap::Args;

use super::code::get;
use super::ending::clear_away;
use super::service::{start, throw_away_folder};
use crate::report::fail::{Fail, Result};
use crate::report::{output, time};

/// How many processes meet one expired token.
const PROCESSES: usize = 64;
const USER: &str = "mfa@example.com";
/// One of the products that the service has.
const PRODUCT: &str = "7b0c1f52-3d64-4c0e-9a51-2f6d8e4b1a01";
/// A life that is over soon, and the usual one.
const SHORT: Duration = Duration::from_secs(2);
const USUAL: Duration = Duration::from_secs(600);
/// For a program that reads past the end of its token.
const READING: Duration = Duration::from_secs(4);
/// It reads until it has had three tokens.
const READ: &str = r#"
tokens=0 last=
while [ $tokens -lt 3 ]; do
    curl --silent --fail --noproxy '*' --output /dev/null --header @"$CDSE_HEADER_FILE" "$1" || exit 1
    now=$(cat "$CDSE_TOKEN_FILE")
    [ "$now" = "$last" ] || tokens=$((tokens + 1))
    last=$now
done"#;

#[derive(Args, Debug)]
pub(crate) struct Demo {
    /// How many times the processes meet an expired token
    #[arg(long, value_name = "N", default_value_t = 1, hide = true, value_parser = clap::value_parser!(u32).range(1..=20))]
    renewals: u32,
}

impl Demo {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let config = Config { rotation: Rotation::OneTime, ..Config::default() };
        let password = config.users.iter().find(|user| user.username == USER).map(|user| user.password.clone());
        let sandbox = start(config)?;
        let state = throw_away_folder()?;
        clear_away(state.path().to_owned())?;
        let program = std::env::current_exe()
            .map_err(|error| Fail::other(format!("this program does not know its own place: {error}")))?;
        let mut demo = Journey {
            before: sandbox.counters(),
            sandbox,
            program,
            home: state.path().to_owned(),
            password: password.unwrap_or_default(),
            kept: true,
        };
        output::stdout(INTRODUCTION)?;
        demo.log_in()?;
        for round in 0..self.renewals {
            if round > 0 {
                demo.shorten()?;
            }
            demo.meet_an_expired_token()?;
        }
        demo.shorten()?;
        demo.survive_an_outage()?;
        demo.read_past_the_end_of_a_token()?;
        demo.log_out()?;
        let verdict = if demo.kept { "every promise was kept" } else { "A PROMISE WAS NOT KEPT" };
        output::stdout(&format!("\n{verdict}\n"))?;
        Ok(ExitCode::from(u8::from(!demo.kept)))
    }
}

const INTRODUCTION: &str = "\
A local identity service with one-time refresh tokens: using one twice ends the session.
The figures are the service's own, per step; open is the number of sessions then.

                                                   token                       reuse
                                                requests  logins  renewals  detected  logouts  open
";

struct Journey {
    sandbox: Sandbox,
    before: Counters,
    program: PathBuf,
    home: PathBuf,
    password: String,
    kept: bool,
}

fn not_started(error: &std::io::Error) -> Fail {
    Fail::other(format!("a process could not be started: {error}"))
}

impl Journey {
    fn log_in(&mut self) -> Result<()> {
        self.lifetime(SHORT);
        let code = self.sandbox.totp_code(USER).unwrap_or_default();
        let login = self
            .cdse(&["auth", "login", "--no-input", "--username", USER, "--totp", &code])
            .env("CDSE_PASSWORD", &self.password)
            .output();
        let done = self.succeeded(login)?.is_some();
        self.report("log in with a second factor", done, [1, 1, 0, 0, 0, 1])
    }

    fn meet_an_expired_token(&mut self) -> Result<()> {
        self.wait_for_expiry()?;
        self.lifetime(USUAL);
        // Long enough for all of them to be there while the one renewal is under way.
        self.sandbox.script(Fault::token(Action::Delay(Duration::from_millis(300))));
        let children = (0..PROCESSES).map(|_| self.cdse(&["auth", "token"]).spawn());
        let children: Vec<Child> = children.collect::<std::io::Result<_>>().map_err(|error| not_started(&error))?;
        let mut tokens = Vec::new();
        for child in children {
            tokens.extend(self.succeeded(child.wait_with_output())?);
        }
        let served = tokens.len();
        tokens.sort();
        tokens.dedup();
        let accepted = tokens.iter().filter(|token| self.is_accepted(token)).count();
        self.report(
            &format!("{PROCESSES} processes meet one expired token"),
            served == PROCESSES && tokens.len() == 1 && accepted == 1,
            [1, 0, 1, 0, 0, 1],
        )
    }

    fn survive_an_outage(&mut self) -> Result<()> {
        self.wait_for_expiry()?;
        self.lifetime(USUAL);
        self.sandbox.script(Fault::token(Action::page(503)));
        self.sandbox.script(Fault::token(Action::Torn { processed: false, body_bytes: 100 }));
        let token = self.succeeded(self.cdse(&["auth", "token"]).output())?;
        let good = token.is_some_and(|token| self.is_accepted(&token));
        self.report("a 503 and a torn answer, then a token", good, [3, 0, 1, 0, 0, 1])
    }

    /// A real curl reads a product again and again, and knows nothing of tokens.
    fn read_past_the_end_of_a_token(&mut self) -> Result<()> {
        let path = std::env::var_os("PATH").unwrap_or_default();
        if !std::env::split_paths(&path).any(|folder| folder.join("curl").is_file()) {
            return output::stdout("curl is not installed: it would read a product through `cdse exec`\n");
        }
        self.lifetime(READING);
        let refreshed = self.succeeded(self.cdse(&["auth", "refresh"]).output())?.is_some();
        self.report(&format!("renew at will, for a token of {} s", READING.as_secs()), refreshed, [1, 0, 1, 0, 0, 1])?;
        let product = format!("{}/odata/v1/Products({PRODUCT})/$value", self.sandbox.download_url());
        let read = self.cdse(&["exec", "--", "sh", "-c", READ, "sh", &product]).env("PATH", path).output();
        let done = self.succeeded(read)?.is_some() && self.sandbox.counters().downloads_refused == 0;
        self.report("curl reads on while its token ends twice", done, [2, 0, 2, 0, 0, 1])
    }

    fn log_out(&mut self) -> Result<()> {
        let done = self.succeeded(self.cdse(&["auth", "logout"]).output())?.is_some();
        self.report("log out", done, [0, 0, 0, 0, 1, 0])
    }

    /// A token that ends soon, to have an expired one for the next step.
    fn shorten(&mut self) -> Result<()> {
        self.lifetime(SHORT);
        let done = self.succeeded(self.cdse(&["auth", "refresh"]).output())?.is_some();
        self.report(&format!("renew at will, for a token of {} s", SHORT.as_secs()), done, [1, 0, 1, 0, 0, 1])
    }

    fn lifetime(&self, access: Duration) {
        self.sandbox.set_lifetimes(Lifetimes { access, ..Lifetimes::default() });
    }

    /// Waits for what `auth status` says, and no longer.
    fn wait_for_expiry(&mut self) -> Result<()> {
        let Some(status) = self.succeeded(self.cdse(&["auth", "status", "--json"]).output())? else { return Ok(()) };
        let status: serde_json::Value = serde_json::from_str(&status).unwrap_or_default();
        let end = status["access_expires_at"].as_str().and_then(|end| humantime::parse_rfc3339(end).ok());
        // The report has whole seconds.
        end.into_iter().for_each(|end| time::wait_until(end + Duration::from_millis(550)));
        Ok(())
    }

    fn cdse(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env_clear()
            .env("HOME", &self.home)
            .env("CDSE_STATE_DIR", self.home.join("state"))
            .env("CDSE_IDENTITY_URL", self.sandbox.realm_url())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// What a process printed; why it failed goes to stderr.
    fn succeeded(&mut self, output: std::io::Result<Output>) -> Result<Option<String>> {
        let output = output.map_err(|error| not_started(&error))?;
        if output.status.success() {
            return Ok(Some(String::from_utf8_lossy(&output.stdout).trim_end().to_owned()));
        }
        output::warn(&format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim_end()));
        self.kept = false;
        Ok(None)
    }

    /// Whether the service gives the protected resource to the bearer of the token.
    fn is_accepted(&self, token: &str) -> bool {
        let url = self.sandbox.resource_url();
        let path = url.splitn(4, '/').nth(3).unwrap_or_default();
        let answer = get(&self.sandbox.address().to_string(), path, &format!("Authorization: Bearer {token}\r\n"));
        answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
    }

    /// What the service counted since the last step, and whether that is what was promised: requests, logins, renewals, reuse,
    /// logouts, and the sessions that are open.
    fn report(&mut self, step: &str, done: bool, promise: [u64; 6]) -> Result<()> {
        let now = self.sandbox.counters();
        let before = std::mem::replace(&mut self.before, now.clone());
        let counted = [
            now.token_requests - before.token_requests,
            now.password_grants - before.password_grants,
            now.refreshes_ok - before.refreshes_ok,
            now.reuse_detected - before.reuse_detected,
            now.logouts - before.logouts,
            now.sessions_open,
        ];
        let kept = done && counted == promise;
        self.kept &= kept;
        let verdict = if kept { "" } else { "  NOT KEPT" };
        let [requests, logins, renewals, reuse, logouts, open] = counted;
        output::stdout(&format!(
            "{step:<46}{requests:>10}{logins:>8}{renewals:>10}{reuse:>10}{logouts:>9}{open:>6}{verdict}\n"
        ))
    }
}
