use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;

use crate::support::{BINARY, Call, PASSWORD, USER, World};

fn code(call: Call) -> String {
    call.run().error_json()["error"]["code"].as_str().unwrap().to_owned()
}

#[test]
fn s2_a_damaged_session_file_is_named_and_set_aside() {
    let texts = [&b""[..], b"{", b"null", b"[]", b"\xff\xfe\x00", b"{\"schema\":1}", b"{\"schema\":1,\"tokens\":7}"];
    for text in texts {
        let world = World::logged_in();
        let file = world.session_file();
        fs::write(&file, text).unwrap();
        let status = world.cdse(["auth", "status", "--json"]).run().exits(1).json();
        assert_eq!((&status["state"], &status["logged_in"]), (&"unknown".into(), &false.into()), "{text:?}");
        assert!(status["problems"][0].as_str().unwrap().contains(file.to_str().unwrap()));
        let done = world.cdse(["auth", "token"]).run().exits(1).prints_nothing().says("cdse auth login");
        assert!(done.stderr.contains(file.to_str().unwrap()), "{done:?}");
        // What was in it is kept; a login goes on without it.
        let aside = fs::read_dir(file.parent().unwrap()).unwrap().map(|entry| entry.unwrap().path());
        let aside: Vec<_> = aside.filter(|path| path.to_str().unwrap().contains("damaged")).collect();
        assert_eq!(fs::read(&aside[0]).unwrap(), text);
        world.log_in();
        world.cdse(["auth", "token"]).run().token();
    }
}

#[test]
fn s2_a_login_over_a_damaged_session_file_goes_on() {
    let world = World::logged_in();
    fs::write(world.session_file(), "{").unwrap();
    let login = world.cdse(["auth", "login", "--username", USER, "--password-stdin"]).stdin(PASSWORD);
    login.run().ok().says("warning: ").says("set aside");
}

#[test]
fn s2_a_newer_session_file_is_left_untouched() {
    let world = World::logged_in();
    let newer = "{\"schema\": 99, \"from\": \"the future\"}";
    fs::write(world.session_file(), newer).unwrap();
    for command in ["token", "refresh", "logout", "status"] {
        world.cdse(["auth", command]).run().exits(7);
    }
    let login = world.cdse(["auth", "login", "--json", "--username", USER, "--password-stdin"]).stdin(PASSWORD);
    assert_eq!(code(login), "store_newer");
    assert_eq!(fs::read_to_string(world.session_file()).unwrap(), newer);
    assert_eq!(world.sandbox.counters().token_requests, 1);
}

#[test]
fn s2_a_link_or_a_folder_in_the_place_of_a_session_is_refused() {
    for place in [|at: &Path| symlink("/etc/passwd", at).unwrap(), |at: &Path| fs::create_dir(at).unwrap()] {
        let world = World::logged_in();
        let file = world.session_file();
        fs::remove_file(&file).unwrap();
        place(&file);
        for command in ["token", "refresh", "logout", "status"] {
            world.cdse(["auth", command]).run().exits(7);
        }
        assert_eq!(code(world.cdse(["auth", "token", "--json"])), "store_unsafe");
        world.cdse(["auth", "token"]).run().says("CDSE_STATE_DIR");
        assert_eq!(world.sandbox.counters().token_requests, 1);
    }
}

#[test]
fn s2_somebody_elses_session_file_is_refused() {
    if !is_root() {
        return;
    }
    let world = World::logged_in();
    chown(world.session_file(), Some(65534), None).unwrap();
    for command in ["token", "refresh", "logout", "status"] {
        world.cdse(["auth", command]).run().exits(7);
    }
    chown(world.session_file(), Some(0), None).unwrap();
    chown(world.profile_file("default"), Some(65534), None).unwrap();
    for command in ["token", "refresh", "logout", "status", "login"] {
        world.cdse(["auth", command]).run().exits(7).says("65534");
    }
}

