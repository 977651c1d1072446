//! The rules of the stores, with real files.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a surprise ends the test")]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cdse_auth::store::{FileOperation, RecordStore, contract};
use cdse_auth::{
    ErrorKind, FileTokenStore, MemoryTokenStore, PasswordAuth, ProblemKind, SessionState, StoredSession, TokenSet,
    TokenStore, WaitCause, blocking,
};
use cdse_sandbox::{Action, Fault, Rotation};
use support::{PASSWORD, USER, World, at_rest, until, user};

const EACCES: i32 = 13;
const EISDIR: i32 = 21;
const EDQUOT: i32 = 122;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const ENOLCK: i32 = 37;
const EIO: i32 = 5;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("sessions").join("session.json")
    }

    fn store(&self) -> FileTokenStore {
        FileTokenStore::new(self.path())
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(self.path().parent().unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    fn manager(&self, world: &World) -> blocking::TokenManager {
        self.manager_with(world, &self.store())
    }

    fn manager_with(&self, world: &World, store: &FileTokenStore) -> blocking::TokenManager {
        world.builder(user()).store(store.clone()).build().unwrap().into()
    }

    /// A program that has the stored session and no credentials.
    fn stored(&self, world: &World, one_shot: bool) -> blocking::TokenManager {
        let slot = self.manager(world).as_async().slot().clone();
        let provider = StoredSession::new(slot, Some(USER.to_owned()));
        world.builder(provider).store(self.store()).one_shot(one_shot).build().unwrap().into()
    }
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn tokens(name: &str) -> TokenSet {
    TokenSet::new(name, Duration::from_secs(600)).unwrap()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

#[test]
fn s1_every_store_keeps_the_contract() {
    let memory = MemoryTokenStore::new();
    contract::check_simple(&|| Arc::new(memory.clone()));
    contract::check_records(&|| Arc::new(memory.clone()));
    let folder = Folder::new();
    contract::check_simple(&|| Arc::new(folder.store()));
    let folder = Folder::new();
    contract::check_records(&|| Arc::new(folder.store()));
}

#[test]
fn s2_files_and_folders_are_private_and_nothing_is_left_behind() {
    let folder = Folder::new();
    folder.store().save(&tokens("a")).unwrap();
    folder.store().save(&tokens("b")).unwrap();
    assert_eq!(mode(&folder.path()), 0o600);
    assert_eq!(mode(folder.path().parent().unwrap()), 0o700);
    assert_eq!(folder.names(), ["session.json"]);
}

#[test]
fn s2_any_umask_gives_the_same_file() {
    for umask in ["000", "077", "777", "022"] {
        let folder = Folder::new();
        fs::create_dir(folder.path().parent().unwrap()).unwrap();
        fs::set_permissions(folder.path().parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
        let exe = std::env::current_exe().unwrap();
        let status = std::process::Command::new("sh")
            .args(["-c", "umask $0; exec \"$1\" --exact child_saves"])
            .args([umask.as_ref(), exe.as_os_str()])
            .env("CDSE_TEST_CHILD", folder.path())
            .output()
            .unwrap();
        assert!(status.status.success(), "{umask}: {status:?}");
        assert_eq!(mode(&folder.path()), 0o600, "under umask {umask}");
    }
}

/// The other process of two tests; by itself it does nothing.
#[test]
fn child_saves() {
    if let Some(path) = std::env::var_os("CDSE_TEST_CHILD") {
        FileTokenStore::new(path).save(&tokens("child")).unwrap();
    }
}

#[test]
fn s2_the_password_and_the_totp_secret_are_never_stored() {
    let (world, folder) =
        (World::with(|config| config.users[0].password = "canary-password".to_owned()), Folder::new());
    let provider = PasswordAuth::new(USER, "canary-password")
        .with_totp_secret(cdse_auth::TotpSecret::new("GEZDGNBVGY3TQOJQ").unwrap());
    let manager: blocking::TokenManager = world.builder(provider).store(folder.store()).build().unwrap().into();
    manager.authorization_header().unwrap();
    for name in folder.names() {
        let text = fs::read_to_string(folder.path().with_file_name(name)).unwrap();
        assert!(!text.contains("canary") && !text.contains("GEZDGNBV"), "{text}");
    }
}

#[test]
fn s2_loose_permissions_of_the_file_are_repaired_and_those_of_a_folder_are_said() {
    let (world, folder) = (World::new(), Folder::new());
    folder.manager(&world).authorization_header().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(folder.path().parent().unwrap(), fs::Permissions::from_mode(0o777)).unwrap();
    let manager = folder.manager(&world);
    manager.force_refresh().unwrap();
    assert_eq!((mode(&folder.path()), mode(folder.path().parent().unwrap())), (0o600, 0o777));
    let problems: Vec<_> = manager.status().problems.iter().map(cdse_auth::Problem::kind).collect();
    assert_eq!(problems, [ProblemKind::PermissionsCorrected, ProblemKind::OpenFolder]);
}

#[test]
fn s2_a_symbolic_link_is_refused_and_what_it_names_is_untouched() {
    let (world, folder) = (World::new(), Folder::new());
    folder.manager(&world).authorization_header().unwrap();
    let real = folder.path().with_file_name("elsewhere.json");
    fs::rename(folder.path(), &real).unwrap();
    let before = fs::read(&real).unwrap();
    symlink(&real, folder.path()).unwrap();
    let error = folder.manager(&world).authorization_header().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnsafe);
    assert!(error.to_string().contains("symbolic link"), "{error}");
    assert_eq!(fs::read(&real).unwrap(), before);

    let folder = Folder::new();
    fs::create_dir_all(folder.path().parent().unwrap()).unwrap();
    symlink("/dev/null", folder.path().with_file_name("session.json.lock")).unwrap();
    let error = folder.manager(&world).authorization_header().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnsafe, "a link in place of the lock: {error}");
    assert_eq!(world.sandbox.counters().token_requests, 1);
}

#[test]
fn s2_a_directory_or_a_pipe_in_its_place_is_refused() {
    let (world, folder) = (World::new(), Folder::new());
    fs::create_dir_all(folder.path()).unwrap();
    let error = folder.manager(&world).authorization_header().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnsafe, "{error}");

    let folder = Folder::new();
    fs::create_dir_all(folder.path().parent().unwrap()).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(folder.path()).status().unwrap().success());
    let error = folder.manager(&world).authorization_header().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnsafe, "{error}");

    let file = Folder::new();
    fs::write(file.0.path().join("sessions"), "a file in the place of the folder").unwrap();
    let error = file.manager(&world).authorization_header().unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::StoreUnsafe | ErrorKind::StoreUnusable), "{error}");
    assert_eq!(world.sandbox.counters().token_requests, 0, "nothing was sent");
}

