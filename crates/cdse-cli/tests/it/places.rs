//! Where sessions are kept, and where not: other people's folders, containers, file systems of all kinds, paths as they are
//! written where no shell reads them.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::process::Command;

use crate::support::{Call, PASSWORD, USER, World};

/// A user whom the system's list of users does not know, as containers have them.
const UNKNOWN: u32 = 54_321;
const CLIENT: [(&str, &str); 2] = [("CDSE_CLIENT_ID", "sh-client"), ("CDSE_CLIENT_SECRET", "sh-secret")];

const LOGIN: [&str; 5] = ["auth", "login", "--username", USER, "--password-stdin"];

fn with_client(call: Call) -> Call {
    CLIENT.iter().fold(call, |call, (name, value)| call.env(name, value))
}

#[test]
fn field_a_root_makes_nothing_in_the_home_folder_of_another_user() {
    let world = World::new();
    let home = world.home.path().join("jane");
    fs::create_dir(&home).unwrap();
    if chown(&home, Some(UNKNOWN), Some(UNKNOWN)).is_err() {
        return;
    }
    let at_home = |call: Call| call.without("CDSE_STATE_DIR").env("HOME", &home);
    let calls = || {
        [
            at_home(world.cdse(LOGIN)).stdin(PASSWORD),
            at_home(world.cdse_as(USER, ["auth", "token"])),
            at_home(world.cdse_as(USER, ["auth", "token"])).env("XDG_STATE_HOME", home.join("xdg")),
            at_home(world.cdse(LOGIN)).stdin(PASSWORD).env("CDSE_STATE_DIR", home.join("a/b")),
        ]
    };
    for call in calls() {
        let done = call.run().exits(7).prints_nothing().says("belongs to user id 54321").says("-H").says("-u '#54321'");
        assert!(done.stderr.contains(home.to_str().unwrap()), "{done:?}");
    }
    assert_eq!(fs::read_dir(&home).unwrap().count(), 0, "nothing was made");
    assert_eq!(world.sandbox.counters().token_requests, 0, "nothing was sent");
    // What its owner makes there is its owner's.
    let theirs = || world.cdse_of(UNKNOWN, LOGIN).unwrap().env("HOME", &home).stdin(PASSWORD);
    theirs().run().ok();
    assert_eq!(fs::metadata(home.join(".local")).unwrap().uid(), UNKNOWN);
    calls().into_iter().take(1).for_each(|call| drop(call.run().exits(7)));
}

#[test]
fn field_e_a_file_system_without_modes_is_said_at_login_and_never_claimed() {
    let world = World::new();
    let (real, seen) = (world.home.path().join("real"), world.home.path().join("seen"));
    for folder in [&real, &seen] {
        fs::create_dir(folder).unwrap();
    }
    let mounted = Command::new("bindfs").args(["--chmod-ignore", "--perms=0666,a+X"]).args([&real, &seen]).output();
    if !mounted.is_ok_and(|done| done.status.success()) {
        return eprintln!("not run: no bindfs, or no right to mount");
    }
    let there = |call: Call| call.env("CDSE_STATE_DIR", seen.join("cdse"));
    let login = there(world.cdse(LOGIN)).stdin(PASSWORD).run().ok();
    let later = [there(world.cdse(["auth", "token"])).run(), there(world.cdse(["auth", "refresh"])).run()];
    let status = there(world.cdse(["auth", "status"])).run();
    let doctor = there(world.cdse(["auth", "doctor"])).run();
    let file = seen.join("header");
    let header = there(world.cdse(["auth", "header-file", file.to_str().unwrap()])).run();
    let _ = Command::new("umount").arg(&seen).status();
    assert_eq!(login.stderr.matches("keeps no permissions").count(), 1, "{login:?}");
    assert!(!login.stderr.contains("readable by you alone"), "{login:?}");
    for done in later {
        let done = done.ok();
        assert!(!done.stderr.contains("warning"), "it was said: {done:?}");
    }
    assert!(status.stdout.contains("keeps no permissions"), "{status:?}");
    assert!(doctor.stdout.contains("keeps no permissions") && !doctor.stdout.contains("chmod"), "{doctor:?}");
    assert!(header.ok().stderr.contains("other users of this machine may be able to read"));
}

