//! The rules of the stores.

use std::io::Read as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use cdse_auth::store::{Commit, RecordStore, contract};
use cdse_auth::{ErrorKind, Record, TokenSet, TokenStore};
use cdse_judge::desktop::Desktop;
use cdse_judge::named;
use cdse_judge::real::Named;
use cdse_keyring::{KeyringTokenStore, is_about_keyring};

pub(crate) const ALL: &[Named] = named![
    s1_the_contract_holds,
    s1_the_secret_is_the_record_and_outlives_the_keyrings_sudden_end,
    s1_two_folders_are_two_sessions_and_two_paths_of_one_folder_are_one,
    s2_a_damaged_secret_is_named_and_set_aside,
    s2_a_newer_secret_is_left_untouched,
    s2_another_accounts_secret_is_left_untouched,
    s2_two_secrets_in_the_place_of_one_are_not_guessed_between,
    s5_a_locked_keyring_says_so_and_keeps_what_it_has,
    s5_a_keyring_that_cannot_ask_anybody_is_still_locked,
    s5_a_keyring_without_a_collection_says_so,
    s1_several_processes_write_one_history,
    s3_the_death_of_the_holder_frees_the_lock,
];

fn sessions(desktop: &Desktop) -> PathBuf {
    desktop.folder().join("sessions")
}

fn store(desktop: &Desktop) -> KeyringTokenStore {
    KeyringTokenStore::new(sessions(desktop), "session").with_bus(desktop.address()).with_label("label of the secret")
}

fn tokens(text: &str) -> TokenSet {
    TokenSet::new(text.to_owned(), Duration::from_secs(600)).unwrap()
}

/// How a person finds the secret.
fn attributes(desktop: &Desktop) -> [String; 6] {
    let folder = sessions(desktop).to_str().unwrap().to_owned();
    ["application", "cdse", "name", "session", "folder", &folder].map(str::to_owned)
}

fn secret_tool(desktop: &Desktop, before: &[&str], input: &str) -> String {
    let attributes = attributes(desktop);
    let arguments: Vec<&str> = before.iter().copied().chain(attributes.iter().map(String::as_str)).collect();
    let output = desktop.secret_tool(&arguments, input);
    String::from_utf8(output.stdout).unwrap()
}

/// The secret, as the keyring's own command line reads it.
fn stored(desktop: &Desktop) -> String {
    secret_tool(desktop, &["lookup"], "")
}

/// In the place of the secret.
fn put(desktop: &Desktop, text: &str) {
    let _ = secret_tool(desktop, &["clear"], "");
    let _ = secret_tool(desktop, &["store", "--label=by hand"], text);
    assert_eq!(stored(desktop), text);
}

fn s1_the_contract_holds() {
    let desktop = Desktop::start();
    let open = |name: &str| KeyringTokenStore::new(sessions(&desktop), name).with_bus(desktop.address());
    contract::check_simple(&|| Arc::new(open("simple")));
    contract::check_records(&|| Arc::new(open("records")));
}

fn s1_the_secret_is_the_record_and_outlives_the_keyrings_sudden_end() {
    let mut desktop = Desktop::start();
    let records = store(&desktop);
    let record = contract::record(None, "first");
    assert_eq!(records.commit(&contract::slot(), None, &record).unwrap(), Commit::Done);
    assert_eq!(stored(&desktop).as_bytes(), &record.to_json()[..]);
    desktop.end_keyring();
    let error = records.read(&contract::slot()).unwrap_err();
    assert!(error.message().contains("no keyring is running on the D-Bus session bus"), "{error}");
    desktop.start_keyring(true);
    assert_eq!(records.read(&contract::slot()).unwrap(), Some(record.clone()));
    // A call whose answer was lost is found to be done.
    assert_eq!(records.commit(&contract::slot(), None, &record).unwrap(), Commit::Done);
}

fn s1_two_folders_are_two_sessions_and_two_paths_of_one_folder_are_one() {
    let desktop = Desktop::start();
    store(&desktop).save(&tokens("here")).unwrap();
    let at = |path: &str| KeyringTokenStore::new(desktop.folder().join(path), "session").with_bus(desktop.address());
    assert_eq!(at("elsewhere").load().unwrap(), None);
    std::os::unix::fs::symlink(desktop.folder(), desktop.folder().join("link")).unwrap();
    // The folder of the lock is not there yet.
    assert!(!sessions(&desktop).exists());
    assert!(at("link/sessions").load().unwrap().is_some());
    drop(store(&desktop).try_guard(&contract::slot()).unwrap());
    assert!(sessions(&desktop).exists());
    assert!(at("link/sessions").load().unwrap().is_some());
}

