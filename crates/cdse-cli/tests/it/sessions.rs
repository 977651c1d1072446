//! The account's sessions at the service.

use std::time::Duration;

use cdse_sandbox::{Action, Endpoint, Fault, Rotation};
use serde_json::Value;

use crate::support::{USER, World};

fn sessions(world: &World) -> Vec<Value> {
    world.cdse(["auth", "sessions", "--json"]).run().ok().json().as_array().unwrap().clone()
}

#[test]
fn cli5_sessions_are_listed_whoever_opened_them() {
    let world = World::logged_in();
    let own = world.sandbox.sessions()[0].id.clone();
    let other = world.open_elsewhere();
    let listed = sessions(&world);
    assert_eq!(listed.len(), 2);
    let current = listed.iter().find(|session| session["current"] == true).unwrap();
    assert_eq!((&current["id"], &current["clients"]), (&own.as_str().into(), &serde_json::json!(["cdse-public"])));
    let text = world.cdse(["auth", "sessions", "list"]).run().ok().stdout;
    assert!(text.contains(&other) && text.contains("127.0.0.1") && text.lines().count() == 3, "{text}");
}

#[test]
fn cli5_a_session_is_ended_by_its_id_and_all_or_none_are() {
    let world = World::logged_in();
    let own = world.sandbox.sessions()[0].id.clone();
    let other = world.open_elsewhere();
    let end = |ids: &[&str]| world.cdse(["auth", "sessions", "end", "--"].iter().chain(ids)).run();
    end(&[]).exits(2);
    end(&[&other, "CANARY"]).exits(2).says("no session was ended");
    end(&[&other, &own]).exits(2).says("cdse auth logout");
    assert_eq!(world.sandbox.sessions().len(), 2);
    end(&[&other, &other]).ok().prints_nothing().says("ended 1 session");
    assert_eq!(world.sandbox.sessions().len(), 1);
    end(&[&other]).exits(2);
    world.cdse(["auth", "token"]).run().token();
}

#[test]
fn cli5_prune_ends_what_nobody_can_use_and_nothing_else() {
    let world = World::with(|config| config.rotation = Rotation::OneTime);
    world.log_in();
    // A one-time token that is used by two: the session loses its client and keeps its place.
    let elsewhere = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let with = |nth: usize, arguments: &[&str]| world.cdse(arguments).env("CDSE_STATE_DIR", elsewhere[nth].path());
    with(0, &["auth", "login", "--username", USER, "--password-stdin"]).stdin(crate::support::PASSWORD).run().ok();
    let record = std::fs::read_dir(elsewhere[0].path().join("sessions")).unwrap();
    let record =
        record.map(|entry| entry.unwrap().path()).find(|path| path.extension().is_some_and(|end| end == "json"));
    let record: Value = serde_json::from_slice(&std::fs::read(record.unwrap()).unwrap()).unwrap();
    let refresh = record["tokens"]["refresh_token"].as_str().unwrap().to_owned();
    with(1, &["auth", "token"]).env("CDSE_REFRESH_TOKEN", &refresh).run().token();
    with(2, &["auth", "token"]).env("CDSE_REFRESH_TOKEN", &refresh).run().exits(4);
    let dead: Vec<_> =
        sessions(&world).into_iter().filter(|session| session["clients"] == serde_json::json!([])).collect();
    assert_eq!(dead.len(), 1);
    let ended = world.cdse(["auth", "sessions", "prune", "--json"]).run().ok().json();
    assert_eq!(ended[0]["id"], dead[0]["id"]);
    assert_eq!(sessions(&world).len(), 1);
    world.cdse(["auth", "sessions", "prune"]).run().ok().prints_nothing().says("nothing to end");
}