#[test]
fn field_l_a_path_that_no_shell_has_expanded_is_refused() {
    let world = World::new();
    let here = world.home.path().join("here");
    fs::create_dir(&here).unwrap();
    let call = |name: &str, value: &str| {
        let mut call = world.cdse(LOGIN).stdin(PASSWORD).without("CDSE_STATE_DIR").env(name, value);
        call.command.current_dir(&here);
        call.run().exits(2).prints_nothing().says(name)
    };
    for value in ["~/x", "~", "~jane/x", "$HOME/x", "${HOME}/x", "/scratch/$USER/x"] {
        call("CDSE_STATE_DIR", value).says("only a shell expands").says("use an absolute path");
        call("XDG_STATE_HOME", value).says("only a shell expands");
    }
    for value in ["x", "./x", "../x", "%h/x"] {
        call("CDSE_STATE_DIR", value).says("use an absolute path");
    }
    let header = |path: &str| {
        let mut call = world.cdse_as(USER, ["auth", "header-file", path]);
        call.command.current_dir(&here);
        call.run()
    };
    for path in ["~/header", "$HOME/header"] {
        header(path).exits(2).says("only a shell expands");
    }
    header("-").exits(2).says("--format header");
    // `--ca-bundle=~/x` is what a shell leaves as it is.
    world.cdse(["auth", "status", "--ca-bundle=~/ca.pem"]).run().exits(2).says("only a shell expands");
    let call = world.cdse(["auth", "token"]).env("CDSE_USERNAME", USER).env("CDSE_PASSWORD_FILE", "$HOME/secret");
    call.run().exits(2).says("only a shell expands");
    world.cdse(["auth", "token", "--netrc"]).env("NETRC", "~/netrc").run().exits(2).says("only a shell expands");
    assert_eq!(fs::read_dir(&here).unwrap().count(), 0, "nothing was made");
    assert_eq!(world.sandbox.counters().token_requests, 0);
    // Typed, a relative path means what it says.
    header("header").ok();
    assert!(here.join("header").exists());
}

#[test]
fn s5_without_a_home_the_systems_list_of_users_says_where_it_is() {
    let world = World::new();
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let uid = fs::metadata("/proc/self").unwrap().uid().to_string();
    let mine = users.lines().map(|line| line.split(':').collect::<Vec<_>>()).find(|user| user[2] == uid);
    let Some(mine) = mine else { return };
    // It is only asked where that is: nothing is made there.
    let expected = format!("{}/.local/state/cdse\n", mine[5]);
    let at = || world.cdse(["auth", "dir"]).without("CDSE_STATE_DIR");
    for call in [at().without("HOME"), at().env("HOME", ""), at().env("HOME", "/"), at().env("HOME", "relative")] {
        assert_eq!(call.run().ok().stdout, expected);
    }
}

#[test]
fn s5_a_user_whom_the_system_does_not_know_is_told_what_to_set() {
    let world = World::new();
    for home in [None, Some("/"), Some("")] {
        let call = |arguments: &[&str]| {
            let call = world.cdse_of(UNKNOWN, arguments)?;
            Some(home.map_or_else(|| world.cdse_of(UNKNOWN, arguments), |home| Some(call.env("HOME", home))).unwrap())
        };
        let Some(login) = call(&LOGIN) else { return };
        login.stdin(PASSWORD).run().exits(2).says("there is no home folder").says("CDSE_STATE_DIR");
        let with_user = call(&["auth", "token"]).unwrap().env("CDSE_USERNAME", USER).env("CDSE_PASSWORD", PASSWORD);
        with_user.run().exits(2).says("CDSE_STATE_DIR");
        assert_eq!(world.sandbox.sessions().len(), 0, "no session in memory that nobody asked for");
        // What has no session to keep needs no folder.
        with_client(call(&["auth", "token"]).unwrap()).run().token();
        let given = call(&["auth", "token"]).unwrap().env("CDSE_ACCESS_TOKEN", "abc");
        assert_eq!(given.run().ok().stdout, "abc\n");
        call(&["auth", "status"]).unwrap().env("CDSE_ACCESS_TOKEN", "abc").run().ok();
    }
}

#[test]
fn s5_client_credentials_need_no_folder_that_can_be_written() {
    let world = World::new();
    fs::write(world.state(), "in the way").unwrap();
    with_client(world.cdse(["auth", "token"])).run().token();
    world.cdse_as(USER, ["auth", "token"]).run().exits(7).says("CDSE_STATE_DIR");
    world.cdse(["auth", "token"]).env("CDSE_ACCESS_TOKEN", "abc").run().ok();
    fs::remove_file(world.state()).unwrap();
    fs::create_dir(world.state()).unwrap();
    fs::set_permissions(world.state(), fs::Permissions::from_mode(0o555)).unwrap();
    let Some(call) = world.cdse_of(UNKNOWN, ["auth", "token"]) else { return };
    with_client(call.env("CDSE_STATE_DIR", world.state())).run().token();
    assert_eq!(world.sandbox.counters().token_requests, 2);
    // Where it can be kept it is.
    for _ in 0..2 {
        with_client(world.cdse(["auth", "token"])).env("CDSE_STATE_DIR", world.home.path().join("other")).run().token();
    }
    assert_eq!(world.sandbox.counters().token_requests, 3);
}

