//! A session in the keyring of a desktop, through the real binary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use cdse_auth::store::{Commit, RecordStore};
use cdse_auth::{Record, Slot};
use cdse_judge::desktop::Desktop;
use cdse_judge::named;
use cdse_judge::real::Named;
use cdse_keyring::KeyringTokenStore;
use cdse_sandbox::{Action, Fault, Rotation};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::support::{BUS, Call, Done, MFA, PASSWORD, USER, World, log_in_to, until};

pub(crate) const ALL: &[Named] = named![
    cli1_login_token_status_refresh_logout_with_a_keyring,
    s5_what_the_keyring_does_not_give_is_sought_nowhere_else,
    s2_a_secret_that_cannot_be_used,
    x1_16_processes_one_request_with_a_keyring,
    w_sixteen_processes_that_want_another_token_all_get_one_with_a_keyring,
    w_a_stopped_holder_of_the_lock_fails_nobody_with_a_keyring,
    x3_a_login_with_the_other_store_moves_the_session,
    x3_a_forced_login_with_the_other_store_ends_the_session_in_the_first,
    x3_a_dead_session_in_the_other_store_does_not_stay_there,
    x3_a_move_that_was_not_finished_leaves_no_second_copy,
    s5_the_way_out_of_a_keyring_that_is_gone_is_a_file,
    cli4_credentials_in_the_environment_keep_their_session_in_a_file,
    x3_what_no_profile_points_to_is_moved_as_well,
    x3_another_user_takes_nobodys_session_out_of_the_keyring,
    cli11_a_session_in_the_keyring_that_no_profile_points_to_is_listed_and_ended,
];

/// A person with a desktop.
struct Home {
    world: World,
    desktop: Desktop,
}

impl Home {
    fn new() -> Self {
        Self::with(World::new())
    }

    fn with(world: World) -> Self {
        Self { world, desktop: Desktop::start() }
    }

    fn logged_in() -> Self {
        let home = Self::new();
        home.log_in_to("keyring").ok();
        home
    }

    fn on_bus(&self, call: Call) -> Call {
        call.env(BUS, self.desktop.address())
    }

    fn cdse(&self, arguments: &[&str]) -> Call {
        self.on_bus(self.world.cdse(arguments))
    }

    fn spawn(&self, arguments: &[&str]) -> (Call, Child) {
        let mut call = self.cdse(arguments);
        let child = call.spawn();
        (call, child)
    }

    fn run(&self, arguments: &[&str]) -> Done {
        let before = self.tokens();
        let done = self.cdse(arguments).run();
        // The canary of the files, for the keyring.
        for token in before.into_iter().chain(self.tokens()) {
            assert!(!done.stderr.contains(&token), "{done:?}");
            assert!(arguments.contains(&"token") || !done.stdout.contains(&token), "{done:?}");
        }
        done
    }

    fn log_in_to(&self, store: &str) -> Done {
        self.on_bus(log_in_to(&self.world, store)).run()
    }

    fn sessions(&self) -> PathBuf {
        self.world.state().join("sessions")
    }

    fn slot(&self) -> Slot {
        Slot {
            token_url: format!("{}/protocol/openid-connect/token", self.world.sandbox.realm_url()),
            client_id: "cdse-public".to_owned(),
            grant: cdse_auth::Grant::Password,
            subject: Some(USER.to_owned()),
        }
    }

    fn store(&self) -> KeyringTokenStore {
        KeyringTokenStore::new(self.sessions(), self.slot().id()).with_bus(self.desktop.address())
    }

    /// What the keyring's own command line says is stored.
    fn secret(&self) -> String {
        let folder = fs::canonicalize(self.sessions()).unwrap_or_default();
        let (folder, id) = (folder.to_str().unwrap().to_owned(), self.slot().id());
        let lookup = ["lookup", "application", "cdse", "name", &id, "folder", &folder];
        String::from_utf8(self.desktop.secret_tool(&lookup, "").stdout).unwrap()
    }

