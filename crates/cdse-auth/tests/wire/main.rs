//! E4 on the wire: an exchange that breaks off anywhere, what that says about what was sent, and what is sent next.
//!
//! For each grant, and for each place at which the connection may break:
//!
//! | grant | what broke | class | sent again |
//! |---|---|---|---|
//! | any | before anything was sent (no name, no connection, no TLS) | unsent | after the hold, a few seconds |
//! | refresh | later | lost | once, in the token's last seconds |
//! | password | later | lost | not within a minute (a strike) |
//! | password and a given code | later | lost | never |
//! | password and a TOTP secret | later | lost | not within a minute, and with another code |
//! | client credentials | later | lost | after the hold, a few seconds |
//!
//! The service's own counters tell how many requests it has worked on.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a surprise ends the test")]

mod proxy;
#[path = "../support/mod.rs"]
mod support;
mod tls;

use std::time::Duration;

use cdse_auth::{
    AuthProvider, ClientCredentialsAuth, Error, ErrorKind, MemoryTokenStore, PasswordAuth, Proxy as HttpProxy,
    TokenStore, TotpSecret, TransportConfig, blocking,
};
use cdse_sandbox::{Counters, Rotation};
use proxy::{Ending, Proxy, Way};
use serde_json::Value;
use support::{MFA, PASSWORD, TOTP_SECRET, World, at_rest, until, user};
use tls::Tls;

/// How long an exchange may take where a test waits for that.
const SHORT: Duration = Duration::from_secs(2);
/// No answer is that long.
const FAR: usize = 1 << 20;

/// A service behind the proxy.
struct Line {
    world: World,
    proxy: Proxy,
    transport: TransportConfig,
}

/// A manager whose record can be looked at.
struct Client {
    manager: blocking::TokenManager,
    store: MemoryTokenStore,
}

impl Line {
    fn new() -> Self {
        let world = World::with(|config| {
            config.rotation = Rotation::OneTime;
            config.session_limit = None;
            config.lifetimes.max = Duration::from_secs(10_000_000);
        });
        let proxy = Proxy::before(world.sandbox.address());
        Self { world, proxy, transport: TransportConfig::new().with_proxy(HttpProxy::None) }
    }

    /// One whose clients give up after a moment.
    fn short() -> Self {
        let line = Self::new();
        Self { transport: line.transport.with_timeout(SHORT), ..line }
    }

    fn client(&self, provider: impl AuthProvider + 'static) -> Client {
        let service = self.world.sandbox.address().to_string();
        self.client_of(&self.world.sandbox.realm_url().replace(&service, &self.proxy.address.to_string()), provider)
    }

    fn client_of(&self, realm: &str, provider: impl AuthProvider + 'static) -> Client {
        let store = MemoryTokenStore::new();
        let builder = self.world.builder(provider).realm_url(realm).store(store.clone());
        // Shorter than any hold: a caller gets the error at once, and the test moves the clock.
        let builder = builder.transport(self.transport.clone()).patience(Duration::from_millis(100));
        Client { manager: builder.build().unwrap().into(), store }
    }

    fn counters(&self) -> Counters {
        self.world.sandbox.counters()
    }
}

impl Client {
    fn record(&self) -> Value {
        let slot = self.manager.as_async().slot();
        let record = self.store.records().unwrap().read(slot).unwrap();
        record.map_or(Value::Null, |record| serde_json::from_slice(&record.to_json()).unwrap())
    }

    fn class(&self) -> String {
        self.record()["hold"]["class"].as_str().unwrap_or("ok").to_owned()
    }
}

fn machine() -> ClientCredentialsAuth {
    ClientCredentialsAuth::new("sh-client", "sh-secret")
}

fn says_lost(error: &Error) {
    assert!(matches!(error.kind(), ErrorKind::Network | ErrorKind::MalformedAnswer), "{error}");
}

// ---- what follows when the first request breaks ----

/// Whether the whole answer came.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Came {
    Whole,
    Torn,
}