#[test]
fn s2_a_file_or_folder_of_another_owner_is_refused() {
    let world = World::new();
    let error = if is_root() {
        let folder = Folder::new();
        folder.manager(&world).authorization_header().unwrap();
        std::os::unix::fs::chown(folder.path(), Some(65_534), None).unwrap();
        let of_file = folder.manager(&world).authorization_header().unwrap_err();
        std::os::unix::fs::chown(folder.path(), Some(0), None).unwrap();
        std::os::unix::fs::chown(folder.path().parent().unwrap(), Some(65_534), None).unwrap();
        let of_folder = folder.manager(&world).authorization_header().unwrap_err();
        assert_eq!(of_folder.kind(), ErrorKind::StoreUnsafe, "{of_folder}");
        of_file
    } else {
        FileTokenStore::new("/etc/passwd").load().unwrap_err()
    };
    assert_eq!(error.kind(), ErrorKind::StoreUnsafe, "{error}");
    assert!(error.to_string().contains("user id"), "{error}");
}

#[test]
fn field_a_nothing_is_made_in_the_folder_of_another_user() {
    if !is_root() {
        return;
    }
    let (world, home) = (World::new(), tempfile::tempdir().unwrap());
    let give = |path: &Path, owner, mode| {
        std::os::unix::fs::chown(path, Some(owner), None).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    give(home.path(), 65_534, 0o755);
    for below in ["session.json", ".local/state/cdse/sessions/session.json"] {
        let store = FileTokenStore::new(home.path().join("new").join(below));
        let manager: blocking::TokenManager = world.builder(user()).store(store.clone()).build().unwrap().into();
        for error in [manager.authorization_header().unwrap_err(), store.save(&tokens("x")).unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::StoreUnsafe, "{error}");
            for part in [home.path().to_str().unwrap(), "user id 65534", "-H", "-u '#65534'"] {
                assert!(error.to_string().contains(part), "{part}: {error}");
            }
        }
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    assert_eq!(world.sandbox.counters().token_requests, 0, "nothing was sent");
    // A folder like /tmp is for everybody, whoever made it.
    give(home.path(), 65_534, 0o1777);
    FileTokenStore::new(home.path().join("mine/session.json")).save(&tokens("x")).unwrap();
}

/// A file system on which a change of permissions succeeds and does nothing, as CIFS, exFAT and WSL's `/mnt/c` have it.
struct WithoutModes(tempfile::TempDir);

impl WithoutModes {
    /// `None` without bindfs and the right to mount.
    fn mount() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (real, seen) = (folder.path().join("real"), folder.path().join("seen"));
        for path in [&real, &seen] {
            fs::create_dir(path).unwrap();
        }
        let options = ["--chmod-ignore", "--perms=0666,a+X"];
        let done = std::process::Command::new("bindfs").args(options).args([&real, &seen]).output();
        done.is_ok_and(|done| done.status.success()).then_some(Self(folder))
    }
}

