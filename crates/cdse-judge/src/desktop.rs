//! A desktop session without a desktop: a D-Bus session bus of its own and a real GNOME Keyring on it, with folders of
//! their own. It needs `dbus-daemon`, `dbus-send`, `gnome-keyring-daemon` and `secret-tool`.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Nothing is started for those who ask for a service that is not there: a keyring is there when a test says so.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=SOCKET</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

const PASSWORD: &str = "password of the keyring";

/// It ends with this value.
#[derive(Debug)]
pub struct Desktop {
    folder: tempfile::TempDir,
    bus: Child,
    keyring: Option<Child>,
}

impl Desktop {
    /// A bus, and nobody on it.
    ///
    /// # Panics
    ///
    /// When it does not start.
    #[must_use]
    pub fn without_keyring() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "data", "run"] {
            fs::create_dir(folder.path().join(name)).unwrap();
        }
        fs::set_permissions(folder.path().join("run"), fs::Permissions::from_mode(0o700)).unwrap();
        let configuration = folder.path().join("bus.conf");
        let socket = folder.path().join("bus");
        fs::write(&configuration, BUS.replace("SOCKET", socket.to_str().unwrap())).unwrap();
        let mut command = Command::new("dbus-daemon");
        command.arg("--nofork").arg("--config-file").arg(&configuration).env_clear();
        let bus = start(&mut command, "dbus");
        let desktop = Self { folder, bus, keyring: None };
        until("the bus listens", || socket.exists());
        desktop
    }

    /// A bus, and a keyring that is open.
    ///
    /// # Panics
    ///
    /// When it does not start.
    #[must_use]
    pub fn start() -> Self {
        let mut desktop = Self::without_keyring();
        desktop.start_keyring(true);
        desktop
    }

    /// Starts the keyring, unlocked or as it is found. One that was never unlocked has no collection to keep anything in.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start_keyring(&mut self, unlocked: bool) {
        let mut command = self.command("gnome-keyring-daemon");
        command.args(["--foreground", "--components=secrets"]).stdin(Stdio::piped());
        if unlocked {
            command.arg("--unlock");
        }
        let mut keyring = start(&mut command, "gnome-keyring");
        keyring.stdin.take().unwrap().write_all(PASSWORD.as_bytes()).unwrap();
        self.keyring = Some(keyring);
        if unlocked {
            let locked = ["string:org.freedesktop.Secret.Collection", "string:Locked"];
            until("the keyring is open", || {
                self.asks("/aliases/default", "org.freedesktop.DBus.Properties.Get", &locked).contains("boolean false")
            });
        } else {
            let alias = ["string:default"];
            until("the keyring answers", || {
                self.asks("", "org.freedesktop.Secret.Service.ReadAlias", &alias).contains("object path")
            });
        }
    }

    /// What the keyring answers to a call that changes nothing.
    fn asks(&self, path: &str, method: &str, arguments: &[&str]) -> String {
        let mut command = self.command("dbus-send");
        command.args(["--session", "--print-reply", "--reply-timeout=2000", "--dest=org.freedesktop.secrets"]);
        command.arg(format!("/org/freedesktop/secrets{path}")).arg(method).args(arguments);
        let output = command.output().expect("dbus-send (package dbus)");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Kills the keyring.
    ///
    /// # Panics
    ///
    /// When there is none.
    pub fn end_keyring(&mut self) {
        end(&mut self.keyring.take().unwrap());
    }

    /// Ends the keyring and starts it again, locked.
    pub fn lock(&mut self) {
        self.end_keyring();
        self.start_keyring(false);
    }

    /// The D-Bus address of the bus.
    #[must_use]
    pub fn address(&self) -> String {
        format!("unix:path={}", self.folder.path().join("bus").display())
    }

    /// The folder of the bus, for whatever a test keeps beside it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Runs the keyring's own command line.
    ///
    /// # Panics
    ///
    /// When it is not installed.
    #[must_use]
    pub fn secret_tool(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command("timeout");
        // It would wait for an answer to a question that nobody sees.
        command
            .args(["20", "secret-tool"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("secret-tool (package libsecret-tools)");
        // One that wants no input may have ended.
        let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        child.wait_with_output().unwrap()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        let place = |name: &str| -> PathBuf { self.folder.path().join(name) };
        command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("HOME", place("home"));
        command.env("XDG_DATA_HOME", place("data")).env("XDG_RUNTIME_DIR", place("run"));
        command.env("DBUS_SESSION_BUS_ADDRESS", self.address());
        command
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        self.keyring.iter_mut().for_each(end);
        end(&mut self.bus);
    }
}

fn start(command: &mut Command, package: &str) -> Child {
    let program = command.get_program().to_owned();
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap_or_else(|error| panic!("{program:?} (package {package}): {error}"))
}

fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

/// The limit only ends a test that hangs.
fn until(what: &str, condition: impl Fn() -> bool) {
    for _ in 0..1000 {
        if condition() {
            return;
        }
        std::thread::park_timeout(Duration::from_millis(10));
    }
    panic!("never happened: {what}");
}