/// The renewal of a session breaks; `client` has a fresh one before and after. `processed`: by the service.
fn a_refresh_breaks(line: &Line, client: &Client, way: &Way, processed: bool) -> Came {
    let what = format!("{way:?}");
    let before = client.manager.authorization_header().unwrap();
    at_rest(&client.manager);
    line.world.sandbox.clear_log();
    line.proxy.next(way.clone());
    line.world.advance(490);
    assert_eq!(client.manager.authorization_header().unwrap(), before, "{what}");
    at_rest(&client.manager);
    let refreshed = |counters: Counters| (counters.refresh_grants, counters.password_grants);
    assert_eq!(refreshed(line.counters()), (u64::from(processed), 0), "{what}");
    if client.class() == "ok" {
        assert_ne!(client.manager.authorization_header().unwrap(), before, "{what}");
        line.world.advance(20);
        return Came::Whole;
    }
    let record = client.record();
    assert_eq!((client.class().as_str(), record["strikes"].as_u64()), ("lost", Some(0)), "{what}");
    assert!(record["suspect"]["sent"]["refresh"].is_string(), "{what}: {record}");
    // While another token is good, the refresh token rests.
    line.world.advance(50);
    assert_eq!(client.manager.authorization_header().unwrap(), before, "{what}");
    at_rest(&client.manager);
    assert_eq!(refreshed(line.counters()), (u64::from(processed), 0), "{what}");
    // In its last seconds the refresh token is sent again, once. A one-time token whose answer was lost is spent: the
    // session is over, and the password opens another.
    line.world.advance(40);
    let after = client.manager.authorization_header().unwrap();
    at_rest(&client.manager);
    assert_ne!(after, before, "{what}");
    let counters = line.counters();
    let expected = if processed { (2, 1, 1) } else { (1, 0, 0) };
    let seen = (counters.refresh_grants, counters.reuse_detected, counters.password_grants);
    assert_eq!(seen, expected, "{what}");
    assert_eq!(client.record()["strikes"], 0, "{what}: a session that ended this way is nobody's fault");
    line.world.advance(20);
    Came::Torn
}

/// A first login breaks.
fn a_login_breaks(line: &Line, way: Way, processed: bool) -> Came {
    let what = format!("{way:?}");
    line.world.sandbox.clear_log();
    line.proxy.next(way);
    let client = line.client(user());
    let logins = || line.counters().password_grants - u64::from(processed);
    let Err(error) = client.manager.login() else {
        assert_eq!(logins(), 0, "{what}");
        return Came::Whole;
    };
    says_lost(&error);
    assert!(error.to_string().contains("may have been opened"), "{what}: {error}");
    let record = client.record();
    assert_eq!((client.class().as_str(), record["strikes"].as_u64()), ("lost", Some(0)), "{what}");
    assert_eq!((&record["suspect"]["sent"], &record["lost_logins"]), (&"login".into(), &1.into()), "{what}: {record}");
    assert_eq!(logins(), 0, "{what}");
    // A password is not sent again by itself, for a while; a person may.
    line.world.advance(29);
    client.manager.authorization_header().unwrap_err();
    assert_eq!(logins(), 0, "{what}");
    client.manager.login().unwrap();
    assert_eq!(logins(), 1, "{what}");
    Came::Torn
}

/// A login with a code that was given breaks.
fn a_login_with_a_code_breaks(line: &Line, way: Way, processed: bool) -> Came {
    let what = format!("{way:?}");
    line.world.advance(30);
    line.world.sandbox.clear_log();
    line.proxy.next(way);
    let client = line.client(PasswordAuth::new(MFA, PASSWORD).with_code(line.world.sandbox.totp_code(MFA).unwrap()));
    let Err(error) = client.manager.login() else { return Came::Whole };
    says_lost(&error);
    assert_eq!(client.class(), "lost", "{what}");
    for seconds in [1, 58, 2, 3600] {
        line.world.advance(seconds);
        let error = client.manager.login().unwrap_err();
        assert!(seconds < 59 || error.kind() == ErrorKind::ReauthRequired, "{what}: {error}");
        client.manager.authorization_header().unwrap_err();
    }
    let counters = line.counters();
    assert_eq!((counters.password_grants, counters.totp_reused), (u64::from(processed), 0), "{what}");
    Came::Torn
}

/// A login with a generated code breaks.
fn a_login_with_a_generated_code_breaks(line: &Line, way: Way, processed: bool) -> Came {
    let what = format!("{way:?}");
    line.world.advance(30);
    line.world.sandbox.clear_log();
    line.proxy.next(way);
    let client = line.client(PasswordAuth::new(MFA, PASSWORD).with_totp_secret(TotpSecret::new(TOTP_SECRET).unwrap()));
    let Err(error) = client.manager.login() else { return Came::Whole };
    says_lost(&error);
    line.world.advance(61);
    client.manager.login().unwrap();
    let counters = line.counters();
    let seen = (counters.password_grants, counters.logins_ok, counters.totp_reused);
    assert_eq!(seen, (1 + u64::from(processed), 1 + u64::from(processed), 0), "{what}");
    Came::Torn
}

