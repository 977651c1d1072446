//! `cdse sandbox serve`: a service to try things on.

use std::process::ExitCode;

use clap::Args;

use super::{Behaviour, environment, throw_away_folder};
use crate::fail::{Fail, Result};
use crate::output;

#[derive(Args, Debug)]
pub(crate) struct Serve {
    #[command(flatten)]
    behaviour: Behaviour,
}

impl Serve {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let (sandbox, config) = self.behaviour.start()?;
        let state = throw_away_folder()?;
        // Caught before anybody can know that the service is there.
        let ending = Ending::catch()?;
        let mut lines = String::new();
        for (name, value) in environment(&sandbox, state.path()) {
            let value = shlex::try_quote(&value).map_err(|error| Fail::other(error.to_string()))?.into_owned();
            lines.push_str(&format!("export {name}={value}\n"));
        }
        for user in &config.users {
            if let (Some(secret), true) = (&user.totp_secret, user.enabled) {
                lines.push_str(&format!(
                    "# with a second factor: CDSE_USERNAME={} CDSE_PASSWORD='{}' CDSE_TOTP_SECRET={secret}\n",
                    user.username, user.password
                ));
            }
        }
        output::stdout(&lines)?;
        let origin = format!("http://{}", sandbox.address());
        output::note(&format!("serving {} until interrupted", sandbox.realm_url()));
        output::note(&format!("what it counted: {origin}/sandbox/counters"));
        output::note(&format!("what arrived:    {origin}/sandbox/requests"));
        output::note(&format!("a one-time code: {origin}/sandbox/totp/USERNAME"));
        output::note(&format!(
            "misbehave:       curl -d '{{\"action\": {{\"kind\": \"answer\", \"status\": 503}}}}' {origin}/sandbox/faults"
        ));
        let code = ending.wait();
        drop(sandbox);
        Ok(code)
    }
}

#[cfg(unix)]
struct Ending(signal_hook::iterator::Signals);

#[cfg(unix)]
impl Ending {
    fn catch() -> Result<Self> {
        use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
        let heeded = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| !crate::signals::is_ignored(*signal));
        signal_hook::iterator::Signals::new(heeded)
            .map(Self)
            .map_err(|error| Fail::other(format!("signals cannot be caught: {error}")))
    }

    fn wait(mut self) -> ExitCode {
        let signal = self.0.forever().next().unwrap_or(0);
        ExitCode::from(u8::try_from(128 + signal).unwrap_or(1))
    }
}

#[cfg(not(unix))]
struct Ending;

#[cfg(not(unix))]
impl Ending {
    fn catch() -> Result<Self> {
        Ok(Self)
    }

    fn wait(self) -> ExitCode {
        crate::signals::wait_for_the_end()
    }
}