impl Drop for WithoutModes {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(self.0.path().join("seen")).status();
    }
}

#[test]
fn field_e_permissions_that_a_file_system_does_not_keep_are_said_once_and_never_claimed() {
    let Some(mount) = WithoutModes::mount() else { return eprintln!("not run: no bindfs, or no right to mount") };
    let (world, path) = (World::new(), mount.0.path().join("seen/sessions/session.json"));
    let store = FileTokenStore::new(&path);
    let manager: blocking::TokenManager = world.builder(user()).store(store.clone()).build().unwrap().into();
    for _ in 0..3 {
        manager.force_refresh().unwrap();
    }
    assert_eq!(mode(&path) & 0o777, 0o666, "the file system has no modes");
    let problems = manager.status().problems;
    assert_eq!(
        problems.iter().filter(|problem| problem.kind() == ProblemKind::NoPermissions).count(),
        1,
        "{problems:?}"
    );
    assert!(!problems.iter().any(|problem| problem.kind() == ProblemKind::PermissionsCorrected), "{problems:?}");
}

#[test]
fn s3_a_lock_that_nobody_holds_names_nobody() {
    let folder = Folder::new();
    let (ours, other) = (folder.store(), folder.store());
    let slot = contract::slot();
    assert_eq!(ours.guard_holder(&slot), None, "there is no lock file");
    let guard = ours.try_guard(&slot).unwrap().expect("nobody else has it");
    let holder = other.guard_holder(&slot).expect("it is held");
    assert!(holder.since.is_some() && holder.process.starts_with(&format!("{}@", std::process::id())), "{holder}");
    drop(guard);
    assert_eq!(other.guard_holder(&slot), None, "it was given back");
    assert!(other.try_guard(&slot).unwrap().is_some(), "who asked has not kept it");
}

