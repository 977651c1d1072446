use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use cdse_sandbox::{Config, Sandbox};

use crate::client::{Calls, FORM, PASSWORD, USER, Wire, encode, password_fields, sandbox, sandbox_with};

#[test]
fn a_connection_serves_many_requests() {
    let sandbox = sandbox();
    let mut wire = Wire::open(&sandbox);
    for _ in 0..3 {
        wire.send_form(&sandbox, &password_fields(USER, PASSWORD));
        assert_eq!(wire.read().unwrap().status, 200);
    }
    assert_eq!(sandbox.counters().connections, 1);
    assert!(sandbox.requests().iter().all(|request| request.connection == 1));
}

#[test]
fn many_connections_are_open_at_once() {
    let sandbox = sandbox_with(|config| config.session_limit = None);
    let mut wires: Vec<_> = (0..400).map(|_| Wire::open(&sandbox)).collect();
    for wire in &mut wires {
        wire.send_form(&sandbox, &password_fields(USER, PASSWORD));
    }
    for wire in &mut wires {
        assert_eq!(wire.read().unwrap().status, 200);
    }
    let counters = sandbox.counters();
    assert_eq!((counters.connections, counters.logins_ok, counters.sessions_open), (400, 400, 400));
}

#[test]
fn latency_comes_before_every_answer_and_after_the_processing() {
    let sandbox = sandbox_with(|config| config.latency = Duration::from_secs(3600));
    let mut wire = Wire::open(&sandbox);
    wire.send_form(&sandbox, &password_fields(USER, PASSWORD));
    crate::client::until(|| sandbox.counters().logins_ok == 1);
    crate::client::until(|| sandbox.requests()[0].status == Some(200));
    assert_eq!(sandbox.requests()[0].finished, None);
    assert_eq!(sandbox.resource("garbage").status, 401);
}

#[test]
fn heads_and_bodies_have_limits() {
    let sandbox = sandbox();
    let reply = sandbox.resource(&"x".repeat(70_000));
    assert_eq!((reply.status, reply.body.len()), (431, 0));
    assert_eq!(sandbox.resource(&"x".repeat(20_000)).status, 401);
    let body = encode(&password_fields(USER, &"x".repeat(12_000_000)));
    let mut wire = Wire::open(&sandbox);
    wire.send("POST", "/auth/realms/CDSE/protocol/openid-connect/token", &[FORM], &body);
    assert!(wire.read().is_err());
    assert_eq!(sandbox.counters().token_requests, 0);
}

#[test]
fn what_is_not_http_does_no_harm() {
    let sandbox = sandbox();
    let mut stream = TcpStream::connect(sandbox.address()).unwrap();
    stream.write_all(b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n").unwrap();
    let mut rest = Vec::new();
    let _ = stream.read_to_end(&mut rest);
    assert_eq!(sandbox.password(USER, PASSWORD).status, 200);
}

#[test]
fn dropping_it_frees_the_port_and_a_taken_port_is_an_error() {
    let sandbox = sandbox();
    let port = sandbox.address().port();
    sandbox.login();
    assert!(Sandbox::start(Config { port, ..Config::default() }).is_err());
    drop(sandbox);
    let again = Sandbox::start(Config { port, ..Config::default() }).unwrap();
    assert_eq!(again.address().port(), port);
    again.login();
}

#[test]
fn the_default_clock_is_the_systems() {
    let sandbox = Sandbox::start(Config::default()).unwrap();
    let before = sandbox.now();
    sandbox.advance(Duration::from_secs(100));
    assert!(sandbox.now() >= before + Duration::from_secs(100));
}