fn s2_a_damaged_secret_is_named_and_set_aside() {
    let desktop = Desktop::start();
    for text in ["x", "{", "null", "{\"schema\":1}", "CANARY"] {
        put(&desktop, text);
        let records = store(&desktop);
        let error = records.read(&contract::slot()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreDamaged, "{text}: {error}");
        assert!(error.message().contains("'label of the secret'") && !error.message().contains("CANARY"), "{error}");
        assert!(!is_about_keyring(&error), "the keyring is as it should be");
        let commit = records.commit(&contract::slot(), None, &contract::record(None, "x"));
        assert_eq!(commit.unwrap_err().kind(), ErrorKind::StoreDamaged);
        assert_eq!(stored(&desktop), text, "nothing is lost");
        let aside = records.set_aside(&contract::slot()).unwrap().unwrap();
        assert!(aside.to_str().unwrap().starts_with("label of the secret (damaged "), "{}", aside.display());
        assert_eq!(records.read(&contract::slot()).unwrap(), None);
        // What was in it is kept, under that name.
        let kept = desktop.secret_tool(&["search", "--all", "application", "cdse"], "");
        let kept = String::from_utf8(kept.stdout).unwrap();
        assert!(kept.contains(&format!("label = {}\nsecret = {text}\n", aside.display())), "{kept}");
        assert_eq!(records.set_aside(&contract::slot()).unwrap(), None, "there is nothing damaged any more");
        records.save(&tokens("after")).unwrap();
    }
}

fn s2_a_newer_secret_is_left_untouched() {
    let desktop = Desktop::start();
    let newer = "{\"schema\": 99, \"from\": \"the future\"}";
    put(&desktop, newer);
    let store = store(&desktop);
    let results = [
        store.load().map(drop),
        store.save(&tokens("x")),
        store.clear(),
        store.read(&contract::slot()).map(drop),
        store.commit(&contract::slot(), None, &contract::record(None, "x")).map(drop),
        store.set_aside(&contract::slot()).map(|aside| assert_eq!(aside, None)).and(store.clear()),
    ];
    for result in results {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::StoreNewer);
    }
    assert_eq!(stored(&desktop), newer);
}

fn s2_another_accounts_secret_is_left_untouched() {
    let desktop = Desktop::start();
    let text = String::from_utf8(contract::record(None, "theirs").to_json().to_vec()).unwrap();
    let text = text.replace("user@example.com", "other@example.com");
    put(&desktop, &text);
    let records = store(&desktop);
    let record = contract::record(None, "x");
    let results =
        [records.read(&contract::slot()).map(drop), records.commit(&contract::slot(), None, &record).map(drop)];
    for result in results {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreUnsafe);
        assert!(error.message().contains("another account (other@example.com"), "{error}");
    }
    assert_eq!(stored(&desktop), text);
}

/// Nobody can know which of them is the newest, and an old one-time token ends the session.
fn s2_two_secrets_in_the_place_of_one_are_not_guessed_between() {
    let desktop = Desktop::start();
    let store = store(&desktop);
    store.save(&tokens("first")).unwrap();
    let more = [&attributes(&desktop)[..], &["copy".to_owned(), "yes".to_owned()]].concat();
    let arguments: Vec<&str> = ["store", "--label=copy"].into_iter().chain(more.iter().map(String::as_str)).collect();
    assert!(desktop.secret_tool(&arguments, "{}").status.success());
    let error = store.load().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnusable);
    assert!(error.message().contains("2 secrets for this session instead of one"), "{error}");
    assert!(store.save(&tokens("second")).is_err());
}

fn s5_a_locked_keyring_says_so_and_keeps_what_it_has() {
    let mut desktop = Desktop::start();
    let store = store(&desktop);
    store.save(&tokens("kept")).unwrap();
    desktop.lock();
    let results = [store.load().map(drop), store.save(&tokens("other")), store.clear()];
    for result in results {
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreUnusable);
        assert_eq!(error.to_string(), "the keyring is locked; unlock it, or keep the session in a file instead");
    }
    // Another session, of which nothing is stored: that is not known before the keyring is unlocked.
    let other = KeyringTokenStore::new(sessions(&desktop), "other").with_bus(desktop.address());
    assert_eq!(other.load().unwrap_err().kind(), ErrorKind::StoreUnusable);
    desktop.end_keyring();
    desktop.start_keyring(true);
    assert_eq!(store.load().unwrap().unwrap().access_token(), "kept");
}

