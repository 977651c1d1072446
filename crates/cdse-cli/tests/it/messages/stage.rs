//! Where a message is brought about, and what was seen.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use cdse_sandbox::Config;
use regex::Regex;

use crate::support::{BINARY, Call, Done, PASSWORD, World};

const NOBODY: u32 = 65534;

pub(super) struct Stage {
    json: bool,
}

impl Stage {
    pub(super) fn new(json: bool) -> Self {
        Self { json }
    }

    /// A service and a home folder.
    pub(super) fn world(&self) -> Set {
        Set { world: World::new(), json: self.json }
    }

    pub(super) fn with(&self, change: impl FnOnce(&mut Config)) -> Set {
        Set { world: World::with(change), json: self.json }
    }

    pub(super) fn logged_in(&self) -> Set {
        Set { world: World::logged_in(), json: self.json }
    }

    pub(super) fn typed(&self, line: &str) -> Option<Told> {
        self.world().typed(line)
    }
}

pub(super) struct Set {
    pub(super) world: World,
    json: bool,
}

impl Set {
    /// What is typed, word by word as a shell splits it.
    pub(super) fn cdse(&self, line: &str) -> Attempt<'_> {
        let words = shlex::split(line).unwrap();
        let json = self.json.then(|| "--json".to_owned());
        let call = self.world.cdse(json.into_iter().chain(words));
        Attempt { set: self, call, variables: String::new(), line: line.to_owned(), input: "" }
    }

    pub(super) fn typed(&self, line: &str) -> Option<Told> {
        self.cdse(line).tell()
    }

    /// The credentials of a user in the environment.
    pub(super) fn cdse_as(&self, user: &str, line: &str) -> Attempt<'_> {
        self.cdse(line).env("CDSE_USERNAME", user).env("CDSE_PASSWORD", PASSWORD)
    }

    pub(super) fn log_in(&self, line: &str, password: &str) -> Attempt<'_> {
        self.cdse(&format!("auth login --username {line} --password-stdin")).stdin(password)
    }

    /// As a user who may not do everything. Root becomes nobody for it, and the files nobody's.
    pub(super) fn unprivileged(&self, line: &str) -> Attempt<'_> {
        let attempt = self.cdse(line);
        if !is_root() {
            return attempt;
        }
        let binary = self.world.home.path().join("cdse");
        // By another process: a file that this one has open for writing while another test forks is busy for a moment.
        assert!(std::process::Command::new("cp").arg(BINARY).arg(&binary).status().unwrap().success());
        fs::set_permissions(self.world.home.path(), fs::Permissions::from_mode(0o755)).unwrap();
        give(&self.world.state());
        let mut call = Call::new(binary.to_str().unwrap(), attempt.call.command.get_args());
        for (name, value) in attempt.call.command.get_envs() {
            call = call.env(name.to_str().unwrap(), value.unwrap());
        }
        call.command.uid(NOBODY).gid(NOBODY);
        Attempt { call, ..attempt }
    }

    /// As a user whom the system does not know; `None` if this one may not do that.
    pub(super) fn of_unknown_user(&self, line: &str) -> Option<Attempt<'_>> {
        let attempt = self.cdse(line);
        let call = self.world.cdse_of(54_321, attempt.call.command.get_args())?;
        Some(Attempt { call, ..attempt })
    }

    /// The file of the default profile.
    pub(super) fn profile(&self) -> PathBuf {
        self.world.profile_file("default")
    }
}

/// All of a folder to nobody.
fn give(path: &std::path::Path) {
    chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    for entry in fs::read_dir(path).into_iter().flatten() {
        give(&entry.unwrap().path());
    }
}

pub(super) fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

pub(super) struct Attempt<'a> {
    set: &'a Set,
    call: Call,
    variables: String,
    line: String,
    input: &'static str,
}