#[test]
fn s2_a_damaged_file_is_named_and_set_aside_and_the_next_call_heals() {
    let whole = {
        let (world, folder) = (World::new(), Folder::new());
        folder.manager(&world).authorization_header().unwrap();
        fs::read(folder.path()).unwrap()
    };
    let damaged: Vec<Vec<u8>> = vec![
        Vec::new(),
        whole[..whole.len() / 2].to_vec(),
        vec![0; 4096],
        b"\xff\xfe binary \x00".to_vec(),
        b"{}".to_vec(),
        b"[]".to_vec(),
        b"null".to_vec(),
        br#"{"schema":1}"#.to_vec(),
        br#"{"schema":-1,"lineage":1,"generation":1}"#.to_vec(),
        br#"{"schema":"1"}"#.to_vec(),
        format!("{{\"schema\":1,\"x\":{}{}}}", "[".repeat(50_000), "]".repeat(50_000)).into_bytes(),
        String::from_utf8(whole).unwrap().replace("\"access_token\": \"", "\"access_token\": \"canary\\n").into_bytes(),
        vec![b' '; 2 << 20],
    ];
    for text in damaged {
        let (world, folder) = (World::new(), Folder::new());
        folder.manager(&world).authorization_header().unwrap();
        fs::write(folder.path(), &text).unwrap();
        let manager = folder.manager(&world);
        assert_eq!(manager.status().state, SessionState::Missing);
        assert!(manager.status().problems.iter().any(|problem| problem.text().contains("damaged")));
        let error = manager.authorization_header().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreDamaged, "{error}");
        assert!(error.to_string().contains("session.json") && error.to_string().contains("set aside"), "{error}");
        assert!(!error.to_string().contains("canary"));
        let aside = folder.names().into_iter().find(|name| name.contains(".damaged-")).expect("set aside");
        assert_eq!(fs::read(folder.path().with_file_name(aside)).unwrap(), text, "nothing is lost");
        manager.authorization_header().expect("no error is for ever");
        assert_eq!(world.sandbox.counters().logins_ok, 2);
    }
}

#[test]
fn s2_a_newer_schema_is_neither_read_nor_overwritten() {
    let (world, folder) = (World::new(), Folder::new());
    folder.manager(&world).authorization_header().unwrap();
    let text = fs::read_to_string(folder.path()).unwrap().replace("\"schema\": 1", "\"schema\": 2");
    fs::write(folder.path(), &text).unwrap();
    for call in [blocking::TokenManager::authorization_header, |manager: &blocking::TokenManager| {
        manager.login().map(|_| cdse_auth::HeaderValue::from_static(""))
    }] {
        let error = call(&folder.manager(&world)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreNewer, "{error}");
    }
    folder.manager(&world).logout().unwrap_err();
    assert_eq!(fs::read_to_string(folder.path()).unwrap(), text);
    assert_eq!(world.sandbox.counters().token_requests, 1);
}

#[test]
fn s2_another_accounts_file_is_refused_and_its_token_goes_nowhere_else() {
    let (world, folder, elsewhere) = (World::new(), Folder::new(), World::new());
    folder.manager(&world).authorization_header().unwrap();
    let before = fs::read(folder.path()).unwrap();
    let other = PasswordAuth::new("else@example.com", PASSWORD);
    let other: blocking::TokenManager = world.builder(other).store(folder.store()).build().unwrap().into();
    let error = other.authorization_header().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnsafe);
    assert!(error.to_string().contains("another account"), "{error}");
    let error = folder.manager(&elsewhere).authorization_header().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnsafe, "another endpoint: {error}");
    assert_eq!(elsewhere.sandbox.counters().token_requests, 0);
    assert_eq!(fs::read(folder.path()).unwrap(), before);
}

#[test]
fn s2_leftovers_of_the_dead_are_removed_under_the_lock() {
    let (world, folder) = (World::new(), Folder::new());
    folder.manager(&world).authorization_header().unwrap();
    let leftover = folder.path().with_file_name(".session.json.4242.00000000000000aa.tmp");
    let young = folder.path().with_file_name(".session.json.4242.00000000000000bb.tmp");
    let others = folder.path().with_file_name(".other.json.4242.00000000000000cc.tmp");
    for path in [&leftover, &young, &others] {
        fs::write(path, "torn").unwrap();
    }
    let old = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_000_000));
    for path in [&leftover, &others] {
        fs::File::options().write(true).open(path).unwrap().set_times(old).unwrap();
    }
    folder.manager(&world).force_refresh().unwrap();
    assert!(!leftover.exists() && young.exists() && others.exists(), "{:?}", folder.names());
}