#[test]
fn s2_another_accounts_session_file_is_refused() {
    let world = World::logged_in();
    let file = world.session_file();
    let text = fs::read_to_string(&file).unwrap().replace(USER, "other@example.com");
    fs::write(&file, &text).unwrap();
    world.cdse(["auth", "token"]).run().exits(7).says("another account");
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

#[test]
fn s2_loose_permissions_are_repaired_and_said() {
    let world = World::logged_in();
    fs::set_permissions(world.session_file(), Permissions::from_mode(0o644)).unwrap();
    let status = world.cdse(["auth", "status", "--json"]).run().ok().json();
    assert!(status["problems"][0].as_str().unwrap().contains("permissions"), "{status}");
    assert_eq!(fs::metadata(world.session_file()).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn cli11_a_profile_file_that_cannot_be_used() {
    let damaged = |text: &'static [u8]| move |at: &Path| fs::write(at, text).unwrap();
    type Place = Box<dyn Fn(&Path)>;
    let places: [(Place, i32); 8] = [
        (Box::new(damaged(b"")), 1),
        (Box::new(damaged(b"{\"schema\":1,\"identity_url\":\"CANARY")), 1),
        (Box::new(damaged(b"\xff\x00")), 1),
        (Box::new(damaged(&[b' '; 100_000])), 1),
        (Box::new(damaged(b"{\"schema\":2}")), 7),
        (Box::new(|at| symlink("/etc/passwd", at).unwrap()), 7),
        (Box::new(|at| symlink("nowhere", at).unwrap()), 7),
        (Box::new(|at| fs::create_dir(at).unwrap()), 7),
    ];
    for (nth, (place, exit)) in places.iter().enumerate() {
        let world = World::logged_in();
        let file = world.profile_file("default");
        fs::remove_file(&file).unwrap();
        place(&file);
        for command in ["token", "refresh", "logout", "status", "login"] {
            let done = world.cdse(["auth", command]).run().exits(*exit).prints_nothing();
            assert!(done.stderr.contains(file.to_str().unwrap()), "{nth}: {done:?}");
        }
    }
}

#[test]
fn cli11_a_profile_that_points_to_an_unusable_address_is_damaged() {
    let world = World::logged_in();
    let file = world.profile_file("default");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("http://127.0.0.1", "http://example.com")).unwrap();
    world.cdse(["auth", "token"]).without("CDSE_IDENTITY_URL").run().exits(1).says("profile default");
}

#[test]
fn s5_a_state_folder_that_cannot_be_written() {
    let world = World::new();
    // A file where the folder should be.
    fs::write(world.state(), "x").unwrap();
    let login = || world.cdse(["auth", "login", "--username", USER, "--password-stdin"]).stdin(PASSWORD);
    login().run().exits(7).says("CDSE_STATE_DIR");
    world.cdse_as(USER, ["auth", "token"]).run().exits(7).says("CDSE_STATE_DIR");
    assert_eq!(world.sandbox.counters().token_requests, 0);
}

/// As another user, for root may write everywhere.
#[test]
fn s5_a_read_only_state_folder_serves_its_token_and_renews_nothing() {
    if !is_root() {
        return;
    }
    let world = World::logged_in();
    let nobody = 65534;
    let binary = world.home.path().join("cdse");
    // By another process: a file that this one has open for writing while another test forks is busy for a moment.
    assert!(std::process::Command::new("cp").arg(BINARY).arg(&binary).status().unwrap().success());
    fs::set_permissions(world.home.path(), Permissions::from_mode(0o755)).unwrap();
    let folders = [world.state(), world.state().join("sessions"), world.state().join("profiles")];
    let files = [world.session_file(), world.profile_file("default")];
    let give = |mode| {
        for path in folders.iter().chain(&files) {
            chown(path, Some(nobody), Some(nobody)).unwrap();
        }
        for folder in &folders {
            fs::set_permissions(folder, Permissions::from_mode(mode)).unwrap();
        }
    };
    let call = |arguments: &[&str]| {
        let mut call = Call::new(binary.to_str().unwrap(), arguments).env("HOME", world.home.path());
        call.command.uid(nobody).gid(nobody);
        call.env("CDSE_STATE_DIR", world.state()).env("CDSE_IDENTITY_URL", world.sandbox.realm_url())
    };
    fs::remove_file(world.session_file().with_extension("json.lock")).unwrap();
    give(0o500);
    call(&["auth", "token"]).run().token();
    call(&["auth", "refresh"]).run().exits(7).says("CDSE_STATE_DIR");
    world.age(700);
    call(&["auth", "token"]).run().exits(7).prints_nothing().says("CDSE_STATE_DIR");
    let login = ["auth", "login", "--username", "other", "--password-stdin"];
    call(&login).stdin(PASSWORD).run().exits(7);
    assert_eq!(world.sandbox.counters().token_requests, 1);
    // Made writable again, the session is as good as before.
    give(0o700);
    call(&["auth", "token"]).run().token();
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}
