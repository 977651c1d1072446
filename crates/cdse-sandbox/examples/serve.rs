//! Serves the embedded service for a minute: `cargo run -p cdse-sandbox --example serve`.

use std::io::{self, Write};
use std::time::Duration;

use cdse_sandbox::{Config, Sandbox};

fn main() -> io::Result<()> {
    let sandbox = Sandbox::start(Config::default())?;
    writeln!(io::stdout(), "{} (user@example.com, s3cret!)", sandbox.realm_url())?;
    writeln!(io::stdout(), "{}/odata/v1/Products", sandbox.catalogue_url())?;
    writeln!(io::stdout(), "{}/v1/", sandbox.stac_url())?;
    std::thread::park_timeout(Duration::from_secs(60));
    writeln!(io::stdout(), "{:?}", sandbox.counters())
}
