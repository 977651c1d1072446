//! Logs in to the embedded identity service, and shows that a header is valid: `cargo run -p cdse-auth --example header`.

use std::error::Error;
use std::io::Write;

use cdse_auth::{PasswordAuth, TokenManager, blocking};
use cdse_sandbox::{Config, Sandbox};

fn main() -> Result<(), Box<dyn Error>> {
    let sandbox = Sandbox::start(Config::default())?;
    let manager = TokenManager::builder(PasswordAuth::new("user@example.com", "s3cret!"))
        .realm_url(&sandbox.realm_url())
        .build()?;
    let manager = blocking::TokenManager::from(manager);
    let header = manager.authorization_header()?;
    writeln!(std::io::stdout(), "{:.40}…, {:?}", header.to_str()?, manager.verify()?)?;
    manager.logout()?;
    Ok(())
}
