//! A client as small as HTTP allows, and the service it talks to.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a failure here is a failure of the test")]

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, UNIX_EPOCH};

use cdse_sandbox::{Clock, Config, KeycloakVersion, Sandbox};
use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;

pub(crate) const USER: &str = "user@example.com";
pub(crate) const MFA: &str = "mfa@example.com";
pub(crate) const PASSWORD: &str = "s3cret!";

/// When the tests take place, in Unix seconds; a whole multiple of 30.
pub(crate) const START: u64 = 1_800_000_000;

/// A service on a clock that stands still.
pub(crate) fn sandbox() -> Sandbox {
    sandbox_with(|_| {})
}

pub(crate) fn sandbox_of(version: KeycloakVersion) -> Sandbox {
    sandbox_with(|config| config.version = version)
}

pub(crate) fn sandbox_with(change: impl FnOnce(&mut Config)) -> Sandbox {
    let mut config = Config { clock: Clock::new(|| UNIX_EPOCH + Duration::from_secs(START)), ..Config::default() };
    change(&mut config);
    Sandbox::start(config).unwrap()
}

#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("a JSON body")
    }

    /// `error` and `error_description`.
    pub(crate) fn error(&self) -> (u16, String, String) {
        let json = self.json();
        let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
        (self.status, text("error"), text("error_description"))
    }

    #[track_caller]
    pub(crate) fn refused(&self, status: u16, error: &str, description: &str) {
        assert_eq!(self.error(), (status, error.to_owned(), description.to_owned()));
    }

    #[track_caller]
    pub(crate) fn tokens(&self) -> Tokens {
        assert_eq!(self.status, 200, "{}", String::from_utf8_lossy(&self.body));
        let json = self.json();
        let text = |key: &str| json[key].as_str().unwrap_or_default().to_owned();
        Tokens {
            access: text("access_token"),
            refresh: text("refresh_token"),
            session: text("session_state"),
            expires_in: json["expires_in"].as_u64().unwrap(),
            refresh_expires_in: json["refresh_expires_in"].as_u64().unwrap(),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) session: String,
    pub(crate) expires_in: u64,
    pub(crate) refresh_expires_in: u64,
}

/// The claims of a token.
pub(crate) fn claims(token: &str) -> Value {
    serde_json::from_slice(&part(token, 1)).unwrap()
}

/// One of the three parts of a token, decoded.
pub(crate) fn part(token: &str, index: usize) -> Vec<u8> {
    BASE64URL_NOPAD.decode(token.split('.').nth(index).unwrap().as_bytes()).unwrap()
}

/// One connection.
pub(crate) struct Wire(TcpStream);

impl Wire {
    pub(crate) fn open(sandbox: &Sandbox) -> Self {
        Self::connect(&sandbox.address().to_string())
    }

    /// To the host of a URL.
    pub(crate) fn open_at(url: &str) -> Self {
        Self::connect(url.split('/').nth(2).unwrap())
    }

    fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        // Only so that a defect ends the test instead of holding it up.
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) {
        let mut request = format!("{method} {path} HTTP/1.1\r\nhost: sandbox\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(body);
        // A service that has seen enough may close before everything is written.
        let _ = self.0.write_all(request.as_bytes());
    }

    pub(crate) fn send_form(&mut self, sandbox: &Sandbox, fields: &[(&str, &str)]) {
        let path = path_of(&sandbox.token_url());
        self.send("POST", &path, &[FORM], &encode(fields));
    }

    pub(crate) fn send_bearer(&mut self, method: &str, url: &str, token: Option<&str>) {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.iter().map(|bearer| ("authorization", bearer.as_str())).collect();
        self.send(method, &path_of(url), &headers, "");
    }

    /// The head of the next answer, and what came after it.
    fn head(&mut self) -> io::Result<(String, Vec<u8>)> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 16 * 1024];
        loop {
            if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = bytes.split_off(end + 4);
                return Ok((String::from_utf8(bytes).unwrap(), rest));
            }
            let count = self.0.read(&mut buffer)?;
            if count == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            bytes.extend_from_slice(&buffer[..count]);
        }
    }

    /// The head of the next answer alone: of one without a body, or whose body is left unread.
    pub(crate) fn read_head(&mut self) -> io::Result<Reply> {
        let mut bytes = Vec::new();
        // By single bytes, in order to leave what follows.
        while !bytes.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            self.0.read_exact(&mut byte)?;
            bytes.push(byte[0]);
        }
        let head = String::from_utf8(bytes).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(Reply { status, head, body: Vec::new() })
    }

    /// The next answer, by its `content-length`; what is there of it, if the connection ends before.
    pub(crate) fn read(&mut self) -> io::Result<Reply> {
        let (head, mut body) = self.head()?;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let mut reply = Reply { status, head, body: Vec::new() };
        let length: usize = reply.header("content-length").map_or(0, |value| value.parse().unwrap());
        let mut buffer = [0; 16 * 1024];
        while body.len() < length {
            match self.0.read(&mut buffer)? {
                0 => break,
                count => body.extend_from_slice(&buffer[..count]),
            }
        }
        reply.body = body;
        Ok(reply)
    }

    /// How many bytes follow until the connection ends.
    pub(crate) fn count_to_end(&mut self) -> io::Result<u64> {
        io::copy(&mut self.0, &mut io::sink())
    }
}