#[test]
fn s2_a_full_disk_loses_nothing() {
    for operation in [FileOperation::CreateTemporary, FileOperation::Write, FileOperation::Sync, FileOperation::Rename]
    {
        let folder = Folder::new();
        folder.store().save(&tokens("old")).unwrap();
        let store = folder.store();
        store.set_faults([(operation, ENOSPC)]);
        let error = store.save(&tokens("new")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreUnwritable);
        assert!(error.to_string().contains("make room"), "{error}");
        assert_eq!(store.load().unwrap().unwrap().access_token(), "old", "{operation:?}");
        assert_eq!(folder.names(), ["session.json"], "{operation:?}: nothing is left behind");
    }
}

/// What is found in the place of a file or of its folder, and what is said of it.
#[test]
fn s2_what_stands_in_the_way_is_named() {
    let found = |prepare: &dyn Fn(&Path)| {
        let folder = Folder::new();
        prepare(&folder.path());
        folder.store().load().unwrap_err()
    };
    let within = |path: &Path| fs::create_dir(path.parent().unwrap()).unwrap();
    let filled = |path: &Path, length: usize| {
        within(path);
        fs::write(path, vec![b' '; length]).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
    };
    for (prepare, kind, said) in [
        (&(|path: &Path| filled(path, 0)) as &dyn Fn(&Path), ErrorKind::StoreDamaged, "it is empty"),
        (&|path: &Path| filled(path, 1), ErrorKind::StoreDamaged, "it is not a session record"),
        (&|path: &Path| filled(path, 1 << 20), ErrorKind::StoreDamaged, "it is not a session record"),
        (&|path: &Path| filled(path, (1 << 20) + 1), ErrorKind::StoreDamaged, "it is too large"),
        (&|path: &Path| fs::write(path.parent().unwrap(), "").unwrap(), ErrorKind::StoreUnsafe, "is not a folder"),
    ] {
        let error = found(prepare);
        assert!(error.kind() == kind && error.message().contains(said), "{said}: {error}");
    }
    let slot = {
        let (world, folder) = (World::new(), Folder::new());
        folder.manager(&world).as_async().slot().clone()
    };
    for (prepare, kind, said) in [
        (
            &(|folder: &Path| fs::write(folder, "").unwrap()) as &dyn Fn(&Path),
            ErrorKind::StoreUnsafe,
            "is not a folder",
        ),
        (&|folder: &Path| symlink(folder, folder).unwrap(), ErrorKind::StoreUnwritable, "cannot be used"),
    ] {
        let folder = Folder::new();
        prepare(folder.path().parent().unwrap());
        let error = folder.store().try_guard(&slot).unwrap_err();
        assert!(error.kind() == kind && error.message().contains(said), "{said}: {error}");
    }
    let folder = Folder::new();
    fs::write(folder.path().parent().unwrap(), "").unwrap();
    let error = FileTokenStore::new(folder.path().join("below").join("session.json")).try_guard(&slot).unwrap_err();
    assert!(error.kind() == ErrorKind::StoreUnsafe && error.message().contains("is not a folder"), "{error}");
}

