use cdse_sandbox::Sandbox;
use serde_json::json;

use crate::client::{Calls, MFA, PASSWORD, Reply, START, USER, Wire, password_fields, sandbox};

fn control(sandbox: &Sandbox, method: &str, path: &str, body: &str) -> Reply {
    sandbox.call(method, &format!("/sandbox/{path}"), &[], body)
}

#[test]
fn counters_requests_and_sessions_are_shown_and_not_themselves_counted() {
    let sandbox = sandbox();
    let tokens = sandbox.login();
    let counters = control(&sandbox, "GET", "counters", "").json();
    assert_eq!(counters["logins_ok"], 1);
    assert_eq!(counters["sessions_open"], 1);
    let requests = control(&sandbox, "GET", "requests", "").json();
    assert_eq!(requests.as_array().unwrap().len(), 1);
    assert_eq!(requests[0]["endpoint"], "token");
    assert_eq!(requests[0]["grant"], "password");
    assert_eq!(requests[0]["started"], START as f64);
    let sessions = control(&sandbox, "GET", "sessions", "").json();
    assert_eq!(sessions[0]["id"], tokens.session);
    assert_eq!(sessions[0]["username"], USER);
    assert_eq!(control(&sandbox, "DELETE", "requests", "").status, 204);
    assert_eq!(control(&sandbox, "GET", "requests", "").json(), json!([]));
}

#[test]
fn sessions_can_be_forgotten() {
    let sandbox = sandbox();
    let tokens = sandbox.login();
    assert_eq!(control(&sandbox, "DELETE", "sessions", "").status, 204);
    assert_eq!(control(&sandbox, "GET", "sessions", "").json(), json!([]));
    assert_eq!(sandbox.refresh(&tokens.refresh).status, 400);
}

#[test]
fn the_clock_and_the_lifetimes_can_be_changed() {
    let sandbox = sandbox();
    assert_eq!(control(&sandbox, "POST", "advance", r#"{"seconds":90}"#).json(), json!({ "now": START + 90 }));
    let changed = control(&sandbox, "POST", "lifetimes", r#"{"access":60,"max":7200}"#).json();
    assert_eq!(changed, json!({ "access": 60, "idle": 3600, "max": 7200 }));
    assert_eq!(sandbox.login().expires_in, 60);
    let code = control(&sandbox, "GET", "totp/mfa%40example.com", "").json();
    assert_eq!(code["code"].as_str(), sandbox.totp_code(MFA).as_deref());
    assert_eq!(control(&sandbox, "GET", &format!("totp/{USER}"), "").status, 404);
}

#[test]
fn every_fault_but_the_closure_can_be_scripted() {
    let sandbox = sandbox();
    let script = |fault: serde_json::Value| {
        let reply = control(&sandbox, "POST", "faults", &fault.to_string());
        assert_eq!(reply.status, 204, "{}", reply.text());
    };
    let login = || {
        let mut wire = Wire::open(&sandbox);
        wire.send_form(&sandbox, &password_fields(USER, PASSWORD));
        wire.read()
    };
    script(json!({ "action": { "kind": "answer", "status": 503, "headers": [["retry-after", "1"]], "body": "x" } }));
    let reply = login().unwrap();
    assert_eq!((reply.status, reply.text(), reply.header("retry-after")), (503, "x", Some("1")));
    script(json!({ "times": 2, "action": { "kind": "answer_after", "status": 502 } }));
    assert_eq!(login().unwrap().status, 502);
    assert_eq!(login().unwrap().status, 502);
    assert_eq!(sandbox.counters().logins_ok, 2);
    script(json!({ "endpoint": "any", "action": { "kind": "delay", "milliseconds": 1 } }));
    script(json!({ "grant": "password", "action": { "kind": "delay_answer", "milliseconds": 1 } }));
    assert_eq!(login().unwrap().status, 200);
    assert_eq!(login().unwrap().status, 200);
    script(json!([
        { "action": { "kind": "torn", "processed": true, "body_bytes": 5 } },
        { "action": { "kind": "reset", "processed": false } },
        { "action": { "kind": "endless", "status": 200, "content_type": "text/plain", "bytes": 10 } },
        { "grant": "refresh_token", "times": u32::MAX, "action": { "kind": "stall", "processed": false } },
    ]));
    assert_eq!(login().unwrap().body.len(), 5);
    assert!(login().is_err());
    assert_eq!(login().unwrap().header("transfer-encoding"), Some("chunked"));
    assert_eq!(sandbox.counters().faults_met, 8);
    assert_eq!(control(&sandbox, "DELETE", "faults", "").status, 204);
    assert_eq!(sandbox.refresh("garbage").status, 400);
}

#[test]
fn what_cannot_be_understood_is_refused() {
    let sandbox = sandbox();
    for (path, body) in [
        ("faults", "{"),
        ("faults", r#"{"action":{"kind":"explode"}}"#),
        ("faults", r#"{"endpoint":"nowhere","action":{"kind":"stall","processed":true}}"#),
        ("faults", r#"{"tmies":3,"action":{"kind":"stall","processed":true}}"#),
        ("faults", r#"{"action":{"kind":"answer","status":42}}"#),
        ("advance", r#"{"seconds":-1}"#),
        ("lifetimes", r#"{"acess":1}"#),
    ] {
        let reply = control(&sandbox, "POST", path, body);
        assert_eq!(reply.status, 400, "{path} {body}");
        assert!(!reply.error().1.is_empty());
    }
    assert_eq!(control(&sandbox, "GET", "nothing", "").status, 404);
    assert_eq!(sandbox.login().expires_in, 600);
}

#[test]
fn odd_spans_are_refused_and_harm_nothing() {
    let sandbox = sandbox();
    let huge = u64::MAX;
    assert_eq!(control(&sandbox, "POST", "advance", &format!("{{\"seconds\":{huge}}}")).status, 400);
    assert_eq!(control(&sandbox, "POST", "lifetimes", &format!("{{\"max\":{huge}}}")).status, 400);
    for _ in 0..100 {
        control(&sandbox, "POST", "advance", "{\"seconds\":3000000000}");
    }
    sandbox.login();
}
