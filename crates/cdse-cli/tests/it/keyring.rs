//! `auth login --store keyring` without a keyring; `tests/keyring` has a real one.

use std::io::ErrorKind;
use std::os::unix::net::UnixListener;

use crate::support::{BUS, Call, USER, World, log_in_to};

#[test]
fn s5_without_a_bus_a_login_to_the_keyring_fails_before_anything_is_asked_or_sent() {
    let world = World::new();
    let buses = [
        log_in_to(&world, "keyring").env("XDG_RUNTIME_DIR", world.home.path()),
        log_in_to(&world, "keyring").env(BUS, "unix:path=/does/not/exist"),
        world.cdse(["auth", "login", "--store", "keyring", "--username", USER]).env(BUS, "nonsense"),
    ];
    for call in buses {
        let done = call.run().exits(1).prints_nothing().says("there is no D-Bus session bus").says("--store file");
        assert_eq!(done.stderr.lines().count(), 2, "{done:?}");
    }
    let json = world.cdse(["auth", "login", "--store", "keyring", "--username", USER, "--json"]).env(BUS, "nonsense");
    assert_eq!(json.run().exits(1).error_json()["error"]["code"], "store_unusable");
    assert_eq!((world.session_files().len(), world.sandbox.counters().token_requests), (0, 0));
    assert!(!world.profile_file("default").exists());
}

/// It takes connections and never answers.
#[test]
fn s5_a_bus_that_hangs_does_not_hang_a_login() {
    let world = World::new();
    let bus = world.home.path().join("bus");
    let _listener = UnixListener::bind(&bus).unwrap();
    let login = log_in_to(&world, "keyring").env(BUS, format!("unix:path={}", bus.display()));
    login.run().exits(1).says("did not answer within 3 s").says("unlock or restart it").says("--store file");
}

#[test]
fn cli2_there_are_two_stores() {
    let world = World::new();
    for store in ["memory", "redis", ""] {
        log_in_to(&world, store).run().exits(2).says("--store");
    }
    log_in_to(&world, "file").run().ok().says("sessions/");
    // As it was before there was a choice.
    assert!(!std::fs::read_to_string(world.profile_file("default")).unwrap().contains("store"));
}

/// Also a login, a renewal and a logout.
#[test]
fn m1_a_session_in_a_file_does_not_touch_the_bus() {
    let world = World::new();
    let bus = world.home.path().join("bus");
    let listener = UnixListener::bind(&bus).unwrap();
    listener.set_nonblocking(true).unwrap();
    let on_bus = |call: Call| call.env(BUS, format!("unix:path={}", bus.display())).run().ok();
    on_bus(log_in_to(&world, "file"));
    for command in ["token", "status", "login", "refresh", "logout"] {
        on_bus(world.cdse(["auth", command]));
    }
    on_bus(world.cdse_as(USER, ["auth", "token"]));
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}