#[test]
fn s2_each_failure_of_the_disk_says_what_helps() {
    let (world, folder) = (World::new(), Folder::new());
    let store = folder.store();
    folder.manager_with(&world, &store).authorization_header().unwrap();
    let tokens = store.load().unwrap().unwrap();
    for (errno, remedy) in [
        (ENOSPC, "make room"),
        (EDQUOT, "make room"),
        (EACCES, "make it writable"),
        (EROFS, "make it writable"),
        (EISDIR, "move that folder away"),
        (EIO, "check what is at that path"),
    ] {
        store.set_faults([(FileOperation::CreateTemporary, errno)]);
        let error = store.save(&tokens).unwrap_err();
        assert!(error.to_string().contains(remedy), "{errno}: {error}");
    }
    for (errno, advises) in [(EACCES, true), (EIO, false)] {
        store.set_faults([(FileOperation::Open, errno)]);
        let error = store.load().unwrap_err();
        assert_eq!(error.to_string().contains("make it readable"), advises, "{errno}: {error}");
    }
}

/// Only a logout takes away what somebody may be writing.
#[test]
fn s2_a_login_leaves_a_young_temporary_file_and_a_logout_removes_it() {
    let (world, folder) = (World::new(), Folder::new());
    let young = folder.path().with_file_name(".session.json.4242.00000000000000bb.tmp");
    fs::create_dir(young.parent().unwrap()).unwrap();
    fs::set_permissions(young.parent().unwrap(), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(&young, "").unwrap();
    let manager = folder.manager(&world);
    manager.authorization_header().unwrap();
    at_rest(&manager);
    assert!(young.exists());
    manager.logout().unwrap();
    assert!(!young.exists());
}

/// Once its token is early, and another process is about to renew it.
#[test]
fn x1_a_one_shot_command_with_a_usable_token_does_not_wait_for_the_lock() {
    let (world, folder) = (World::new(), Folder::new());
    let first = folder.manager(&world);
    first.authorization_header().unwrap();
    at_rest(&first);
    let command = folder.stored(&world, true);
    world.advance(500);
    let slot = command.as_async().slot().clone();
    let guard = folder.store().try_guard(&slot).unwrap().unwrap();
    let caller = std::thread::spawn(move || command.authorization_header());
    until("it has the token that is there", || caller.is_finished());
    caller.join().unwrap().unwrap();
    assert_eq!(world.sandbox.counters().refresh_grants, 0);
    drop(guard);
}

#[test]
fn s2_a_file_tells_whose_session_it_holds() {
    let (world, folder) = (World::new(), Folder::new());
    assert_eq!(folder.store().slot().unwrap(), None);
    let manager = folder.manager(&world);
    manager.authorization_header().unwrap();
    at_rest(&manager);
    assert_eq!(folder.store().slot().unwrap().as_ref(), Some(manager.as_async().slot()));
}

#[test]
fn s2_what_cannot_be_read_is_an_error_and_not_nobody() {
    let (world, folder) = (World::new(), Folder::new());
    let store = folder.store();
    folder.manager_with(&world, &store).authorization_header().unwrap();
    store.set_faults([(FileOperation::Open, EIO)]);
    let error = folder.manager_with(&world, &store).authorization_header().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnusable, "{error}");
    assert_eq!(world.sandbox.counters().token_requests, 1);
}

#[test]
fn s3_the_lock_file_stays_and_names_its_holder() {
    let (world, folder) = (World::new(), Folder::new());
    let manager = folder.manager(&world);
    manager.authorization_header().unwrap();
    assert_eq!(folder.names(), ["session.json", "session.json.lock"]);
    at_rest(&manager);
    let slot = manager.as_async().slot().clone();
    let guard = folder.store().try_guard(&slot).unwrap().unwrap();
    let holder = folder.store().guard_holder(&slot).unwrap();
    assert!(holder.process.starts_with(&format!("{}@", std::process::id())), "{holder}");
    world.advance(700);
    let theirs = manager.clone();
    let caller = std::thread::spawn(move || theirs.authorization_header());
    until(
        "it waits for the lock",
        || matches!(manager.waiting(), Some(waiting) if matches!(waiting.cause, WaitCause::Lock(_))),
    );
    until("the caller's patience ends", || {
        world.advance(10);
        caller.is_finished()
    });
    let error = caller.join().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::LockWait, "{error}");
    assert!(holder.since.is_some_and(|since| since > std::time::UNIX_EPOCH), "{holder:?}");
    assert!(error.to_string().contains(&format!("another process ({holder}, for ")), "{error}");
    drop(guard);
    assert_eq!(world.sandbox.counters().refresh_grants, 0);
}