/// A machine client's request breaks.
fn a_client_grant_breaks(line: &Line, way: Way, processed: bool) -> Came {
    let what = format!("{way:?}");
    line.world.sandbox.clear_log();
    line.proxy.next(way);
    let client = line.client(machine());
    let grants = || line.counters().client_credentials_grants - u64::from(processed);
    let Err(error) = client.manager.authorization_header() else {
        assert_eq!(grants(), 0, "{what}");
        return Came::Whole;
    };
    says_lost(&error);
    assert_eq!((client.class().as_str(), client.record()["strikes"].as_u64()), ("lost", Some(0)), "{what}");
    client.manager.authorization_header().unwrap_err();
    assert_eq!(grants(), 0, "{what}: the hold is everybody's");
    line.world.advance(2);
    client.manager.authorization_header().unwrap();
    assert_eq!(grants(), 1, "{what}");
    Came::Torn
}

// ---- answers cut at every byte ----

/// All of them in the long form; in the short one some between the beginning and the end.
fn step(length: usize, whole: usize) -> usize {
    let long = std::env::var_os("CDSE_TEST_LONG").is_some();
    if long || length < 48 || length + 24 > whole { 1 } else { 41.min(whole - 24 - length).max(1) }
}

/// Cuts an answer after each of its bytes, in both ways, until one came whole.
fn at_every_byte(line: &Line, breaks: impl Fn(Way) -> Came) {
    let (mut length, mut cuts) = (0, 0);
    while length < FAR {
        let ending = if cuts % 2 == 0 { Ending::Closed } else { Ending::Reset };
        if breaks(Way::AnswerCut(length, ending)) == Came::Whole {
            let answer = line.proxy.longest_answer();
            assert!((300..=length).contains(&answer), "{length} bytes were taken for an answer of {answer}");
            return;
        }
        cuts += 1;
        length += step(length, line.proxy.longest_answer());
    }
    panic!("no answer came whole: {:?}", line.proxy.last());
}

#[test]
fn e4_an_answer_to_a_refresh_is_cut_at_every_byte() {
    let line = Line::new();
    let client = line.client(user());
    at_every_byte(&line, |way| a_refresh_breaks(&line, &client, &way, true));
}

#[test]
fn e4_an_answer_to_a_login_is_cut_at_every_byte() {
    let line = Line::new();
    at_every_byte(&line, |way| a_login_breaks(&line, way, true));
}

#[test]
fn e4_an_answer_to_a_login_with_a_given_code_is_cut_at_every_byte() {
    let line = Line::new();
    at_every_byte(&line, |way| a_login_with_a_code_breaks(&line, way, true));
}

#[test]
fn e4_an_answer_to_a_login_with_a_generated_code_is_cut_at_every_byte() {
    let line = Line::new();
    at_every_byte(&line, |way| a_login_with_a_generated_code_breaks(&line, way, true));
}

#[test]
fn e4_an_answer_to_a_client_grant_is_cut_at_every_byte() {
    let line = Line::new();
    at_every_byte(&line, |way| a_client_grant_breaks(&line, way, true));
}

// ---- requests cut on their way ----

/// Cuts a request after each of its bytes: the service never works on a part of one. The client cannot know that, and
/// takes it for lost. Then the whole request arrives and its answer does not.
fn request_at_every_byte(line: &Line, grant: &str, breaks: impl Fn(Way, bool) -> Came) {
    assert_eq!(breaks(Way::AnswerCut(0, Ending::Closed), true), Came::Torn);
    let whole = line.proxy.request_of(grant);
    let (mut length, mut cuts) = (1, 0);
    while length < whole {
        let ending = if cuts % 2 == 0 { Ending::Closed } else { Ending::Reset };
        assert_eq!(breaks(Way::RequestCut(length, ending), false), Came::Torn);
        cuts += 1;
        length += step(length, whole);
    }
    assert_eq!(breaks(Way::RequestCut(FAR, Ending::Closed), true), Came::Torn);
}

#[test]
fn e4_a_refresh_is_cut_at_every_byte_on_its_way() {
    let line = Line::new();
    let client = line.client(user());
    request_at_every_byte(&line, "refresh_token", |way, processed| a_refresh_breaks(&line, &client, &way, processed));
}

