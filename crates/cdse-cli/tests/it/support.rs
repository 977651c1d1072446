//! A service, a home folder, and the binary between them.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use cdse_sandbox::{Config, Sandbox};
use serde_json::Value;
use tempfile::TempDir;

use crate::schema;

pub(crate) const USER: &str = "user@example.com";
pub(crate) const MFA: &str = "mfa@example.com";
pub(crate) const PASSWORD: &str = "s3cret!";
pub(crate) const TOTP_SECRET: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_cdse");
/// Where the keyring is.
pub(crate) const BUS: &str = "DBUS_SESSION_BUS_ADDRESS";

pub(crate) fn log_in_to(world: &World, store: &str) -> Call {
    let login = ["auth", "login", "--username", USER, "--password-stdin", "--store", store];
    world.cdse(login).stdin(PASSWORD)
}

pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) home: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config::default();
        change(&mut config);
        Self { sandbox: Sandbox::start(config).unwrap(), home: tempfile::tempdir().unwrap() }
    }

    /// With a session of the user in the default profile.
    pub(crate) fn logged_in() -> Self {
        let world = Self::new();
        world.log_in();
        world
    }

    pub(crate) fn log_in(&self) {
        self.cdse(["auth", "login", "--username", USER, "--password-stdin"]).stdin(PASSWORD).run().ok();
    }

    /// Opens a session of the user that is stored nowhere here, and says its id.
    pub(crate) fn open_elsewhere(&self) -> String {
        let folder = tempfile::tempdir().unwrap();
        let ids = || self.sandbox.sessions().into_iter().map(|session| session.id);
        let before: Vec<String> = ids().collect();
        self.cdse_as(USER, ["auth", "token"]).env("CDSE_STATE_DIR", folder.path()).run().token();
        ids().find(|id| !before.contains(id)).unwrap()
    }

    pub(crate) fn state(&self) -> PathBuf {
        self.home.path().join("state")
    }

    /// A call of the binary with an environment of its own.
    pub(crate) fn cdse<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Call {
        self.call(Path::new(BINARY), arguments)
    }

    /// A call of another program, which may print a token, with the same environment.
    pub(crate) fn program(&self, program: &Path) -> Call {
        Call { prints_token: true, ..self.call(program, [""; 0]) }
    }

    pub(crate) fn call<S: AsRef<OsStr>>(&self, program: &Path, arguments: impl IntoIterator<Item = S>) -> Call {
        let call = Call::new(program, arguments).env("HOME", self.home.path());
        let call = call.env("CDSE_STATE_DIR", self.state()).env("CDSE_IDENTITY_URL", self.sandbox.realm_url());
        Call { state: self.state(), ..call }
    }

    /// A call by another user. Only root can make one; anybody else gets `None`.
    pub(crate) fn cdse_of<S: AsRef<OsStr>>(&self, uid: u32, arguments: impl IntoIterator<Item = S>) -> Option<Call> {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        use std::os::unix::process::CommandExt;

        if !fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0) {
            return None;
        }
        let binary = self.home.path().join("cdse");
        if !binary.exists() {
            // By another process: a file that this one has open for writing while another test forks is busy for a moment.
            assert!(Command::new("cp").arg(BINARY).arg(&binary).status().unwrap().success());
            fs::set_permissions(self.home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        }
        let mut call =
            Call::new(binary.to_str().unwrap(), arguments).env("CDSE_IDENTITY_URL", self.sandbox.realm_url());
        call.command.uid(uid).gid(uid);
        Some(call)
    }

    /// With credentials in the environment.
    pub(crate) fn cdse_as<S: AsRef<OsStr>>(&self, user: &str, arguments: impl IntoIterator<Item = S>) -> Call {
        self.cdse(arguments).env("CDSE_USERNAME", user).env("CDSE_PASSWORD", PASSWORD)
    }

    pub(crate) fn session_files(&self) -> Vec<PathBuf> {
        session_files(&self.state())
    }

    /// The one session file.
    pub(crate) fn session_file(&self) -> PathBuf {
        let files = self.session_files();
        assert_eq!(files.len(), 1, "{files:?}");
        files[0].clone()
    }

    pub(crate) fn profile_file(&self, name: &str) -> PathBuf {
        self.state().join("profiles").join(format!("{name}.json"))
    }

    /// Makes the stored token older, as if so many seconds had passed for whoever reads the file.
    pub(crate) fn age(&self, seconds: i64) {
        for file in self.session_files() {
            let mut record: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
            let Some(obtained) = record["tokens"]["obtained_at_ms"].as_i64() else { continue };
            record["tokens"]["obtained_at_ms"] = (obtained - seconds * 1000).into();
            fs::write(&file, serde_json::to_vec(&record).unwrap()).unwrap();
        }
    }

    pub(crate) fn stored_refresh_token(&self) -> String {
        let record: Value = serde_json::from_slice(&fs::read(self.session_file()).unwrap()).unwrap();
        record["tokens"]["refresh_token"].as_str().unwrap().to_owned()
    }
}