impl Attempt<'_> {
    pub(super) fn env(self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let shown = value.as_ref().to_string_lossy();
        let secret = ["PASSWORD", "SECRET", "TOKEN"].iter().any(|word| name.contains(word)) || name == "CDSE_TOTP";
        let shown = match () {
            () if secret => "…".to_owned(),
            () => shlex::try_quote(&shown).map_or_else(|_| "…".to_owned(), std::borrow::Cow::into_owned),
        };
        let shown = if shown.contains(['\u{fffd}', '\n', '\u{7}']) { "…".to_owned() } else { shown };
        Self { variables: format!("{}{name}={shown} ", self.variables), call: self.call.env(name, value), ..self }
    }

    /// In a space of mounts of its own, whose list is that file; `None` without the right to that.
    pub(super) fn with_mounts(self, list: &std::path::Path) -> Option<Self> {
        let script = format!("mount --bind '{}' /proc/$$/mountinfo && exec \"$0\" \"$@\"", list.display());
        let path = std::env::var_os("PATH")?;
        let is_allowed = std::process::Command::new("unshare").args(["-m", "sh", "-c", &script, "true"]).output();
        is_allowed
            .is_ok_and(|done| done.status.success())
            .then(|| Self { call: self.call.by(&["unshare", "-m", "sh", "-c", &script], &path), ..self })
    }

    pub(super) fn without(self, name: &str) -> Self {
        Self { call: self.call.without(name), ..self }
    }

    pub(super) fn stdin(self, text: impl AsRef<[u8]>) -> Self {
        Self { call: self.call.stdin(text), input: " < secret.txt", ..self }
    }

    pub(super) fn stdout(mut self, path: &str) -> Self {
        self.call.command.stdout(fs::File::options().write(true).open(path).unwrap());
        self
    }

    /// Without a word about it.
    pub(super) fn run(self) -> Done {
        self.call.run()
    }

    pub(super) fn tell(self) -> Option<Told> {
        let Self { set, call, variables, line, input } = self;
        let done = call.run();
        let mask = |text: &str| masked(&set.world, text);
        let typed = mask(&format!("{variables}cdse {line}{input}"));
        // What is waited for is said after a while, which is not always over.
        let lines = done.stderr.lines().filter(|line| !line.starts_with("Waiting for "));
        let stderr: String = lines.map(|line| format!("{line}\n")).collect();
        Some(Told { typed, stderr: mask(&stderr), code: done.code.unwrap() })
    }
}

/// What a person sees.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) typed: String,
    pub(super) stderr: String,
    pub(super) code: i32,
}

impl Told {
    /// With `--json` it is the same, in another form. Gives back its code.
    pub(super) fn check_same(&self, plain: &Self) -> Option<String> {
        assert_eq!(self.code, plain.code, "the exit code differs with --json: {self:?} {plain:?}");
        if self.code == 0 || !self.stderr.contains("{\"error\"") {
            return None;
        }
        let line = self.stderr.lines().find(|line| line.starts_with('{')).unwrap();
        let json: serde_json::Value = serde_json::from_str(line).unwrap();
        let error = &json["error"];
        assert!(plain.stderr.contains(&format!("error: {}\n", error["message"].as_str().unwrap())), "{plain:?} {json}");
        if let Some(hint) = error["hint"].as_str() {
            assert!(plain.stderr.contains(&format!("hint: {hint}\n")), "{plain:?} {json}");
        }
        Some(error["code"].as_str().unwrap().to_owned())
    }

    /// One sentence, and perhaps one line that says what to do.
    pub(super) fn check_style(&self, title: &str) {
        let marks = ["error: ", "hint: ", "warning: "];
        for line in self.stderr.lines() {
            let text = marks.iter().find_map(|mark| line.strip_prefix(mark));
            assert!(text.is_some() || self.code == 0, "{title}: {line}");
            let text = text.unwrap_or(line);
            assert!(!text.contains(". ") && !text.ends_with('.'), "{title}: more than one sentence: {line}");
        }
        let count = |mark: &str| self.stderr.lines().filter(|line| line.starts_with(mark)).count();
        let errors = usize::from(self.code != 0);
        assert!(count("error: ") == errors && count("hint: ") <= 1, "{title}: {self:?}");
    }
}

/// Without what differs from run to run and from machine to machine.
fn masked(world: &World, text: &str) -> String {
    let home = world.home.path().to_str().unwrap();
    let realm = world.sandbox.realm_url();
    let text = text.replace(home, "/home/me").replace(&realm, "https://identity.example/realms/CDSE");
    let rules = [
        (r"http://127\.0\.0\.1:1\b", "http://proxy.example:3128"),
        (r"http://127\.0\.0\.1:\d+", "https://identity.example"),
        (r"127\.0\.0\.1:\d+", "identity.example:8080"),
        (r"127\.0\.0\.1", "identity.example"),
        (r"https://identity\.example/auth/realms/[A-Za-z]+", "https://identity.example/auth/realms/CDSE"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ \((in \d+ \w+|\d+ \w+ ago)\)", "2027-01-15T08:00:00Z (in 59 min)"),
        (r"\bprocess \(\d+@[^ )]+[^)]*\)", "process (4711@host)"),
        (r"valid for \d+ s( more|, and)", "valid for 300 s$1"),
        (r"[0-9a-f]{32,}", "5e55104c"),
        (r"damaged[-.0-9a-f]+", "damaged-1"),
        (r"\.tmp[A-Za-z0-9]+", "tmp"),
    ];
    rules.iter().fold(text, |text, (pattern, by)| Regex::new(pattern).unwrap().replace_all(&text, *by).into_owned())
}
