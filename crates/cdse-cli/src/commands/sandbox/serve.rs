//! `cdse sandbox serve`: a service to try things on.

use std::process::ExitCode;

use clap::Args;

use super::ending;
use super::service::{Behaviour, environment, throw_away_folder};
use crate::report::fail::{Fail, Result};
use crate::report::output;

pub(super) const HELP: &str = "\
Users: user@example.com, and mfa@example.com with a second factor; `cdse sandbox code USER` prints its one-time code.
What it prints are the variables to use it; the address in CDSE_IDENTITY_URL up to the port is ADDRESS here:

  curl ADDRESS/sandbox/counters                  what it counted
  curl ADDRESS/sandbox/requests                  what arrived
  curl -d '{\"seconds\": 700}' ADDRESS/sandbox/advance
                                                 move its clock forward
  curl -X DELETE ADDRESS/sandbox/sessions        end all sessions
  curl -d FAULT ADDRESS/sandbox/faults           misbehave; -X DELETE ends that

FAULT is JSON. The next request for a token is answered with a 503, the next three logouts get no answer:

  {\"action\": {\"kind\": \"answer\", \"status\": 503}}
  {\"endpoint\": \"logout\", \"times\": 3, \"action\": {\"kind\": \"stall\", \"processed\": true}}

docs/sandbox.md lists every fault.";

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
        let wait = ending::catch()?;
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
        output::note("a one-time code: cdse sandbox code USER");
        output::note(&format!(
            "misbehave:       curl -d '{{\"action\": {{\"kind\": \"answer\", \"status\": 503}}}}' {origin}/sandbox/faults"
        ));
        let signal = wait();
        drop(sandbox);
        Ok(ExitCode::from(u8::try_from(128 + signal).unwrap_or(1)))
    }
}