fn session_files(state: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(state.join("sessions")) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension() == Some(OsStr::new("json"))).collect()
}

pub(crate) struct Call {
    pub(crate) command: Command,
    input: Option<Vec<u8>>,
    state: PathBuf,
    prints_token: bool,
}

impl Call {
    pub(crate) fn new<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: impl IntoIterator<Item = S>) -> Self {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let prints_token = command.get_args().any(|argument| argument == "token");
        Self { command, input: None, state: PathBuf::new(), prints_token }
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The same, started by another program.
    pub(crate) fn by(mut self, words: &[&str], path: impl AsRef<OsStr>) -> Self {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).arg(self.command.get_program()).args(self.command.get_args());
        let set = self.command.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.env_clear().envs(set).env("PATH", path).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() });
        self.command = command;
        self
    }

    pub(crate) fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    pub(crate) fn stdin(mut self, text: impl AsRef<[u8]>) -> Self {
        self.command.stdin(Stdio::piped());
        self.input = Some(text.as_ref().to_vec());
        self
    }

    pub(crate) fn spawn(&mut self) -> Child {
        let mut child = self.command.spawn().unwrap();
        if let (Some(input), Some(mut stdin)) = (&self.input, child.stdin.take()) {
            // A program that does not want its input may have ended.
            let _ = stdin.write_all(input);
        }
        child
    }

    pub(crate) fn run(mut self) -> Done {
        let child = self.spawn();
        self.wait(child)
    }

    pub(crate) fn wait(self, child: Child) -> Done {
        let before = self.secrets();
        let output = child.wait_with_output().unwrap();
        let arguments = self.command.get_args().map(|argument| argument.to_string_lossy().into_owned()).collect();
        let done = Done {
            arguments,
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        // The canary: no call ever shows a secret, but `auth token` its token.
        for secret in before.into_iter().chain(self.secrets()) {
            assert!(!done.stderr.contains(&secret), "{secret} in stderr: {done:?}");
            assert!(self.prints_token || !done.stdout.contains(&secret), "{secret} in stdout: {done:?}");
        }
        for panic in ["panicked", "RUST_BACKTRACE"] {
            assert!(!done.stderr.contains(panic), "{done:?}");
        }
        done
    }

    fn secrets(&self) -> Vec<String> {
        let mut secrets: Vec<String> =
            [PASSWORD, TOTP_SECRET, "sh-secret", "CANARY"].into_iter().map(str::to_owned).collect();
        for file in session_files(&self.state) {
            let record: Value =
                fs::read(file).ok().and_then(|text| serde_json::from_slice(&text).ok()).unwrap_or_default();
            for name in ["access_token", "refresh_token"] {
                secrets.extend(record["tokens"][name].as_str().map(str::to_owned));
            }
        }
        secrets
    }
}

#[derive(Debug)]
pub(crate) struct Done {
    arguments: Vec<String>,
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Done {
    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        if code == 0 {
            return self;
        }
        // One line that says what is wrong, and perhaps one that says what to do.
        let lines: Vec<&str> = self
            .stderr
            .lines()
            .filter(|line| !line.starts_with("warning: ") && !line.starts_with("Waiting for "))
            .collect();
        if !lines.is_empty() && !lines[0].starts_with('{') {
            assert!(lines[0].starts_with("error: ") && lines.len() <= 2, "{self:?}");
            assert!(lines.get(1).is_none_or(|line| line.starts_with("hint: ")), "{self:?}");
        }
        self
    }

    #[track_caller]
    pub(crate) fn ok(self) -> Self {
        self.exits(0)
    }

    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "{text:?} is not in {self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn prints_nothing(self) -> Self {
        assert_eq!(self.stdout, "", "{self:?}");
        self
    }

    /// The one line on stdout.
    #[track_caller]
    pub(crate) fn token(self) -> String {
        let done = self.ok();
        let token = done.stdout.strip_suffix('\n').unwrap();
        assert!(token.starts_with("ey") && !token.contains(char::is_whitespace), "{done:?}");
        token.to_owned()
    }

    /// What was printed; it has the shape that the interface promises.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        let json = serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        schema::check_call(&self.arguments, &json);
        json
    }

    #[track_caller]
    pub(crate) fn error_json(&self) -> Value {
        let json = serde_json::from_str(&self.stderr).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        schema::check("error", &json);
        json
    }
}

/// Waits until another process has come so far. The limit only ends a test that hangs.
pub(crate) fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..30_000 {
        if condition() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    panic!("never happened: {what}");
}