#[test]
fn e4_a_login_is_cut_at_every_byte_on_its_way() {
    let line = Line::new();
    request_at_every_byte(&line, "password", |way, processed| a_login_breaks(&line, way, processed));
    let line = Line::new();
    request_at_every_byte(&line, "password", |way, processed| a_login_with_a_code_breaks(&line, way, processed));
}

#[test]
fn e4_a_client_grant_is_cut_at_every_byte_on_its_way() {
    let line = Line::new();
    request_at_every_byte(&line, "client_credentials", |way, processed| a_client_grant_breaks(&line, way, processed));
}

// ---- connections that misbehave in other ways ----

/// Each of the grants meets it, on a line of its own.
fn every_grant_meets(way: &Way, processed: bool) {
    let breaks: [fn(&Line, Way, bool) -> Came; 5] = [
        |line, way, processed| a_refresh_breaks(line, &line.client(user()), &way, processed),
        a_login_breaks,
        a_login_with_a_code_breaks,
        a_login_with_a_generated_code_breaks,
        a_client_grant_breaks,
    ];
    std::thread::scope(|scope| {
        for breaks in breaks {
            scope.spawn(move || assert_eq!(breaks(&Line::short(), way.clone(), processed), Came::Torn));
        }
    });
}

#[test]
fn e4_a_connection_that_ends_while_the_request_is_written_is_not_replaced_by_another() {
    for ending in [Ending::Closed, Ending::Reset] {
        every_grant_meets(&Way::RequestCut(1, ending), false);
        let line = Line::new();
        line.proxy.next(Way::RequestCut(1, ending));
        line.client(machine()).manager.authorization_header().unwrap_err();
        assert_eq!(line.proxy.seen().len(), 1, "it was sent again without being asked");
    }
}

/// The HTTP library may notice before it has written anything, or not: in both cases one connection is made, and the
/// service has nothing.
#[test]
fn e4_a_connection_that_ends_at_once_is_unsent_or_lost() {
    for ending in [Ending::Closed, Ending::Reset] {
        for nth in 1..=20 {
            let line = Line::new();
            line.proxy.next(Way::NotRead(ending));
            let client = line.client(user());
            client.manager.login().unwrap_err();
            let record = client.record();
            let unsent = record["suspect"].is_null() && record["strikes"] == 0;
            let lost = record["suspect"]["sent"] == "login" && record["lost_logins"] == 1;
            assert!(
                match client.class().as_str() {
                    "unsent" => unsent,
                    _ => lost,
                },
                "{nth}: {record}"
            );
            assert_eq!((line.proxy.seen().len(), line.counters().connections), (1, 0), "{nth}");
        }
    }
}

#[test]
fn e4_a_half_closed_connection_is_lost() {
    every_grant_meets(&Way::HalfClosed, true);
}

#[test]
fn e4_an_answer_that_stalls_is_lost_when_the_time_is_up() {
    for length in [0, 900] {
        every_grant_meets(&Way::AnswerStalls(length), true);
    }
}

#[test]
fn e4_an_answer_that_drips_is_lost_when_the_time_is_up() {
    every_grant_meets(&Way::AnswerDrips(Duration::from_millis(20)), true);
}

/// A gibibyte, in each place where an answer can be long.
#[test]
fn e1_an_answer_without_end_is_lost_and_not_read_to_its_end() {
    const GIB: u64 = 1 << 30;
    let head = |rest: &str| format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n{rest}").into_bytes();
    let filler = |byte: u8| vec![byte; 64 * 1024];
    let chunk = [b"10000\r\n".as_slice(), &filler(b' '), b"\r\n"].concat();
    for way in [
        Way::Endless(head("content-length: 1073741824\r\n\r\n{\"access_token\":\""), filler(b'x'), GIB),
        Way::Endless(head("connection: close\r\n\r\n{\"access_token\":\"t\",\"x\":\""), filler(b'x'), GIB),
        Way::Endless(head("transfer-encoding: chunked\r\n\r\n"), chunk, GIB),
        Way::Endless(head("x: "), filler(b'x'), GIB),
        Way::Endless(b"HTTP/1.1 100 Continue\r\n\r\n".to_vec(), b"HTTP/1.1 100 Continue\r\n\r\n".repeat(1000), GIB),
    ] {
        let line = Line::short();
        let shown = String::from_utf8_lossy(match &way {
            Way::Endless(head, ..) => head,
            _ => unreachable!(),
        })
        .into_owned();
        line.proxy.next(way);
        let client = line.client(user());
        says_lost(&client.manager.login().unwrap_err());
        assert_eq!(client.class(), "lost", "{shown}");
        until("the connection is given up", || line.proxy.last().over);
        let sent = line.proxy.last().sent;
        assert!(sent < GIB / 4, "{sent} bytes were taken: {shown}");
        client.manager.login().unwrap_err();
        assert_eq!(line.counters().password_grants, 1);
    }
}

