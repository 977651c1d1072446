use std::io::ErrorKind;

use cdse_sandbox::{Action, Endpoint, Fault};
use serde_json::json;

use crate::client::{Calls, Wire, get, sandbox, until};

const PRODUCT: &str = "/odata/v1/Products(7b0c1f52-3d64-4c0e-9a51-2f6d8e4b1a01)/$value";

#[test]
fn data_a_body_is_torn_where_it_is_asked_to_be() {
    let sandbox = sandbox();
    let url = format!("{}{PRODUCT}", sandbox.download_url());
    let token = sandbox.login().access;
    let whole = get(&url, Some(&token)).body;
    sandbox.script(Fault::new(Endpoint::Download, Action::Torn { processed: true, body_bytes: 50_000 }));
    let torn = get(&url, Some(&token));
    assert_eq!((torn.status, torn.header("content-length")), (200, Some(whole.len().to_string().as_str())));
    assert_eq!(torn.body, &whole[..50_000]);
    assert_eq!(get(&url, Some(&token)).body, whole);
}

#[test]
fn data_hosts_meet_their_own_faults() {
    let sandbox = sandbox();
    let busy = r#"{"kind": "answer", "status": 503, "headers": [["retry-after", "5"]]}"#;
    for (endpoint, origin) in
        [("catalogue", sandbox.catalogue_url()), ("download", sandbox.download_url()), ("stac", sandbox.stac_url())]
    {
        let fault = format!(r#"{{"endpoint": "{endpoint}", "action": {busy}}}"#);
        assert_eq!(sandbox.call("POST", "/sandbox/faults", &[], &fault).status, 204);
        assert_eq!(sandbox.resource("garbage").status, 401);
        let reply = get(&format!("{origin}/"), None);
        assert_eq!((reply.status, reply.header("retry-after")), (503, Some("5")));
        assert_ne!(get(&format!("{origin}/"), None).status, 503);
    }
    assert_eq!(sandbox.counters().faults_met, 3);
}

#[test]
fn data_a_redirect_can_be_scripted() {
    let sandbox = sandbox();
    let headers = vec![("location".to_owned(), "http://localhost:1/elsewhere".to_owned())];
    sandbox.script(Fault::new(Endpoint::Download, Action::Answer { status: 302, headers, body: Vec::new() }));
    let reply = get(&format!("{}{PRODUCT}", sandbox.download_url()), None);
    assert_eq!((reply.status, reply.header("location")), (302, Some("http://localhost:1/elsewhere")));
}

#[test]
fn data_a_connection_is_reset_or_stays_silent() {
    let sandbox = sandbox();
    let url = format!("{}{PRODUCT}", sandbox.download_url());
    let token = sandbox.login().access;
    sandbox.script(Fault::new(Endpoint::Download, Action::Reset { processed: false }));
    let mut wire = Wire::open_at(&url);
    wire.send_bearer("GET", &url, Some(&token));
    assert_eq!(wire.read().unwrap_err().kind(), ErrorKind::ConnectionReset);

    // Each has a delivery while it lasts.
    sandbox.script(Fault::new(Endpoint::Download, Action::Stall { processed: true }).times(4));
    let silent: Vec<_> = (0..4)
        .map(|_| {
            let mut wire = Wire::open_at(&url);
            wire.send_bearer("GET", &url, Some(&token));
            wire
        })
        .collect();
    until(|| sandbox.counters().downloads_ok == 4);
    assert_eq!(get(&url, Some(&token)).status, 429);
    drop(silent);
    until(|| get(&url, Some(&token)).status == 200);
}

#[test]
fn data_an_answer_can_be_edited() {
    let sandbox = sandbox();
    sandbox.script(Fault::new(
        Endpoint::Catalogue,
        Action::edit(|body| {
            body.insert("value".to_owned(), json!([]));
        }),
    ));
    let list = get(&format!("{}/odata/v1/Products", sandbox.catalogue_url()), None).json();
    assert_eq!(list["value"], json!([]));
}