#[test]
fn s3_a_file_system_without_locks_is_said() {
    let (world, folder) = (World::new(), Folder::new());
    let store = folder.store();
    store.set_faults([(FileOperation::Lock, ENOLCK)]);
    let error = folder.manager_with(&world, &store).authorization_header().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StoreUnusable);
    assert!(error.to_string().contains("local disk"), "{error}");
    assert_eq!(world.sandbox.counters().token_requests, 0, "nothing is sent without the lock");
}

#[test]
fn s3_the_death_of_the_holder_frees_the_lock() {
    let (world, folder) = (World::new(), Folder::new());
    let manager = folder.manager(&world);
    manager.authorization_header().unwrap();
    at_rest(&manager);
    let mut child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child_holds_the_lock", "--nocapture"])
        .env("CDSE_TEST_LOCK", folder.path().with_file_name("session.json.lock"))
        .spawn()
        .unwrap();
    let slot = manager.as_async().slot().clone();
    until("the child holds the lock", || folder.store().try_guard(&slot).unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(folder.store().try_guard(&slot).unwrap().is_some());
}

/// The other process of a test; by itself it does nothing.
#[test]
fn child_holds_the_lock() {
    if let Some(path) = std::env::var_os("CDSE_TEST_LOCK") {
        let lock = fs::File::options().write(true).open(path).unwrap();
        lock.lock().unwrap();
        loop {
            std::thread::park();
        }
    }
}

#[test]
fn s5_a_store_that_cannot_be_written_sends_no_refresh_token() {
    let (world, folder) = (World::new(), Folder::new());
    let store = folder.store();
    folder.manager_with(&world, &store).authorization_header().unwrap();
    let stored = folder.stored(&world, false);
    world.advance(500);
    let read_only = |one_shot| -> blocking::TokenManager {
        let provider = StoredSession::new(stored.as_async().slot().clone(), None);
        store.set_faults([(FileOperation::CreateTemporary, EROFS)]);
        world.builder(provider).store(store.clone()).one_shot(one_shot).build().unwrap().into()
    };
    let (here, command) = (read_only(false), read_only(true));
    let token = here.authorization_header().expect("its access token is used");
    assert_eq!(command.authorization_header().unwrap(), token);
    world.advance(200);
    for manager in [&here, &command] {
        let error = manager.authorization_header().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StoreUnwritable, "{error}");
    }
    assert_eq!(world.sandbox.counters().refresh_grants, 0);
    stored.authorization_header().unwrap();
    assert!(here.authorization_header().is_ok(), "what others renew is read again");
}

#[test]
fn x1_what_has_just_failed_is_not_tried_again_for_each_caller() {
    let (world, folder) = (World::new(), Folder::new());
    let store = folder.store();
    folder.manager_with(&world, &store).authorization_header().unwrap();
    let slot = folder.stored(&world, false).as_async().slot().clone();
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    store.watch(move |operation| {
        (operation == FileOperation::CreateTemporary).then(|| {
            counted.fetch_add(1, Ordering::SeqCst);
            EROFS
        })
    });
    let builder = world.builder(StoredSession::new(slot, None)).store(store);
    let manager: blocking::TokenManager = builder.build().unwrap().into();
    let due = || {
        for _ in 0..5 {
            manager.authorization_header().expect("the token that is there");
            at_rest(&manager);
        }
        tries.load(Ordering::SeqCst)
    };
    world.advance(500);
    assert_eq!(due(), 1);
    world.time.advance(Duration::from_millis(999));
    assert_eq!(due(), 1);
    world.time.advance(Duration::from_millis(1));
    assert_eq!(due(), 2);
}