/// What its body would have said is not needed for that.
#[test]
fn e4_an_error_answer_that_is_cut_has_said_enough_with_its_status() {
    let cut =
        |head: &str| format!("HTTP/1.1 {head}\r\nretry-after: 30\r\ncontent-length: 100\r\n\r\n<html>").into_bytes();
    for (head, kind) in [
        ("429 Too Many Requests", ErrorKind::RateLimited),
        ("503 Service Unavailable", ErrorKind::ServiceUnavailable),
        ("300 Multiple Choices", ErrorKind::Configuration),
    ] {
        let line = Line::new();
        line.proxy.next(Way::Speaks(cut(head), Some(Ending::Closed)));
        let error = line.client(machine()).manager.authorization_header().unwrap_err();
        assert_eq!(error.kind(), kind, "{head}: {error}");
    }
}

#[test]
fn e1_a_connection_that_the_service_keeps_open_is_not_used_again() {
    let line = Line::new();
    let client = line.client(user());
    for _ in 0..3 {
        line.proxy.next(Way::KeptOpen);
        client.manager.force_refresh().unwrap();
        until("the client has left", || line.proxy.last().over);
        line.world.advance(20);
    }
    let seen = line.proxy.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|connection| connection.after == 0), "{seen:?}");
}

// ---- before anything is sent ----

/// Whatever keeps a connection from being made, every grant is free to try again, and does after a few seconds.
fn unsent(realm: &str, line: &Line, provider: impl AuthProvider + 'static, way: Option<&Way>) {
    let client = line.client_of(realm, provider);
    for nth in 1..=2 {
        line.proxy.next(way.cloned().unwrap_or(Way::Pass));
        let error = client.manager.authorization_header().unwrap_err();
        assert!(!error.to_string().contains("lost"), "{way:?}: {error}");
        let record = client.record();
        let seen = (client.class(), record["strikes"].as_u64(), record["fails"].as_u64());
        // What waiting does not mend, such as a certificate that is not trusted here, holds nobody back.
        let (class, fails) = if error.is_transient() { ("unsent", nth) } else { ("ok", 0) };
        assert_eq!(seen, (class.to_owned(), Some(0), Some(fails)), "{way:?}: {record}");
        assert_eq!(record["suspect"], Value::Null, "{way:?}: {record}");
        if way.is_some() {
            assert_eq!(line.proxy.seen().len(), usize::try_from(nth).unwrap(), "{way:?}");
        }
        // No code of the same step is used twice.
        line.world.advance(31);
    }
    assert_eq!(line.counters().token_requests, 0);
}

fn every_grant_is_unsent(realm: impl Fn(&Line) -> String + Sync, way: Option<&Way>) {
    let totp = PasswordAuth::new(MFA, PASSWORD).with_totp_secret(TotpSecret::new(TOTP_SECRET).unwrap());
    let (realm, new) = (&realm, Line::short);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            let line = new();
            unsent(&realm(&line), &line, user(), way);
        });
        scope.spawn(move || {
            let line = new();
            unsent(&realm(&line), &line, totp, way);
        });
        scope.spawn(move || {
            let line = new();
            unsent(&realm(&line), &line, machine(), way);
        });
    });
}

#[test]
fn e4_a_name_that_cannot_be_resolved_is_unsent() {
    // No label of a name is that long: the resolver says so without asking anybody.
    every_grant_is_unsent(|_| format!("https://{}.example/auth/realms/CDSE", "a".repeat(64)), None);
}