    fn put_secret(&self, text: &str) {
        let folder = fs::canonicalize(self.sessions()).unwrap();
        let attributes = ["application", "cdse", "name", &self.slot().id(), "folder", folder.to_str().unwrap()];
        let _ = self.desktop.secret_tool(&[&["clear"], &attributes[..]].concat(), "");
        let store = [&["store", "--label=by hand"], &attributes[..]].concat();
        assert!(self.desktop.secret_tool(&store, text).status.success());
    }

    fn record(&self) -> Value {
        serde_json::from_str(&self.secret()).unwrap_or_default()
    }

    fn tokens(&self) -> Vec<String> {
        let record = self.record();
        let token = |name: &str| record["tokens"][name].as_str().map(str::to_owned);
        ["access_token", "refresh_token"].into_iter().filter_map(token).collect()
    }

    /// As [`World::age`], for the record in the keyring.
    fn age(&self, seconds: i64) {
        let (store, slot) = (self.store(), self.slot());
        let stored = store.read(&slot).unwrap().unwrap();
        let mut record: Value = serde_json::from_slice(&stored.to_json()).unwrap();
        let obtained = record["tokens"]["obtained_at_ms"].as_i64().unwrap();
        record["tokens"]["obtained_at_ms"] = (obtained - seconds * 1000).into();
        let record = Record::from_json(record.to_string().as_bytes()).unwrap();
        assert_eq!(store.commit(&slot, Some(stored.version()), &record).unwrap(), Commit::Done);
    }

    fn status(&self) -> Value {
        self.run(&["auth", "status", "--json"]).json()
    }

    /// No file below the state folder holds a token.
    fn no_file_holds(&self, tokens: &[String]) {
        assert!(!tokens.is_empty());
        for file in files(&self.world.state()) {
            let text = fs::read_to_string(&file).unwrap();
            assert!(tokens.iter().all(|token| !text.contains(token)), "{}", file.display());
        }
    }