#[test]
fn field_o_not_logged_in_says_where_it_looked() {
    let world = World::new();
    let folder = world.state().to_str().unwrap().to_owned();
    let status = world.cdse(["auth", "status"]).run().exits(4);
    assert!(status.stdout.contains(&folder), "{status:?}");
    let json = world.cdse(["auth", "status", "--json"]).run().exits(4).json();
    assert_eq!(json["store"]["path"], folder);
    for command in ["token", "refresh", "status", "logout"] {
        let done = world.cdse(["auth", command, "-v"]).run();
        assert!(done.stderr.contains(&folder), "{done:?}");
    }
    let of_profile = world.cdse(["auth", "token", "-v", "--profile", "work"]).run();
    assert!(of_profile.stderr.contains(&folder) && of_profile.stderr.contains("work"), "{of_profile:?}");
}

#[test]
fn s3_a_network_file_system_whose_locks_keep_nobody_out_is_refused() {
    let world = World::new();
    let mounts = world.home.path().join("mountinfo");
    let call = |options: &str, arguments: &[&str]| {
        let line = format!("36 1 0:45 / / rw,relatime - {options}\n");
        fs::write(&mounts, line).unwrap();
        // In a space of mounts of its own the program sees another list of mounts; nothing else is different.
        let script = format!("mount --bind '{}' /proc/$$/mountinfo && exec \"$0\" \"$@\"", mounts.display());
        let words = ["-m", "sh", "-c", &script, crate::support::BINARY];
        let call = Call::new("unshare", words.iter().chain(arguments)).env("PATH", std::env::var_os("PATH").unwrap());
        let call = call.env("HOME", world.home.path()).env("CDSE_STATE_DIR", world.state());
        call.env("CDSE_IDENTITY_URL", world.sandbox.realm_url())
    };
    if call("ext4 /dev/root rw", &["auth", "dir"]).run().code != Some(0) {
        return eprintln!("not run: no right to mount");
    }
    for (options, remedy) in [
        ("nfs server:/x rw,vers=3,local_lock=none", "version 4"),
        ("nfs server:/x rw,vers=3,nolock,local_lock=all", "without nolock"),
        ("nfs4 server:/x rw,vers=4.2,local_lock=flock", "without local_lock"),
        ("lustre 10.0.0.1@tcp:/x rw,lazystatfs", "mounted with flock"),
        ("beegfs beegfs_nodev rw", "use another file system"),
    ] {
        call(options, &LOGIN).stdin(PASSWORD).run().exits(7).says(remedy).says("CDSE_STATE_DIR").says("mounted at /");
        let doctor = call(options, &["auth", "doctor"]).run().exits(7);
        assert!(doctor.stdout.contains(remedy), "{doctor:?}");
        // What keeps nothing there is not concerned.
        call(options, &["auth", "token"]).env("CDSE_ACCESS_TOKEN", "abc").run();
    }
    assert_eq!(world.sandbox.counters().token_requests, 0, "nothing was sent");
    for options in ["nfs4 server:/x rw,vers=4.2,local_lock=none", "lustre x rw,flock", "gpfs gpfs0 rw", "ext4 x rw"] {
        call(options, &LOGIN).stdin(PASSWORD).run().ok();
    }
}

#[test]
fn s2_after_a_logout_of_all_no_token_is_left_and_what_stays_is_named() {
    let world = World::logged_in();
    let sessions = world.state().join("sessions");
    let whole = fs::read(world.session_file()).unwrap();
    // One that cannot be read, and holds its token all the same.
    fs::write(world.session_file(), &whole[..whole.len() - 4]).unwrap();
    world.cdse(["auth", "token"]).run().exits(1).says("damaged");
    world.log_in();
    let holds = |text: &str| {
        let files = fs::read_dir(&sessions).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| fs::read_to_string(path).is_ok_and(|found| found.contains(text))).count()
    };
    assert_eq!(holds("\"refresh_token\": \"ey"), 2);
    let done = world.cdse(["auth", "logout", "--all"]).run().ok().says("damaged");
    assert_eq!(holds("\"refresh_token\": \"ey"), 0, "{done:?}");
    assert!(
        !fs::read_dir(&sessions).unwrap().any(|entry| entry.unwrap().path().to_string_lossy().contains("damaged-"))
    );
    // The names that stay are said to stay.
    assert_eq!(holds(USER), 1);
    let state = world.state();
    let done = done.says("1 of the files in").says(&format!("rm -r {}", state.display()));
    assert!(!done.stderr.contains("warning"), "{done:?}");
    fs::remove_dir_all(&state).unwrap();
    let again = world.cdse(["auth", "logout", "--all"]).run().ok().says("not logged in: nothing to do");
    assert!(!again.stderr.contains("rm -r"), "{again:?}");
}