/// TLS, cut after each byte that the service's side says: greeting, tickets, answer. As long as the client has not been
/// greeted nothing was sent, and that is known; whatever is taken for unsent was not worked on.
#[test]
fn e4_a_tls_connection_is_cut_at_every_byte() {
    let mut line = Line::new();
    let tls = Tls::before(line.world.sandbox.address());
    line.proxy = Proxy::before(tls.address);
    line.transport = line.transport.with_root_certificates(tls.authority.as_bytes()).unwrap();
    let realm = format!("https://{}/auth/realms/CDSE", line.proxy.address);
    let (mut length, mut classes) = (0, Vec::new());
    loop {
        line.world.sandbox.clear_log();
        let connections = line.proxy.seen().len();
        line.proxy.next(Way::RawCut(length));
        line.proxy.next(Way::RawCut(FAR));
        let client = line.client_of(&realm, user());
        let result = client.manager.login();
        let class = client.class();
        assert_eq!(line.proxy.seen().len() - connections, 1, "{length}: {result:?}");
        let record = client.record();
        assert_eq!(record["suspect"].is_object(), class == "lost", "{length}: {record}");
        if classes.last() != Some(&class) {
            classes.push(class.clone());
        }
        if result.is_ok() {
            break;
        }
        line.world.advance(61);
        client.manager.login().unwrap();
        let most = if class == "unsent" { 1 } else { 2 };
        assert!(line.counters().password_grants <= most, "{length}: {class}: {result:?}");
        length += step(length, line.proxy.longest_answer());
    }
    assert_eq!((classes.first().map(String::as_str), classes.last().map(String::as_str)), (Some("unsent"), Some("ok")));
    assert!(classes.contains(&"lost".to_owned()) && length > 2000, "{classes:?} {length}");
}

#[test]
fn e4_a_tls_handshake_that_fails_is_unsent() {
    let handshake_failure = vec![0x15, 3, 3, 0, 2, 2, 40];
    let half_a_hello = vec![0x16, 3, 3, 0, 122, 2, 0, 0, 118, 3, 3, 7, 7, 7];
    for way in [
        Way::NotRead(Ending::Closed),
        Way::NotRead(Ending::Reset),
        Way::Speaks(Vec::new(), Some(Ending::Closed)),
        Way::Speaks(Vec::new(), Some(Ending::Reset)),
        Way::Speaks(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), Some(Ending::Closed)),
        Way::Speaks(handshake_failure, Some(Ending::Closed)),
        Way::Speaks(half_a_hello.clone(), Some(Ending::Closed)),
        Way::Speaks(half_a_hello.clone(), Some(Ending::Reset)),
        Way::Speaks(half_a_hello, None),
        Way::Speaks(Vec::new(), None),
    ] {
        every_grant_is_unsent(|line| format!("https://{}/auth/realms/CDSE", line.proxy.address), Some(&way));
    }
}

/// Whatever patience there is: waiting does not make an authority known.
#[test]
fn e4_a_certificate_that_is_not_trusted_is_said_at_once() {
    let line = Line::new();
    let tls = Tls::before(line.world.sandbox.address());
    let realm = format!("https://{}/auth/realms/CDSE", tls.address);
    let builder = line.world.builder(user()).realm_url(&realm).transport(line.transport.clone());
    let manager: blocking::TokenManager = builder.build().unwrap().into();
    let caller = std::thread::spawn(move || manager.authorization_header());
    until("it is said", || caller.is_finished());
    assert_eq!(caller.join().unwrap().unwrap_err().kind(), ErrorKind::UnknownAuthority);
    assert_eq!(line.counters().token_requests, 0);
}

/// A session's token is used as long as it lasts; its refresh token does not rest, for nobody has seen it.
#[test]
fn e4_a_refresh_that_finds_no_connection_is_unsent() {
    let line = Line::new();
    let client = line.client(user());
    let before = client.manager.authorization_header().unwrap();
    at_rest(&client.manager);
    line.world.sandbox.clear_log();
    line.proxy.close();
    line.world.advance(490);
    for nth in 1..=2 {
        assert_eq!(client.manager.authorization_header().unwrap(), before);
        until("it was tried", || client.record()["fails"].as_u64() == Some(nth));
        assert_eq!((client.class().as_str(), &client.record()["suspect"]), ("unsent", &Value::Null));
        line.world.advance(5);
    }
    line.proxy.open();
    until("it is tried again", || {
        line.world.advance(1);
        line.counters().refreshes_ok == 1
    });
    at_rest(&client.manager);
    assert_ne!(client.manager.authorization_header().unwrap(), before);
    let counters = line.counters();
    assert_eq!((counters.refreshes_ok, counters.reuse_detected, counters.password_grants), (1, 0, 0));
}
