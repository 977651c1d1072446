//! Another HTTP client in place of the library's own, against the sandbox.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a surprise ends the test")]

mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use cdse_auth::{Ability, AuthProvider, Error, ErrorKind, Grant, GrantData, HttpSend, Result, SendError, blocking};
use cdse_sandbox::{Action, Fault, Rotation};
use serde_json::json;
use support::{World, at_rest, until, user};

/// A client of twenty lines, which fails as often as it is told to.
#[derive(Clone, Debug, Default)]
struct Plain {
    fails: Arc<Mutex<Vec<SendError>>>,
    seen: Arc<Mutex<Vec<http::Request<Bytes>>>>,
}

impl HttpSend for Plain {
    fn send(&self, request: http::Request<Bytes>, _: Duration) -> Result<http::Response<Bytes>, SendError> {
        self.seen.lock().unwrap().push(request.clone());
        if let Some(error) = self.fails.lock().unwrap().pop() {
            return Err(error);
        }
        let uri = request.uri();
        let mut stream = TcpStream::connect(uri.authority().unwrap().as_str()).unwrap();
        let mut text = format!("{} {} HTTP/1.1\r\nHost: sandbox\r\n", request.method(), uri.path());
        for (name, value) in request.headers() {
            text.push_str(&format!("{name}: {}\r\n", value.to_str().unwrap()));
        }
        text.push_str(&format!("Content-Length: {}\r\n\r\n", request.body().len()));
        stream.write_all(text.as_bytes()).unwrap();
        stream.write_all(request.body()).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let text = String::from_utf8(answer).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status: u16 = head.split(' ').nth(1).unwrap().parse().unwrap();
        Ok(http::Response::builder().status(status).body(Bytes::from(body.to_owned())).unwrap())
    }
}

fn failure(sent: bool) -> SendError {
    let error = Error::new(ErrorKind::Network, "the cable is out");
    if sent { SendError::lost(error) } else { SendError::unsent(error) }
}

fn manager(world: &World, http: &Plain, provider: impl AuthProvider + 'static) -> blocking::TokenManager {
    world.builder(provider).http(http.clone()).build().unwrap().into()
}

#[test]
fn e6_another_client_sends_all_requests_of_a_session() {
    let (world, http) = (World::with(|config| config.rotation = Rotation::OneTime), Plain::default());
    let manager = manager(&world, &http, user());
    let first = manager.authorization_header().unwrap();
    let second = manager.force_refresh_after(&first).unwrap();
    assert!(world.accepts(&second) && first != second);
    manager.logout().unwrap();
    let counters = world.sandbox.counters();
    assert_eq!((counters.logins_ok, counters.refresh_grants, counters.logouts), (1, 1, 1));
    for request in http.seen.lock().unwrap().iter() {
        assert_eq!(request.method(), "POST");
        assert_eq!(request.headers()["content-type"], "application/x-www-form-urlencoded");
        assert_eq!(request.headers()["connection"], "close");
    }
}

#[test]
fn e6_a_refresh_token_that_was_not_sent_is_sent_again_and_one_that_may_have_been_rests() {
    for (sent, refreshes) in [(false, 2), (true, 1)] {
        let (world, http) = (World::with(|config| config.rotation = Rotation::OneTime), Plain::default());
        let manager = manager(&world, &http, user());
        manager.authorization_header().unwrap();
        at_rest(&manager);
        http.fails.lock().unwrap().push(failure(sent));
        world.advance(490);
        manager.authorization_header().unwrap();
        until("the renewal is sent", || http.seen.lock().unwrap().len() == 2);
        // One waits for its next try, the other is over.
        until("the failure is known", || manager.waiting().is_some() || !manager.status().renewing);
        world.advance(30);
        at_rest(&manager);
        let seen = http.seen.lock().unwrap();
        let form = |request: &http::Request<Bytes>| String::from_utf8(request.body().to_vec()).unwrap();
        let of_refresh = seen.iter().filter(|request| form(request).contains("grant_type=refresh_token"));
        assert_eq!((of_refresh.count(), seen.len()), (refreshes, refreshes + 1), "sent: {sent}");
    }
}

#[test]
fn e6_an_error_without_an_oauth_code_is_told_with_its_description() {
    let world = World::new();
    let said = json!({"error_description": "come back on Monday"});
    world.sandbox.script(Fault::token(Action::json(400, &said)));
    let error = manager(&world, &Plain::default(), user()).authorization_header().unwrap_err();
    assert!(error.to_string().contains("HTTP 400: come back on Monday"), "{error}");
}

/// Its form cannot be had.
#[derive(Debug)]
struct Broken;

impl AuthProvider for Broken {
    fn grant(&self) -> Grant {
        Grant::Password
    }

    fn client_id(&self) -> &str {
        cdse_auth::DEFAULT_CLIENT_ID
    }

    fn grant_data(&self) -> Result<GrantData> {
        Err(Error::new(ErrorKind::Configuration, "the vault is sealed"))
    }

    fn ability(&self) -> Ability {
        Ability::Login
    }
}

#[test]
fn p1_a_form_that_cannot_be_had_is_the_callers_error_and_nothing_is_sent() {
    let (world, http) = (World::new(), Plain::default());
    let manager = manager(&world, &http, Broken);
    let error = manager.authorization_header().unwrap_err();
    assert_eq!((error.kind(), error.message()), (ErrorKind::Configuration, "the vault is sealed"));
    assert!(http.seen.lock().unwrap().is_empty());
}