pub(crate) const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
pub(crate) const JSON: (&str, &str) = ("accept", "application/json");

pub(crate) fn path_of(url: &str) -> String {
    url.splitn(4, '/').nth(3).map(|path| format!("/{path}")).unwrap()
}

pub(crate) fn encode(fields: &[(&str, &str)]) -> String {
    let escape = |text: &str| -> String {
        text.bytes()
            .map(|byte| match byte {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
                _ => format!("%{byte:02X}"),
            })
            .collect()
    };
    fields.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect::<Vec<_>>().join("&")
}

/// The fields of a password grant.
pub(crate) fn password_fields<'a>(username: &'a str, password: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![("client_id", "cdse-public"), ("grant_type", "password"), ("username", username), ("password", password)]
}

/// The fields of a refresh grant.
pub(crate) fn refresh_fields(token: &str) -> Vec<(&str, &str)> {
    vec![("client_id", "cdse-public"), ("grant_type", "refresh_token"), ("refresh_token", token)]
}

/// One request to the host of a URL, with this token if there is one.
pub(crate) fn request(method: &str, url: &str, token: Option<&str>) -> Reply {
    let mut wire = Wire::open_at(url);
    wire.send_bearer(method, url, token);
    wire.read().unwrap()
}

pub(crate) fn get(url: &str, token: Option<&str>) -> Reply {
    request("GET", url, token)
}

/// What a client does, one connection each.
pub(crate) trait Calls {
    fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply;
    fn token(&self, fields: &[(&str, &str)]) -> Reply;
    fn protocol(&self, endpoint: &str, fields: &[(&str, &str)]) -> Reply;
    fn password(&self, username: &str, password: &str) -> Reply;
    fn login(&self) -> Tokens;
    fn refresh(&self, token: &str) -> Reply;
    fn logout(&self, token: &str) -> Reply;
    fn userinfo(&self, token: &str) -> Reply;
    fn resource(&self, token: &str) -> Reply;
    fn account(&self, method: &str, path: &str, token: &str) -> Reply;
}

impl Calls for Sandbox {
    fn call(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let mut wire = Wire::open(self);
        wire.send(method, path, headers, body);
        wire.read().unwrap()
    }

    fn token(&self, fields: &[(&str, &str)]) -> Reply {
        self.protocol("token", fields)
    }

    fn protocol(&self, endpoint: &str, fields: &[(&str, &str)]) -> Reply {
        let path = format!("/auth/realms/CDSE/protocol/openid-connect/{endpoint}");
        self.call("POST", &path, &[FORM], &encode(fields))
    }

    fn password(&self, username: &str, password: &str) -> Reply {
        self.token(&password_fields(username, password))
    }

    #[track_caller]
    fn login(&self) -> Tokens {
        self.password(USER, PASSWORD).tokens()
    }

    fn refresh(&self, token: &str) -> Reply {
        self.token(&refresh_fields(token))
    }

    fn logout(&self, token: &str) -> Reply {
        self.protocol("logout", &[("client_id", "cdse-public"), ("refresh_token", token)])
    }

    fn userinfo(&self, token: &str) -> Reply {
        let bearer = format!("Bearer {token}");
        self.call("GET", "/auth/realms/CDSE/protocol/openid-connect/userinfo", &[("authorization", &bearer)], "")
    }

    fn resource(&self, token: &str) -> Reply {
        let bearer = format!("Bearer {token}");
        self.call("GET", &path_of(&self.resource_url()), &[("authorization", &bearer)], "")
    }

    fn account(&self, method: &str, path: &str, token: &str) -> Reply {
        let bearer = format!("Bearer {token}");
        let path = format!("/auth/realms/CDSE/account/{path}");
        self.call(method, &path, &[("authorization", &bearer), JSON], "")
    }
}

/// Looks again until it is so.
pub(crate) fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        std::thread::yield_now();
    }
}