fn s5_a_keyring_that_cannot_ask_anybody_is_still_locked() {
    let mut desktop = Desktop::start();
    store(&desktop).save(&tokens("kept")).unwrap();
    desktop.lock();
    let error = store(&desktop).with_unlock_prompt(Duration::from_secs(60)).load().unwrap_err();
    assert!(error.message().contains("asked to be unlocked, and was not"), "{error}");
}

fn s5_a_keyring_without_a_collection_says_so() {
    let mut desktop = Desktop::without_keyring();
    let error = store(&desktop).load().unwrap_err();
    assert!(error.message().contains("no keyring is running on the D-Bus session bus"), "{error}");
    desktop.start_keyring(false);
    for store in [store(&desktop), store(&desktop).with_unlock_prompt(Duration::from_secs(60))] {
        let error = store.load().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreUnusable);
        assert!(error.message().contains("no default collection"), "{error}");
    }
}

const WRITERS: u32 = 4;
const COMMITS: u32 = 25;

/// Processes that commit under the guard: each generation is written once, and none is lost.
fn s1_several_processes_write_one_history() {
    let desktop = Desktop::start();
    let records = store(&desktop);
    let first = contract::record(None, "first");
    assert_eq!(records.commit(&contract::slot(), None, &first).unwrap(), Commit::Done);
    let mut children: Vec<Child> = (0..WRITERS).map(|_| child(&desktop, "child_commits")).collect();
    while children.iter_mut().any(|child| child.try_wait().unwrap().is_none()) {
        let read = records.read(&contract::slot()).unwrap();
        assert!(read.expect("never nothing").tokens().is_some());
    }
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let last = records.read(&contract::slot()).unwrap().unwrap().version();
    assert_eq!(last.lineage, first.version().lineage);
    assert_eq!(last.generation, first.version().generation + u64::from(WRITERS * COMMITS));
}

fn s3_the_death_of_the_holder_frees_the_lock() {
    let desktop = Desktop::start();
    let mut holder = child(&desktop, "child_holds");
    let records = store(&desktop);
    let taken = || records.try_guard(&contract::slot()).unwrap().is_none();
    let theirs = format!("{}@", holder.id());
    // Only looked at: whoever tries for the lock has it for a moment, and could keep the other from it.
    let named = || records.guard_holder(&contract::slot()).is_some_and(|holder| holder.process.starts_with(&theirs));
    for _ in 0..30_000 {
        if named() {
            break;
        }
        std::thread::park_timeout(Duration::from_millis(1));
    }
    assert!(taken() && named());
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(!taken());
}

/// Where another process of a test finds the sessions; it tells that process that it is one.
const FOLDER: &str = "CDSE_TEST_FOLDER";

fn child(desktop: &Desktop, test: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .arg(test)
        .env(FOLDER, sessions(desktop))
        .env("DBUS_SESSION_BUS_ADDRESS", desktop.address())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// What the other process of a test does, on the session's own bus; elsewhere nothing.
pub(crate) fn child_has_played() -> bool {
    let Some(folder) = std::env::var_os(FOLDER) else { return false };
    let records = KeyringTokenStore::new(folder, "session");
    match std::env::args().nth(1).as_deref() {
        Some("child_commits") => child_commits(&records),
        Some("child_holds") => child_holds(&records),
        other => panic!("{other:?} is nobody's part"),
    }
    true
}

fn child_commits(records: &KeyringTokenStore) {
    for _ in 0..COMMITS {
        let _guard = loop {
            match records.try_guard(&contract::slot()).unwrap() {
                Some(guard) => break guard,
                None => std::thread::park_timeout(Duration::from_millis(1)),
            }
        };
        let base = records.read(&contract::slot()).unwrap();
        let next = contract::record(base.as_ref(), "next");
        let done = records.commit(&contract::slot(), base.as_ref().map(Record::version), &next).unwrap();
        assert_eq!(done, Commit::Done);
    }
}

fn child_holds(records: &KeyringTokenStore) {
    let _guard = records.try_guard(&contract::slot()).unwrap().unwrap();
    // Until the test has ended, however it ends.
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