#[test]
fn cli5_prune_of_unused_sessions_spares_those_that_are_stored_here() {
    // A service whose clock is an hour behind this machine's: what was used just now was used an hour ago.
    let world = World::with(|config| config.clock = cdse_sandbox::Clock::new(an_hour_ago));
    world.log_in();
    world.cdse_as(USER, ["auth", "token"]).run().token();
    let other = world.open_elsewhere();
    let prune = |limit: &str, yes: &[&str]| {
        world.cdse(["auth", "sessions", "prune", "--older-than", limit].iter().chain(yes)).run()
    };
    prune("1m", &[]).exits(2).prints_nothing().says("--yes");
    for odd in ["0", "x", "-1", "", "367d"] {
        prune(odd, &["--yes"]).exits(2);
    }
    prune("2h", &["--yes"]).ok().says("nothing to end");
    assert!(world.sandbox.sessions().iter().any(|session| session.id == other));
    prune("10m", &["--yes"]).ok().says("ended 1 session");
    assert!(world.sandbox.sessions().iter().all(|session| session.id != other));
    world.cdse(["auth", "token"]).run().token();
}

#[allow(clippy::disallowed_methods, reason = "the service's clock follows the machine's")]
fn an_hour_ago() -> std::time::SystemTime {
    std::time::SystemTime::now() - Duration::from_secs(3600)
}

#[test]
fn cli5_the_wrong_kind_of_credential_is_told_before_a_request() {
    let world = World::new();
    let client = |arguments: &[&str]| {
        world.cdse(arguments).env("CDSE_CLIENT_ID", "sh-client").env("CDSE_CLIENT_SECRET", "sh-secret").run()
    };
    client(&["auth", "sessions"]).exits(8).prints_nothing().says("CDSE_CLIENT_ID").says("is not accepted by account");
    client(&["auth", "token", "--for", "download"]).exits(8).prints_nothing().says("log in as a user");
    client(&["auth", "header-file", "--for", "download", "x"]).exits(8);
    let error = client(&["auth", "token", "--for", "s3-keys", "--json"]).exits(8).error_json();
    assert_eq!(error["error"]["code"], "wrong_credential");
    assert_eq!(world.sandbox.counters().connections, 0);
    client(&["auth", "token", "--for", "openeo"]).token();
    world.cdse_as(USER, ["auth", "token", "--for", "download"]).run().token();
    // Nobody here knows what a token from outside reaches.
    world.cdse(["auth", "token", "--for", "sentinel-hub"]).env("CDSE_ACCESS_TOKEN", "eyx").run().token();
    world.cdse(["auth", "token", "--for", "nothing"]).run().exits(2).says("download, s3-keys");
}

#[test]
fn cli5_hostile_answers_of_the_account_api_show_nothing_and_lose_nothing() {
    let world = World::logged_in();
    let odd = serde_json::json!([{"id": "x\u{1b}[2J\u{9b}1m\u{202e}", "clients": [{"clientId": "\u{7}\r\n"}], "ipAddress": "\u{1b}]0;x\u{7}", "started": u64::MAX, "expires": 0}]);
    world.sandbox.script(Fault::new(Endpoint::Account, Action::json(200, &odd)));
    let text = world.cdse(["auth", "sessions"]).run().ok().stdout;
    assert!(!text.chars().any(|c| (c.is_control() && c != '\n') || c == '\u{202e}'), "{text:?}");
    assert_eq!(text.lines().count(), 2, "{text:?}");
    world.sandbox.script(Fault::new(Endpoint::Account, Action::json(200, &odd)));
    world.cdse(["auth", "sessions", "--json"]).run().ok().json();
    for action in [Action::page(200), Action::json(200, &serde_json::json!({})), Action::page(404)] {
        world.sandbox.script(Fault::new(Endpoint::Account, action));
        world.cdse(["auth", "sessions"]).run().exits(1).prints_nothing();
    }
    world.sandbox.script(Fault::new(Endpoint::Account, Action::page(502)));
    world.cdse(["auth", "sessions"]).run().exits(5).prints_nothing();
    world.cdse(["auth", "token"]).run().token();
}
