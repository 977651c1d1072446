//! A Rust program that joins the login of the command line in one call.
//!
//! ```console
//! $ cdse auth login
//! $ cargo run -p cdse-credentials --example join_login
//! ```

use std::error::Error;
use std::io::Write;

use cdse_auth::blocking::TokenManager;

fn main() -> Result<(), Box<dyn Error>> {
    let manager = TokenManager::from(cdse_credentials::default_manager()?);
    // Valid now; after ten minutes the next call renews it, once for all processes of this user.
    let header = manager.authorization_header()?;
    writeln!(std::io::stdout(), "Authorization: {}", header.to_str()?)?;
    Ok(())
}
