//! Where there is no keyring: an error that says so, in time, and nothing anywhere else.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a surprise ends the test")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::time::Duration;

use cdse_auth::store::{RecordStore, contract};
use cdse_auth::{Error, ErrorKind, TokenSet, TokenStore};
use cdse_keyring::{KeyringTokenStore, is_about_keyring};

const SHORT: Duration = Duration::from_millis(200);

fn tokens() -> TokenSet {
    TokenSet::new("CANARY".to_owned(), Duration::from_secs(600)).unwrap()
}

/// What every call says; the folder of the store is as empty as before.
fn errors(folder: &Path, bus: &str) -> Vec<Error> {
    let sessions = folder.join("sessions");
    let store = KeyringTokenStore::new(&sessions, "session").with_bus(bus).with_time_limit(SHORT);
    let records: &dyn RecordStore = store.records().unwrap();
    let errors = vec![
        store.load().unwrap_err(),
        store.save(&tokens()).unwrap_err(),
        store.clear().unwrap_err(),
        records.read(&contract::slot()).unwrap_err(),
        records.commit(&contract::slot(), None, &contract::record(None, "CANARY")).unwrap_err(),
    ];
    assert!(!sessions.exists(), "nothing is kept anywhere else");
    for error in &errors {
        assert!(is_about_keyring(error) && error.to_string().contains("in a file instead"), "{error}");
        assert!(!format!("{error} {error:?}").contains("CANARY"));
    }
    errors
}

#[test]
fn s1_without_a_bus_every_call_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let dead = folder.path().join("dead");
    drop(UnixListener::bind(&dead).unwrap());
    let buses = [
        format!("unix:path={}", dead.display()),
        "unix:path=/does/not/exist".to_owned(),
        "tcp:host=127.0.0.1,port=1".to_owned(),
        "no address\n\u{1b}[31m".to_owned(),
        String::new(),
    ];
    for bus in buses {
        for error in errors(folder.path(), &bus) {
            assert_eq!(error.kind(), ErrorKind::StoreUnusable, "{bus}: {error}");
            assert!(error.message().contains("there is no D-Bus session bus"), "{bus}: {error}");
            assert!(!error.message().contains(char::is_control), "{error:?}");
        }
    }
}

/// A bus that takes connections, and then does with them what `answer` says.
fn bus(folder: &Path, answer: fn(UnixStream)) -> String {
    let path = folder.join("bus");
    let listener = UnixListener::bind(&path).unwrap();
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || answer(connection));
        }
    });
    format!("unix:path={}", path.display())
}

#[test]
fn s1_a_bus_that_never_answers_is_waited_for_no_longer_than_the_limit() {
    let hangs: [fn(UnixStream); 3] = [
        // Reads until the other side has gone.
        |mut connection| drop(connection.read_to_end(&mut Vec::new())),
        // Says who it is, and nothing more.
        |mut connection| {
            connection.write_all(b"OK 0123456789abcdef0123456789abcdef\r\n").unwrap();
            let _ = connection.read_to_end(&mut Vec::new());
        },
        // Never ends its first line.
        |mut connection| while connection.write_all(b"x").is_ok() {},
    ];
    for hang in hangs {
        let folder = tempfile::tempdir().unwrap();
        let address = bus(folder.path(), hang);
        for error in errors(folder.path(), &address) {
            assert_eq!(error.kind(), ErrorKind::StoreUnusable, "{error}");
        }
    }
}

#[test]
fn s1_the_sentence_names_the_limit() {
    let folder = tempfile::tempdir().unwrap();
    let address = bus(folder.path(), |mut connection| drop(connection.read_to_end(&mut Vec::new())));
    let error = &errors(folder.path(), &address)[0];
    assert!(error.to_string().contains("did not answer within 0.2 s; unlock or restart it"), "{error}");
}

#[test]
fn s1_a_bus_that_closes_every_connection_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let address = bus(folder.path(), drop);
    for error in errors(folder.path(), &address) {
        assert_eq!(error.kind(), ErrorKind::StoreUnusable, "{error}");
    }
}

/// Within a runtime, which may not be blocked on twice.
#[test]
fn s1_it_can_be_asked_from_within_a_runtime() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let folder = tempfile::tempdir().unwrap();
    runtime.block_on(async { errors(folder.path(), "unix:path=/does/not/exist") });
}

/// A keyring has no locks: the file store's is had without it.
#[test]
fn s3_the_lock_file_is_closed_to_others_and_names_its_holder() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let open = || KeyringTokenStore::new(folder.path().join("sessions"), "session").with_bus("unix:path=/nowhere");
    let held = open().try_guard(&contract::slot()).unwrap().expect("nobody holds it");
    assert!(open().try_guard(&contract::slot()).unwrap().is_none());
    let holder = open().guard_holder(&contract::slot()).unwrap();
    assert!(holder.process.starts_with(&format!("{}@", std::process::id())), "{holder}");
    let lock = folder.path().join("sessions/session.keyring.lock");
    assert_eq!(fs::metadata(lock).unwrap().permissions().mode() & 0o777, 0o600);
    drop(held);
    drop(open().try_guard(&contract::slot()).unwrap().expect("given back on drop"));
}

#[test]
fn p5_debug_shows_no_secret() {
    let store = KeyringTokenStore::new("/somewhere", "session");
    let shown = format!("{store:?} {:?}", store.description());
    assert!(shown.contains("session") && store.description().kind == "keyring", "{shown}");
}
