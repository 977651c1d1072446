//! `cdse sandbox code`: what the authenticator of a user of the service would show.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use crate::report::fail::{Fail, Result};
use crate::report::output;

const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Args, Debug)]
pub(crate) struct Code {
    /// User of the service
    #[arg(value_name = "USER", default_value = "mfa@example.com")]
    user: String,
}

impl Code {
    pub(crate) fn run(&self) -> Result<ExitCode> {
        let hint = "`cdse sandbox serve` prints it; in `cdse sandbox run -- COMMAND` it is set";
        let url = std::env::var("CDSE_IDENTITY_URL").unwrap_or_default();
        let authority = url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let is_here = authority.parse().is_ok_and(|address: std::net::SocketAddr| address.ip().is_loopback());
        if !is_here {
            return Err(Fail::usage("CDSE_IDENTITY_URL does not name a sandbox on this machine").hint(hint));
        }
        // In the address each byte stands by its number: a name may hold anything.
        let user: String = self.user.bytes().map(|byte| format!("%{byte:02x}")).collect();
        let answer = get(authority, &format!("sandbox/totp/{user}"), "")
            .map_err(|error| Fail::other(format!("no sandbox answers at {authority}: {error}")).exit_with(5))?;
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
        let body: serde_json::Value = serde_json::from_str(body.trim()).unwrap_or_default();
        match body["code"].as_str().filter(|_| head.starts_with("HTTP/1.1 200")) {
            Some(_) if output::is_json() => output::answer(&body)?,
            Some(code) => output::stdout(&format!("{code}\n"))?,
            None => return Err(Fail::usage("the sandbox has no such user with a second factor")),
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What a sandbox answers. Each header is a line of its own.
pub(super) fn get(authority: &str, path: &str, headers: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(authority)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {authority}\r\n{headers}Connection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
