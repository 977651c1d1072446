//! A real Keycloak, started from a copy of the prepared database and ended with the test.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use url::form_urlencoded::Serializer;

use crate::stage::{Realm, Stage};

const JAVA: &str = "-Xms128m -Xmx512m -XX:MaxMetaspaceSize=256m -XX:+UseSerialGC -XX:TieredStopAtLevel=1 \
                    -Djava.security.egd=file:/dev/urandom";

/// One server; it ends with this value.
#[derive(Debug)]
pub struct Server {
    process: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Server {
    /// Starts it from a copy of what was prepared.
    ///
    /// # Panics
    ///
    /// When that version is not prepared, or does not start.
    pub fn start(version: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
        let home = target.join("keycloak").join(version).join("home");
        assert!(home.exists(), "run tests/keycloak/prepare {version} first");
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("bin")).unwrap();
        for entry in fs::read_dir(home.join("bin")).unwrap().flatten() {
            if entry.file_type().unwrap().is_file() {
                fs::copy(entry.path(), folder.path().join("bin").join(entry.file_name())).unwrap();
            }
        }
        for name in ["lib", "conf", "providers", "themes"] {
            symlink(home.join(name).canonicalize().unwrap(), folder.path().join(name)).unwrap();
        }
        let data = folder.path().join("data/h2");
        fs::create_dir_all(&data).unwrap();
        for entry in fs::read_dir(home.join("data/h2")).unwrap().flatten() {
            fs::copy(entry.path(), data.join(entry.file_name())).unwrap();
        }
        let log = folder.path().join("log");
        let output = fs::File::create(&log).unwrap();
        let mut command = Command::new("timeout");
        // A belt: the server ends with the test, and if that cannot see to it, in half an hour.
        command.arg("1800").arg(folder.path().join("bin/kc.sh")).args(["start", "--optimized"]);
        command.args(["--http-enabled=true", "--http-host=127.0.0.1", "--http-port=0", "--hostname-strict=false"]);
        if version.starts_with("21.") {
            command.arg("--hostname-strict-https=false");
        }
        command.env("JAVA_OPTS", JAVA).stdin(Stdio::null()).stdout(output.try_clone().unwrap()).stderr(output);
        let process = command.spawn().unwrap();
        let mut server = Self { process, url: String::new(), _folder: folder };
        server.url = server.wait_for_address(&log);
        server
    }

    fn wait_for_address(&mut self, log: &Path) -> String {
        loop {
            let text = fs::read_to_string(log).unwrap_or_default();
            if let Some((_, address)) = text.split_once("Listening on: ") {
                let end = address.find(|c: char| c.is_whitespace()).unwrap_or(address.len());
                return address[..end].trim_end_matches('.').to_owned();
            }
            assert!(self.process.try_wait().unwrap().is_none(), "the server did not start:\n{text}");
            std::thread::park_timeout(Duration::from_millis(100));
        }
    }

    /// A realm of it, as it was imported.
    #[must_use]
    pub fn stage(&self, realm: Realm) -> KeycloakStage {
        let name = match realm {
            Realm::Ordinary => "CDSE",
            Realm::Rotating => "CDSE-rotate",
            Realm::Short => "CDSE-short",
            Realm::Limited => "CDSE-limit",
            Realm::Guarded => "CDSE-brute",
            Realm::Brief => "CDSE-brief",
        };
        let stage = KeycloakStage { url: self.url.clone(), realm: name };
        stage.reset();
        stage
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.process.wait();
    }
}

/// One realm of the server.
#[derive(Debug)]
pub struct KeycloakStage {
    url: String,
    realm: &'static str,
}

impl KeycloakStage {
    /// As imported: nobody is logged in, everybody is enabled and has the usual password.
    fn reset(&self) {
        for user in self.admin("GET", "users", None).as_array().unwrap() {
            let id = user["id"].as_str().unwrap();
            self.admin("POST", &format!("users/{id}/logout"), None);
            self.admin("DELETE", &format!("attack-detection/brute-force/users/{id}"), None);
        }
        self.admin("PUT", "", Some(json!({ "realm": self.realm, "notBefore": 0 })));
    }

    fn admin(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let form = [
            ("grant_type", "password"),
            ("client_id", "admin-cli"),
            ("username", "admin"),
            ("password", "not-a-real-password"),
        ];
        let token_url = format!("{}/realms/master/protocol/openid-connect/token", self.url);
        let form_type = ("content-type", "application/x-www-form-urlencoded");
        let token = send("POST", &token_url, &[form_type], &Serializer::new(String::new()).extend_pairs(form).finish());
        let bearer = format!("Bearer {}", token["access_token"].as_str().expect("an administrator"));
        let url = format!("{}/admin/realms/{}/{path}", self.url, self.realm);
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

impl Stage for KeycloakStage {
    fn realm_url(&self) -> String {
        format!("{}/realms/{}", self.url, self.realm)
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

    fn push_not_before(&self) {
        let now = std::time::SystemTime::UNIX_EPOCH;
        #[expect(clippy::disallowed_methods, reason = "a real server's time cannot be moved")]
        let now = std::time::SystemTime::now().duration_since(now).unwrap().as_secs();
        self.admin("PUT", "", Some(json!({ "realm": self.realm, "notBefore": now })));
    }
}