/// 300 jobs on a read-only home would open 300 sessions.
#[test]
fn s5_without_a_store_that_can_be_written_no_session_is_opened() {
    let (world, folder) = (World::new(), Folder::new());
    let store = folder.store();
    store.set_faults([(FileOperation::CreateTemporary, EROFS)]);
    let manager = folder.manager_with(&world, &store);
    assert_eq!(manager.authorization_header().unwrap_err().kind(), ErrorKind::StoreUnwritable);
    assert_eq!(world.sandbox.counters().token_requests, 0);
    let asked_for: blocking::TokenManager =
        world.builder(user()).store(MemoryTokenStore::new()).build().unwrap().into();
    asked_for.authorization_header().expect("where it was asked for");
}

#[test]
fn s6_a_copied_folder_is_named_as_the_cause() {
    let world = World::with(|config| config.rotation = Rotation::OneTime);
    let (here, there) = (Folder::new(), Folder::new());
    here.manager(&world).authorization_header().unwrap();
    fs::create_dir_all(there.path().parent().unwrap()).unwrap();
    fs::copy(here.path(), there.path()).unwrap();
    world.advance(700);
    here.stored(&world, false).authorization_header().unwrap();
    let error = there.stored(&world, false).authorization_header().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ReauthRequired);
    assert!(error.to_string().contains("copy"), "{error}");
}

#[test]
fn x1_many_managers_of_one_file_cause_one_exchange() {
    let world = World::with(|config| config.rotation = Rotation::OneTime);
    let folder = Folder::new();
    folder.manager(&world).authorization_header().unwrap();
    world.advance(700);
    world.sandbox.clear_log();
    world.sandbox.script(Fault::token(Action::DelayAnswer(Duration::from_millis(50))));
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..16)
            .map(|_| {
                let manager = folder.stored(&world, true);
                scope.spawn(move || manager.authorization_header().unwrap())
            })
            .collect();
        let headers: Vec<_> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert!(headers.iter().all(|header| *header == headers[0]));
    });
    let counters = world.sandbox.counters();
    assert_eq!((counters.token_requests, counters.reuse_detected), (1, 0));
}

#[test]
fn x1_in_an_outage_the_service_sees_one_caller_at_a_time() {
    let (world, folder) = (World::new(), Folder::new());
    folder.manager(&world).authorization_header().unwrap();
    world.advance(700);
    world.sandbox.clear_log();
    world.sandbox.script(Fault::token(Action::page(503)).always());
    for _ in 0..20 {
        let slot = folder.manager(&world).as_async().slot().clone();
        let manager: blocking::TokenManager = world
            .builder(StoredSession::new(slot, None))
            .store(folder.store())
            .patience(Duration::from_millis(100))
            .build()
            .unwrap()
            .into();
        let error = manager.authorization_header().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ServiceUnavailable, "{error}");
    }
    assert_eq!(world.sandbox.counters().token_requests, 1, "the hold is everybody's");
}

#[test]
fn m9_a_logout_elsewhere_is_noticed_at_the_next_renewal() {
    let (world, folder) = (World::new(), Folder::new());
    folder.manager(&world).authorization_header().unwrap();
    let (here, there) = (folder.stored(&world, false), folder.stored(&world, false));
    let header = here.authorization_header().unwrap();
    there.logout().unwrap();
    world.advance(200);
    assert_eq!(here.force_refresh_after(&header).unwrap_err().kind(), ErrorKind::ReauthRequired);
    assert_eq!(world.sandbox.counters().refresh_grants, 0);
}

#[test]
fn m5_a_login_elsewhere_heals() {
    let (world, folder) = (World::new(), Folder::new());
    let here = folder.stored(&world, false);
    assert_eq!(here.authorization_header().unwrap_err().kind(), ErrorKind::ReauthRequired);
    folder.manager(&world).authorization_header().unwrap();
    world.advance(1);
    assert!(here.authorization_header().is_ok(), "the store is looked at once a second");
}
