//! The sandbox in another process: this same binary.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use cdse_sandbox::{Config, Sandbox};

pub(crate) const USER: &str = "user@example.com";
const SERVE: &str = "CDSE_TEST_SERVE";

pub(crate) struct Service {
    process: Child,
    realm_url: String,
}

impl Service {
    /// With this password for its first user.
    pub(crate) fn start(password: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "p5_nothing_is_left_in_memory", "--nocapture"])
            .env(SERVE, "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        process.stdin.as_mut().unwrap().write_all(password.as_bytes()).unwrap();
        process.stdin.as_mut().unwrap().write_all(b"\n").unwrap();
        let realm_url = BufReader::new(process.stderr.take().unwrap())
            .lines()
            .map_while(Result::ok)
            .find_map(|line| line.strip_prefix("realm: ").map(str::to_owned))
            .expect("the service says where it is");
        Self { process, realm_url }
    }

    pub(crate) fn realm_url(&self) -> &str {
        &self.realm_url
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // It ends with its input.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

/// Whether this process is the service, which it is until its input ends.
#[expect(clippy::print_stderr, reason = "so the other process learns where it is")]
pub(crate) fn serves() -> bool {
    if std::env::var_os(SERVE).is_none() {
        return false;
    }
    let mut input = BufReader::new(std::io::stdin());
    let mut password = String::new();
    input.read_line(&mut password).unwrap();
    let mut config = Config::default();
    let user = config.users.iter_mut().find(|user| user.username == USER).unwrap();
    password.trim_end().clone_into(&mut user.password);
    let sandbox = Sandbox::start(config).unwrap();
    eprintln!("realm: {}", sandbox.realm_url());
    let _ = input.read_to_end(&mut Vec::new());
    true
}
