//! A real Keycloak, started from a copy of the prepared database and ended with the test.

use std::cell::RefCell;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use url::form_urlencoded::Serializer;

use crate::proxy::Proxy;
use crate::stage::{Realm, Stage};

const JAVA: &str = "-Xms128m -Xmx512m -XX:MaxMetaspaceSize=256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
                    -Djava.security.egd=file:/dev/urandom";

/// One server behind a proxy; it ends with this value.
#[derive(Debug)]
pub struct Server {
    process: Mutex<Child>,
    version: String,
    /// Where the server itself is.
    url: Mutex<String>,
    proxy: Proxy,
    folder: tempfile::TempDir,
}

impl Server {
    /// Starts it from a copy of what was prepared.
    ///
    /// # Panics
    ///
    /// When that version is not prepared, or does not start.
    #[must_use]
    pub fn start(version: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let home = target.join("keycloak").join(version).join("home");
        assert!(home.exists(), "run tests/keycloak/prepare {version} first");
        let folder = tempfile::tempdir().unwrap();
        for part in ["bin", "data/h2"] {
            fs::create_dir_all(folder.path().join(part)).unwrap();
            for entry in fs::read_dir(home.join(part)).unwrap().flatten() {
                if entry.file_type().unwrap().is_file() {
                    fs::copy(entry.path(), folder.path().join(part).join(entry.file_name())).unwrap();
                }
            }
        }
        for name in ["lib", "conf", "providers", "themes"] {
            symlink(home.join(name).canonicalize().unwrap(), folder.path().join(name)).unwrap();
        }
        let proxy = Proxy::start();
        let (process, address) = launch(version, folder.path());
        proxy.set_target(address);
        Self {
            process: Mutex::new(process),
            version: version.to_owned(),
            url: Mutex::new(format!("http://{address}")),
            proxy,
            folder,
        }
    }

    fn restart(&self) {
        let mut process = self.process.lock().unwrap();
        end(&mut process);
        let (started, address) = launch(&self.version, self.folder.path());
        *process = started;
        *self.url.lock().unwrap() = format!("http://{address}");
        self.proxy.set_target(address);
    }

    /// A realm of it, as it was imported.
    #[must_use]
    pub fn stage(&self, realm: Realm) -> KeycloakStage<'_> {
        let name = match realm {
            Realm::Ordinary => "CDSE",
            Realm::Rotating => "CDSE-rotate",
            Realm::Short => "CDSE-short",
            Realm::Limited => "CDSE-limit",
            Realm::Guarded => "CDSE-brute",
            Realm::Brief => "CDSE-brief",
        };
        let before = (self.proxy.token_requests(), self.proxy.reuse_detected());
        let stage = KeycloakStage { server: self, realm: name, before, token: RefCell::default() };
        stage.reset();
        stage
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.process.lock().unwrap());
    }
}

fn launch(version: &str, folder: &Path) -> (Child, SocketAddr) {
    let log = folder.join("log");
    let output = fs::File::create(&log).unwrap();
    let mut command = Command::new("timeout");
    // A belt: the server ends with the test, and if that cannot see to it, in half an hour.
    command.arg("1800").arg(folder.join("bin/kc.sh")).args(["start", "--optimized"]);
    command.args(["--http-enabled=true", "--http-host=127.0.0.1", "--http-port=0", "--hostname-strict=false"]);
    if version.starts_with("21.") {
        command.arg("--hostname-strict-https=false");
    }
    command.env("JAVA_OPTS", JAVA).stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
    let mut process = command.spawn().unwrap();
    loop {
        let text = fs::read_to_string(&log).unwrap_or_default();
        if let Some((_, address)) = text.split_once("Listening on: http://") {
            let end = address.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').unwrap_or(address.len());
            if let Ok(address) = address[..end].trim_end_matches('.').parse() {
                return (process, address);
            }
        }
        assert!(process.try_wait().unwrap().is_none(), "the server did not start:\n{text}");
        std::thread::park_timeout(Duration::from_millis(100));
    }
}

fn end(process: &mut Child) {
    let pid = rustix::process::Pid::from_child(process);
    let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    let _ = process.wait();
}

/// One realm of the server.
#[derive(Debug)]
pub struct KeycloakStage<'a> {
    server: &'a Server,
    realm: &'static str,
    /// Token requests and reuse before it was set.
    before: (u64, u64),
    /// An administrator's token, good for a minute.
    token: RefCell<Option<(Instant, String)>>,
}