    fn open_sessions(&self) -> usize {
        self.world.sandbox.sessions().len()
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn cli1_login_token_status_refresh_logout_with_a_keyring() {
    let home = Home::new();
    home.log_in_to("keyring").ok().prints_nothing().says("logged in as user@example.com").says("stored in the keyring");
    let first = home.run(&["auth", "token"]).token();
    assert_eq!(home.tokens()[0], first);
    home.no_file_holds(&home.tokens());
    let status = home.status();
    assert_eq!(status["store"], serde_json::json!({ "kind": "keyring", "path": null }));
    assert_eq!((&status["state"], &status["logged_in"]), (&"fresh".into(), &true.into()));
    assert!(home.run(&["auth", "status"]).ok().stdout.contains("store:           keyring"));
    home.run(&["auth", "refresh"]).ok();
    assert_ne!(home.run(&["auth", "token"]).token(), first);
    home.run(&["auth", "login"]).ok().says("already logged in");
    home.no_file_holds(&home.tokens());
    home.run(&["auth", "logout"]).ok().says("logged out: user@example.com");
    assert!(home.tokens().is_empty() && !home.secret().contains("\"tokens\""), "{}", home.secret());
    assert_eq!((home.open_sessions(), home.world.sandbox.counters().logouts), (0, 1));
    assert!(!home.world.profile_file("default").exists());
    home.run(&["auth", "token"]).exits(4);
}

fn s5_what_the_keyring_does_not_give_is_sought_nowhere_else() {
    let mut home = Home::logged_in();
    home.age(700);
    let requests = home.world.sandbox.counters().token_requests;
    home.desktop.lock();
    for command in ["token", "refresh", "logout", "login"] {
        let done = home.cdse(&["auth", command]).run().exits(1).prints_nothing();
        done.says("the keyring is locked").says("unlock it").says("cdse auth login --store file");
    }
    let status = home.cdse(&["auth", "status", "--json"]).run().exits(1).json();
    assert_eq!((&status["state"], &status["store"]["kind"]), (&"unknown".into(), &"keyring".into()));
    home.desktop.end_keyring();
    home.cdse(&["auth", "token"]).run().exits(1).says("no keyring is running on the D-Bus session bus");
    home.world.cdse(["auth", "token"]).env("XDG_RUNTIME_DIR", home.world.home.path()).run().exits(1).says("bus");
    assert_eq!(home.world.session_files().len(), 0);
    assert_eq!(home.world.sandbox.counters().token_requests, requests);
    // Nothing was lost.
    home.desktop.start_keyring(true);
    home.run(&["auth", "token"]).token();
}

fn s2_a_secret_that_cannot_be_used() {
    let home = Home::logged_in();
    let whole = home.secret();
    let other = whole.replace(USER, "other@example.com");
    let cases = [("{\"schema\": 99}", 7, "newer version"), (&other, 7, "another account"), ("CANARY", 1, "damaged")];
    for (text, exit, says) in cases {
        home.put_secret(text);
        let done = home.run(&["auth", "token"]).exits(exit).prints_nothing().says(says);
        assert!(done.stderr.contains("in the keyring"), "{done:?}");
        assert_eq!(home.secret() == text, exit == 7, "the damaged one alone is set aside");
    }
    home.run(&["auth", "token"]).exits(4).says("cdse auth login");
    home.put_secret(&whole);
    home.run(&["auth", "token"]).token();
}

fn x1_16_processes_one_request_with_a_keyring() {
    let home = Home::with(World::with(|config| config.rotation = Rotation::OneTime));
    home.log_in_to("keyring").ok();
    for _ in 0..3 {
        let old = home.run(&["auth", "token"]).token();
        home.age(700);
        home.world.sandbox.clear_log();
        // The answer waits until all of them are there.
        home.world.sandbox.script(Fault::token(Action::Delay(Duration::from_millis(500))));
        let running: Vec<_> = (0..16)
            .map(|_| {
                let mut call = home.cdse(&["auth", "token"]);
                let child = call.spawn();
                (call, child)
            })
            .collect();
        let mut tokens: Vec<String> = running.into_iter().map(|(call, child)| call.wait(child).token()).collect();
        assert_eq!(tokens.len(), 16);
        tokens.dedup();
        assert_eq!(tokens.len(), 1);
        assert_ne!(tokens[0], old);
        let counters = home.world.sandbox.counters();
        assert_eq!((counters.token_requests, counters.refreshes_ok, counters.reuse_detected), (1, 1, 0));
        assert_eq!(home.open_sessions(), 1);
    }
    home.no_file_holds(&home.tokens());
}

fn w_sixteen_processes_that_want_another_token_all_get_one_with_a_keyring() {
    let home = Home::with(World::with(|config| config.rotation = Rotation::OneTime));
    home.log_in_to("keyring").ok();
    home.age(100);
    home.world.sandbox.clear_log();
    home.world.sandbox.script(Fault::token(Action::DelayAnswer(Duration::from_millis(500))).always());
    let running: Vec<_> = (0..16).map(|_| home.spawn(&["auth", "token", "--force-refresh"])).collect();
    for (call, child) in running {
        call.wait(child).token();
    }
    let counters = home.world.sandbox.counters();
    // They do not begin at one moment: whoever comes when one is announced waits for the next.
    assert!(counters.token_requests < 16 && counters.reuse_detected == 0, "{counters:?}");
    assert_eq!(home.open_sessions(), 1);
}

fn w_a_stopped_holder_of_the_lock_fails_nobody_with_a_keyring() {
    let home = Home::with(World::with(|config| config.rotation = Rotation::OneTime));
    home.log_in_to("keyring").ok();
    home.age(490);
    home.world.sandbox.clear_log();
    home.world.sandbox.script(Fault::token(Action::DelayAnswer(Duration::from_millis(300))).always());
    let (call, holder) = home.spawn(&["auth", "token", "--force-refresh"]);
    until("it is at the exchange", || home.world.sandbox.counters().token_requests == 1);
    let pid = Pid::from_child(&holder);
    kill_process(pid, Signal::STOP).unwrap();
    home.run(&["auth", "token"]).token();
    let waiting: Vec<_> =
        [&["auth", "refresh"][..], &["auth", "token", "--min-validity", "300s"]].map(|words| home.spawn(words)).into();
    for (_, child) in &waiting {
        let tasks = format!("/proc/{}/task", child.id());
        until("it waits for the lock", || {
            fs::read_dir(&tasks).unwrap().flatten().any(|task| {
                fs::read_to_string(task.path().join("comm")).is_ok_and(|name| name.trim_end() == "cdse-auth")
            })
        });
    }
    kill_process(pid, Signal::CONT).unwrap();
    call.wait(holder).token();
    for (call, child) in waiting {
        call.wait(child).ok();
    }
    assert_eq!((home.world.sandbox.counters().reuse_detected, home.open_sessions()), (0, 1));
}

fn x3_a_login_with_the_other_store_moves_the_session() {
    let home = Home::with(World::logged_in());
    home.cdse(&["auth", "login", "--profile", "work", "--username", USER]).run().ok().says("already logged in");
    let token = home.run(&["auth", "token"]).token();
    for (to, from) in [("keyring", "a file"), ("file", "the keyring"), ("keyring", "a file")] {
        let login = home.run(&["auth", "login", "--store", to]).ok().says("already logged in");
        login.says(&format!("moved from {from} to")).says("the profile work follows it");
        for profile in ["default", "work"] {
            assert_eq!(home.run(&["auth", "token", "--profile", profile]).token(), token);
            assert_eq!(home.run(&["auth", "status", "--json", "--profile", profile]).json()["store"]["kind"], to);
        }
        let in_file = fs::read_to_string(home.world.session_file()).unwrap().contains(&token);
        assert_eq!((in_file, home.tokens().contains(&token)), (to == "file", to == "keyring"));
        // Once is enough, and without the option it stays where it is.
        for login in [&["auth", "login", "--store", to][..], &["auth", "login"]] {
            let done = home.run(login).ok().says("already logged in");
            assert!(!done.stderr.contains("moved"), "{done:?}");
        }
    }
    assert_eq!((home.world.sandbox.counters().token_requests, home.open_sessions()), (1, 1));
    home.run(&["auth", "logout"]).ok();
    assert_eq!(home.open_sessions(), 0);
}

fn x3_a_forced_login_with_the_other_store_ends_the_session_in_the_first() {
    for (first, second, kind) in [("file", "keyring", "a file"), ("keyring", "file", "the keyring")] {
        let home = Home::new();
        home.log_in_to(first).ok();
        let before = home.world.sandbox.sessions()[0].id.clone();
        let login = ["auth", "login", "--username", USER, "--password-stdin", "--store", second, "--force"];
        let done = home.cdse(&login).stdin(PASSWORD).run().ok().says("logged in as");
        done.says(&format!("the session that was kept in {kind} was ended"));
        let sessions = home.world.sandbox.sessions();
        assert_eq!(sessions.len(), 1);
        assert_ne!(sessions[0].id, before);
        assert_eq!(home.status()["store"]["kind"], second);
        home.run(&["auth", "token"]).token();
    }
}

fn x3_a_dead_session_in_the_other_store_does_not_stay_there() {
    let home = Home::with(World::logged_in());
    home.world.sandbox.end_session(&home.world.sandbox.sessions()[0].id);
    home.run(&["auth", "refresh"]).exits(4);
    let login = home.log_in_to("keyring").ok().says("logged in as");
    assert!(!login.stderr.contains("warning"), "{login:?}");
    assert!(!fs::read_to_string(home.world.session_file()).unwrap().contains("refresh_token"));
    assert_eq!(home.open_sessions(), 1);
    home.run(&["auth", "token"]).token();
}

/// A move that was killed before its last step: both stores hold the same session, and it is renewed from one of them.
fn x3_a_move_that_was_not_finished_leaves_no_second_copy() {
    let home = Home::with(World::with(|config| config.rotation = Rotation::OneTime));
    home.world.log_in();
    let copy = fs::read(home.world.session_file()).unwrap();
    home.run(&["auth", "login", "--store", "keyring"]).ok().says("moved");
    fs::write(home.world.session_file(), &copy).unwrap();
    home.run(&["auth", "refresh"]).ok();
    let done = home.run(&["auth", "login"]).ok().says("already logged in");
    assert!(!done.stderr.contains("moved"), "{done:?}");
    assert!(!fs::read_to_string(home.world.session_file()).unwrap().contains("refresh_token"));
    // And back over the older copy.
    fs::write(home.world.session_file(), &copy).unwrap();
    home.run(&["auth", "login", "--store", "file"]).ok().says("moved from the keyring to a file");
    home.run(&["auth", "refresh"]).ok();
    assert!(home.tokens().is_empty());
    assert_eq!((home.world.sandbox.counters().reuse_detected, home.open_sessions()), (0, 1));
}

fn s5_the_way_out_of_a_keyring_that_is_gone_is_a_file() {
    let mut home = Home::logged_in();
    home.desktop.end_keyring();
    let login = home.log_in_to("file").ok().says("warning: what is stored in the keyring is left as it is");
    assert_eq!(login.stderr.matches("warning: ").count(), 1, "{login:?}");
    home.run(&["auth", "token"]).token();
    assert_eq!(home.status()["store"]["kind"], "file");
}

fn cli4_credentials_in_the_environment_keep_their_session_in_a_file() {
    let home = Home::logged_in();
    let theirs = |arguments: &[&str]| home.on_bus(home.world.cdse_as(USER, arguments)).run().ok();
    theirs(&["auth", "token"]);
    assert_eq!(theirs(&["auth", "status", "--json"]).json()["store"]["kind"], "file");
    // It is theirs: a login to the keyring leaves it alone.
    home.run(&["auth", "login"]).ok();
    assert_eq!(home.open_sessions(), 2);
    theirs(&["auth", "logout"]);
    home.run(&["auth", "logout"]).ok();
    assert_eq!(home.open_sessions(), 0);
}

fn x3_what_no_profile_points_to_is_moved_as_well() {
    let home = Home::logged_in();
    fs::remove_file(home.world.profile_file("default")).unwrap();
    home.run(&["auth", "login", "--username", USER]).ok().says("moved from the keyring to a file");
    assert_eq!((home.open_sessions(), home.tokens().len()), (1, 0));
    home.run(&["auth", "token"]).token();
}

fn x3_another_user_takes_nobodys_session_out_of_the_keyring() {
    let home = Home::logged_in();
    let code = home.world.sandbox.totp_code(MFA).unwrap();
    let login = ["auth", "login", "--username", MFA, "--password-stdin", "--totp", &code];
    home.cdse(&login).stdin(PASSWORD).run().ok().says("stored in the keyring").says("that session was not ended");
    assert_eq!((home.open_sessions(), home.tokens().len()), (2, 2));
    home.run(&["auth", "login", "--username", USER]).ok().says("already logged in");
    home.run(&["auth", "token"]).token();
}

fn cli11_a_session_in_the_keyring_that_no_profile_points_to_is_listed_and_ended() {
    let mut home = Home::logged_in();
    let code = home.world.sandbox.totp_code(MFA).unwrap();
    let login = ["auth", "login", "--username", MFA, "--password-stdin", "--totp", &code];
    home.cdse(&login).stdin(PASSWORD).run().ok();
    let names = |home: &Home| -> Vec<(Value, Value)> {
        let list = home.run(&["auth", "list", "--json"]).ok().json();
        list.as_array().unwrap().iter().map(|entry| (entry["profile"].clone(), entry["username"].clone())).collect()
    };
    let mfa = ("default".into(), MFA.into());
    assert_eq!(names(&home), [mfa, (Value::Null, USER.into())]);
    assert_eq!(home.run(&["auth", "status", "--all", "--json"]).ok().json()[1]["store"]["kind"], "keyring");
    home.desktop.lock();
    let list = home.cdse(&["auth", "list"]).run().ok();
    assert_eq!(list.stderr.matches("warning: a session may be left out").count(), 1, "{list:?}");
    home.desktop.end_keyring();
    home.desktop.start_keyring(true);
    home.run(&["auth", "logout", "--all"]).ok();
    assert_eq!(home.open_sessions(), 0);
    assert!(names(&home).is_empty());
}