impl KeycloakStage<'_> {
    /// As imported: nobody is logged in, everybody is enabled and has the usual password.
    fn reset(&self) {
        for user in self.admin("GET", "users", None).as_array().unwrap() {
            let id = user["id"].as_str().unwrap();
            self.admin("POST", &format!("users/{id}/logout"), None);
            // Offline sessions are not among those that a logout ends.
            for grant in self.admin("GET", &format!("users/{id}/consents"), None).as_array().unwrap() {
                let client = grant["clientId"].as_str().unwrap();
                self.admin("DELETE", &format!("users/{id}/consents/{client}"), None);
            }
            self.admin("DELETE", &format!("attack-detection/brute-force/users/{id}"), None);
        }
        self.admin("PUT", "", Some(json!({ "realm": self.realm, "notBefore": 0 })));
    }

    #[expect(clippy::disallowed_methods, reason = "a real server's time cannot be moved")]
    fn admin_token(&self, server: &str) -> String {
        let mut known = self.token.borrow_mut();
        if let Some((_, token)) = known.as_ref().filter(|(since, _)| since.elapsed() < Duration::from_secs(30)) {
            return token.clone();
        }
        let form = [
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", "admin"),
            ("password", "not-a-real-password"),
        ];
        let url = format!("{server}/realms/master/protocol/openid-connect/token");
        let form_type = ("content-type", "application/x-www-form-urlencoded");
        let answer = send("POST", &url, &[form_type], &Serializer::new(String::new()).extend_pairs(form).finish());
        let token = answer["access_token"].as_str().expect("an administrator").to_owned();
        *known = Some((Instant::now(), token.clone()));
        token
    }

    fn admin(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let server = self.server.url.lock().unwrap().clone();
        let bearer = format!("Bearer {}", self.admin_token(&server));
        let url = format!("{server}/admin/realms/{}/{path}", self.realm);
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        send(method, url.trim_end_matches('/'), &headers, &body.map(|body| body.to_string()).unwrap_or_default())
    }

    fn user_id(&self, username: &str) -> String {
        let found = self.admin("GET", &format!("users?exact=true&username={username}"), None);
        found[0]["id"].as_str().expect("a user").to_owned()
    }
}

fn send(method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Value {
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let agent = ureq::Agent::config_builder().proxy(None).allow_non_standard_methods(true).build().new_agent();
    let mut answer =
        agent.run(request.body(body.to_owned()).unwrap()).unwrap_or_else(|e| panic!("{method} {url}: {e}"));
    serde_json::from_slice(&answer.body_mut().read_to_vec().unwrap()).unwrap_or(Value::Null)
}

impl Stage for KeycloakStage<'_> {
    fn realm_url(&self) -> String {
        format!("http://{}/realms/{}", self.server.proxy.address(), self.realm)
    }

    #[expect(clippy::disallowed_methods, reason = "a real server's time cannot be moved")]
    fn pass(&self, time: Duration) {
        std::thread::sleep(time);
    }

    fn set_enabled(&self, username: &str, enabled: bool) {
        let id = self.user_id(username);
        self.admin("PUT", &format!("users/{id}"), Some(json!({ "enabled": enabled })));
    }

    fn set_password(&self, username: &str, password: &str) {
        let id = self.user_id(username);
        let credential = json!({ "type": "password", "value": password, "temporary": false });
        self.admin("PUT", &format!("users/{id}/reset-password"), Some(credential));
    }

    fn token_requests(&self) -> u64 {
        self.server.proxy.token_requests() - self.before.0
    }

    fn reuse_detected(&self) -> u64 {
        self.server.proxy.reuse_detected() - self.before.1
    }

    fn open_sessions(&self, username: &str) -> usize {
        let id = self.user_id(username);
        self.admin("GET", &format!("users/{id}/sessions"), None).as_array().expect("a list").len()
    }

    fn delay_answers(&self, time: Duration) {
        self.server.proxy.delay(time);
    }

    fn restart(&self) -> bool {
        self.server.restart();
        self.token.take();
        !self.server.version.starts_with("21.")
    }

    fn push_not_before(&self) {
        let now = std::time::SystemTime::UNIX_EPOCH;
        #[expect(clippy::disallowed_methods, reason = "a real server's time cannot be moved")]
        let now = std::time::SystemTime::now().duration_since(now).unwrap().as_secs();
        self.admin("PUT", "", Some(json!({ "realm": self.realm, "notBefore": now })));
    }
}
