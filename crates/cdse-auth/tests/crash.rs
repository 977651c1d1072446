//! S2 when the power is cut, and when the disk says no: from whatever is left, the old session or the new one is loaded,
//! and nothing else.
//!
//! The operations of one save are recorded at the store's own seam. From each prefix of them every state is built that a
//! file system may legally leave: what was not synced is lost, kept, or torn; entries of a folder that was not synced are
//! there or not, each for itself; a rename is done or not done, and never half. In the long form (`CDSE_TEST_LONG`) strace
//! sees to it that the operations that are recorded here are the ones that the system is asked for.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a surprise ends the test")]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cdse_auth::store::{FileOperation, RecordStore};
use cdse_auth::{ErrorKind, FileTokenStore, Login, SessionState, StoredSession, TokenSet, TokenStore, blocking};
use cdse_sandbox::{Action, Fault, Rotation};
use support::{USER, World, at_rest, until, user};

const EINTR: i32 = 4;
const EIO: i32 = 5;
const EACCES: i32 = 13;
const EINVAL: i32 = 22;
const ENOSPC: i32 = 28;
const EROFS: i32 = 30;
const ENOLCK: i32 = 37;
const EDQUOT: i32 = 122;

const FOLDER: &str = "sessions";
const FILE: &str = "session.json";

fn tokens(name: &str) -> TokenSet {
    TokenSet::new(name, Duration::from_secs(600)).unwrap()
}

fn store_in(base: &Path) -> FileTokenStore {
    FileTokenStore::new(base.join(FOLDER).join(FILE))
}

/// Past libtest, which shows nothing of a test that passes.
fn say(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

// ---- what is recorded ----

/// One change, as a file system sees it. Files go by their number, for a name is an entry of a folder.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Change {
    MakeFolder,
    SyncParent,
    Create { name: String, file: u64 },
    Write { file: u64, bytes: Vec<u8> },
    Sync { file: u64 },
    Rename { from: String, to: String },
    Remove { name: String },
    SyncFolder,
}

type Files = BTreeMap<String, (u64, Vec<u8>)>;

fn look(folder: &Path) -> Option<Files> {
    let entries = fs::read_dir(folder).ok()?;
    let file = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (!name.ends_with(".lock")).then(|| (name, (entry.metadata().unwrap().ino(), fs::read(entry.path()).unwrap())))
    };
    Some(entries.filter_map(|entry| file(entry.unwrap())).collect())
}

/// Records what a store does: which operation comes next it says itself, what the last one did is seen in the folder.
#[derive(Clone, Default)]
struct Recorder(Arc<Mutex<Recorded>>);

#[derive(Default)]
struct Recorded {
    begun: Option<FileOperation>,
    before: Option<Files>,
    changes: Vec<Change>,
}

impl Recorder {
    fn watch(&self, store: &FileTokenStore) {
        let folder = store.path().parent().unwrap().to_owned();
        self.0.lock().unwrap().before = look(&folder);
        let recorder = self.clone();
        store.watch(move |operation| {
            recorder.step(&folder, Some(operation));
            None
        });
    }

    fn step(&self, folder: &Path, next: Option<FileOperation>) {
        let mut recorded = self.0.lock().unwrap();
        let after = look(folder);
        let before = std::mem::replace(&mut recorded.before, after.clone());
        let begun = std::mem::replace(&mut recorded.begun, next);
        let (before, after) = (before.unwrap_or_default(), after.unwrap_or_default());
        let new = || after.iter().find(|(name, _)| !before.contains_key(*name));
        let gone = || before.keys().find(|name| !after.contains_key(*name)).cloned();
        let change = match begun {
            Some(FileOperation::CreateFolder) => Change::MakeFolder,
            Some(FileOperation::SyncParent) => Change::SyncParent,
            Some(FileOperation::CreateTemporary) => {
                let (name, (file, _)) = new().unwrap();
                Change::Create { name: name.clone(), file: *file }
            }
            Some(FileOperation::Write) => {
                let (_, (file, bytes)) = after.iter().find(|(name, now)| before.get(*name) != Some(now)).unwrap();
                Change::Write { file: *file, bytes: bytes.clone() }
            }
            Some(FileOperation::Sync) => {
                let (_, (file, _)) = after.iter().find(|(name, _)| name.ends_with(".tmp")).unwrap();
                Change::Sync { file: *file }
            }
            Some(FileOperation::Rename) => Change::Rename { from: gone().unwrap(), to: FILE.to_owned() },
            Some(FileOperation::SyncFolder) => Change::SyncFolder,
            Some(FileOperation::RemoveLeftover) => Change::Remove { name: gone().unwrap() },
            _ => return assert_eq!(before, after, "{begun:?} changes nothing"),
        };
        recorded.changes.push(change);
    }

    /// The changes, the last one included.
    fn changes(&self, store: &FileTokenStore) -> Vec<Change> {
        self.step(store.path().parent().unwrap(), None);
        std::mem::take(&mut self.0.lock().unwrap().changes)
    }
}

// ---- what a power cut leaves ----

/// What is on the disk for good, and what is not yet.
#[derive(Clone, Default)]
struct Disk {
    folder: Entry,
    entries: BTreeMap<String, u64>,
    /// Changes of entries since the folder was synced.
    pending: Vec<Change>,
    files: BTreeMap<u64, File>,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Entry {
    #[default]
    Missing,
    Unsynced,
    There,
}

#[derive(Clone)]
struct File {
    bytes: Vec<u8>,
    synced: bool,
}

impl Disk {
    /// What is there before is there for good.
    fn holding(files: Option<Files>) -> Self {
        let Some(files) = files else { return Self::default() };
        let entries = files.iter().map(|(name, (file, _))| (name.clone(), *file)).collect();
        let files = files.into_values().map(|(file, bytes)| (file, File { bytes, synced: true })).collect();
        Self { folder: Entry::There, entries, pending: Vec::new(), files }
    }

    fn apply(&mut self, change: &Change) {
        match change {
            Change::MakeFolder => self.folder = Entry::Unsynced,
            Change::SyncParent => self.folder = Entry::There,
            Change::Create { file, .. } => {
                self.files.insert(*file, File { bytes: Vec::new(), synced: false });
                self.pending.push(change.clone());
            }
            Change::Write { file, bytes } => {
                self.files.insert(*file, File { bytes: bytes.clone(), synced: false });
            }
            Change::Sync { file } => self.files.get_mut(file).unwrap().synced = true,
            Change::Rename { .. } | Change::Remove { .. } => self.pending.push(change.clone()),
            Change::SyncFolder => {
                let all = vec![true; self.pending.len()];
                self.entries = self.entries_with(&all);
                self.pending.clear();
            }
        }
    }

    /// The folder if just these of the changes have reached the disk. A rename whose file was created by a change that
    /// has not is possible too: it is the entry that counts.
    fn entries_with(&self, reached: &[bool]) -> BTreeMap<String, u64> {
        let mut entries = self.entries.clone();
        let mut names = entries.clone();
        for (change, reached) in self.pending.iter().zip(reached) {
            match change {
                Change::Create { name, file } => {
                    names.insert(name.clone(), *file);
                    if *reached {
                        entries.insert(name.clone(), *file);
                    }
                }
                Change::Rename { from, to } => {
                    let file = names.remove(from).unwrap();
                    names.insert(to.clone(), file);
                    if *reached {
                        entries.remove(from);
                        entries.insert(to.clone(), file);
                    }
                }
                Change::Remove { name } if *reached => drop(entries.remove(name)),
                _ => {}
            }
        }
        entries
    }

    /// Everything that a power cut may leave now, each as names and contents; `None` is no folder.
    fn states(&self) -> Vec<Option<BTreeMap<String, Vec<u8>>>> {
        let mut states = Vec::new();
        if self.folder != Entry::There {
            states.push(None);
        }
        if self.folder == Entry::Missing {
            return states;
        }
        for choice in 0..1_u32 << self.pending.len() {
            let reached: Vec<bool> = (0..self.pending.len()).map(|nth| choice >> nth & 1 == 1).collect();
            let mut folders = vec![BTreeMap::new()];
            for (name, file) in self.entries_with(&reached) {
                let contents = self.files[&file].torn();
                let with = |folder: &BTreeMap<String, Vec<u8>>| {
                    let folder = folder.clone();
                    let name = name.clone();
                    contents.clone().into_iter().map(move |bytes| {
                        let mut folder = folder.clone();
                        folder.insert(name.clone(), bytes);
                        folder
                    })
                };
                folders = folders.iter().flat_map(with).collect();
            }
            states.extend(folders.into_iter().map(Some));
        }
        states
    }
}

impl File {
    /// What may be read from it after a power cut: of what was not synced nothing, a part, zeros, or all.
    fn torn(&self) -> Vec<Vec<u8>> {
        if self.synced {
            return vec![self.bytes.clone()];
        }
        let length = self.bytes.len();
        let mut contents: Vec<Vec<u8>> = (0..=16).map(|part| self.bytes[..length * part / 16].to_vec()).collect();
        contents.push(vec![0; length]);
        let mut half = self.bytes.clone();
        half[length / 2..].fill(0);
        contents.push(half);
        contents.sort();
        contents.dedup();
        contents
    }
}

/// Builds every state of every prefix and hands it to `check`, with how much had been done. How many there were.
fn cut_power_everywhere(before: Option<Files>, changes: &[Change], check: impl Fn(&Path, usize, &str)) -> usize {
    let mut disk = Disk::holding(before);
    let mut built = 0;
    for done in 0..=changes.len() {
        if done > 0 {
            disk.apply(&changes[done - 1]);
        }
        for state in disk.states() {
            let base = tempfile::tempdir().unwrap();
            let shown = format!("after {:?}: {:?}", &changes[..done].last(), state.as_ref().map(BTreeMap::keys));
            if let Some(files) = state {
                fs::create_dir(base.path().join(FOLDER)).unwrap();
                for (name, bytes) in files {
                    fs::write(base.path().join(FOLDER).join(name), bytes).unwrap();
                }
            }
            check(base.path(), done, &shown);
            built += 1;
        }
    }
    built
}

fn access(store: &FileTokenStore) -> Option<String> {
    store.load().unwrap().map(|tokens| tokens.access_token().to_owned())
}

/// The changes of `action` on a store in `base`, and what was there before.
fn record(base: &Path, action: impl FnOnce(&FileTokenStore)) -> (Option<Files>, Vec<Change>) {
    let store = store_in(base);
    let before = look(store.path().parent().unwrap());
    let recorder = Recorder::default();
    recorder.watch(&store);
    action(&store);
    (before, recorder.changes(&store))
}

// ---- power cuts ----

#[test]
fn s2_a_power_cut_during_a_save_leaves_the_old_session_or_the_new_one() {
    for old in [None, Some("old")] {
        let base = tempfile::tempdir().unwrap();
        if let Some(old) = old {
            store_in(base.path()).save(&tokens(old)).unwrap();
        }
        let (before, changes) = record(base.path(), |store| store.save(&tokens("new")).unwrap());
        assert_eq!(changes.last(), Some(&Change::SyncFolder), "{changes:?}");
        let states = cut_power_everywhere(before, &changes, |base, done, state| {
            let store = store_in(base);
            let loaded = access(&store);
            let loaded = loaded.as_deref();
            assert!(loaded == old || loaded == Some("new"), "{loaded:?} {state}");
            // What was said to be stored stays stored.
            assert!(done < changes.len() || loaded == Some("new"), "{state}");
            store.save(&tokens("next")).unwrap();
            assert_eq!(access(&store).as_deref(), Some("next"), "what is left is in nobody's way: {state}");
        });
        assert!(states >= 20, "{states} states");
    }
}

/// A model that cannot fail shows nothing.
#[test]
fn s2_without_a_sync_a_power_cut_would_cost_the_session() {
    for old in [None, Some("old")] {
        let base = tempfile::tempdir().unwrap();
        if let Some(old) = old {
            store_in(base.path()).save(&tokens(old)).unwrap();
        }
        let (before, changes) = record(base.path(), |store| store.save(&tokens("new")).unwrap());
        let wrong_without = |left_out: Option<&Change>| {
            let changes: Vec<Change> = changes.iter().filter(|change| Some(*change) != left_out).cloned().collect();
            let wrong = Mutex::new(0);
            cut_power_everywhere(before.clone(), &changes, |base, done, _| {
                let loaded = store_in(base).load().map(|tokens| tokens.map(|tokens| tokens.access_token().to_owned()));
                let fine = match loaded.as_ref().map(Option::as_deref) {
                    Ok(Some("new")) => true,
                    Ok(loaded) => loaded == old && done < changes.len(),
                    Err(_) => false,
                };
                *wrong.lock().unwrap() += u32::from(!fine);
            });
            wrong.into_inner().unwrap()
        };
        assert_eq!(wrong_without(None), 0);
        let syncs = |change: &&Change| matches!(change, Change::Sync { .. } | Change::SyncFolder | Change::SyncParent);
        let syncs: Vec<&Change> = changes.iter().filter(syncs).collect();
        assert_eq!(syncs.len(), if old.is_none() { 3 } else { 2 }, "{changes:?}");
        for sync in syncs {
            assert!(wrong_without(Some(sync)) > 0, "nobody needs {sync:?}");
        }
    }
}

fn rotating() -> World {
    World::with(|config| config.rotation = Rotation::OneTime)
}

fn manager(world: &World, store: &FileTokenStore) -> blocking::TokenManager {
    world.builder(user()).store(store.clone()).build().unwrap().into()
}

fn without_credentials(world: &World, store: &FileTokenStore) -> blocking::TokenManager {
    let slot = manager(world, store).as_async().slot().clone();
    let provider = StoredSession::new(slot, Some(USER.to_owned()));
    world.builder(provider).store(store.clone()).build().unwrap().into()
}

#[test]
fn s2_a_power_cut_during_a_renewal_leaves_the_old_session_or_the_new_one() {
    let (world, base) = (rotating(), tempfile::tempdir().unwrap());
    let store = store_in(base.path());
    manager(&world, &store).login().unwrap();
    let old = access(&store);
    let slot = manager(&world, &store).as_async().slot().clone();
    world.sandbox.script(Fault::token(Action::Delay(Duration::from_millis(300))));
    // What had been done when the request arrived at the service.
    let sent = Mutex::new(Vec::new());
    let (before, changes) = record(base.path(), |store| {
        let renewing = manager(&world, store);
        let renewal = std::thread::spawn(move || renewing.force_refresh().unwrap());
        until("it was sent", || world.sandbox.counters().token_requests == 2);
        sent.lock().unwrap().extend(look(store.path().parent().unwrap()).unwrap().into_keys());
        renewal.join().unwrap();
    });
    let new = access(&store);
    assert_ne!(old, new);
    assert_eq!(sent.into_inner().unwrap(), [FILE], "nothing is half done while the answer is waited for");
    let syncs: Vec<usize> = changes
        .iter()
        .enumerate()
        .filter(|(_, change)| **change == Change::SyncFolder)
        .map(|(nth, _)| nth + 1)
        .collect();
    assert_eq!(syncs.len(), 2, "what is sent, and what came of it: {changes:?}");
    let states = cut_power_everywhere(before, &changes, |base, done, state| {
        let store = store_in(base);
        let loaded = access(&store);
        assert!(loaded == old || loaded == new, "{state}");
        let record = store.read(&slot).unwrap().unwrap();
        let record: serde_json::Value = serde_json::from_slice(&record.to_json()).unwrap();
        // From the moment at which it is sent the refresh token is known as suspect, until its successor is there.
        let suspect = record["suspect"].is_object();
        assert!(!(syncs[0]..syncs[1]).contains(&done) || suspect || loaded == new, "{state}");
        assert!(!suspect || loaded == old, "{state}");
    });
    assert!(states >= 40, "{states} states");
}

#[test]
fn s2_a_power_cut_during_a_logout_leaves_the_old_session_or_none() {
    let (world, base) = (rotating(), tempfile::tempdir().unwrap());
    let store = store_in(base.path());
    manager(&world, &store).login().unwrap();
    let old = access(&store);
    let (before, changes) = record(base.path(), |store| manager(&world, store).logout().unwrap());
    assert_eq!(world.sandbox.counters().sessions_open, 0);
    let states = cut_power_everywhere(before, &changes, |base, done, state| {
        let store = store_in(base);
        let loaded = access(&store);
        assert!(loaded.is_none() || loaded == old, "{state}");
        assert!(done < changes.len() || loaded.is_none(), "{state}");
        let manager = without_credentials(&world, &store);
        let logged_out = manager.status().state == SessionState::Missing;
        assert_eq!(logged_out, loaded.is_none(), "{state}");
        // What is left of it is an ended session: the service says so, and that is all.
        if !logged_out {
            let error = manager.force_refresh().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::ReauthRequired, "{error} {state}");
            manager.logout().unwrap();
        }
        assert_eq!(access(&store), None);
    });
    assert!(states >= 20, "{states} states");
}

/// Whoever died while writing left a token behind; whoever logs out leaves none.
#[test]
fn s2_a_logout_removes_what_the_dead_have_left() {
    let (world, base) = (World::new(), tempfile::tempdir().unwrap());
    let store = store_in(base.path());
    let manager = manager(&world, &store);
    manager.login().unwrap();
    let leftover = store.path().with_file_name(".session.json.4242.00000000000000aa.tmp");
    fs::copy(store.path(), &leftover).unwrap();
    manager.logout().unwrap();
    assert!(!leftover.exists());
}

#[test]
fn m10_what_the_dead_have_left_is_removed_though_the_clock_was_set_back() {
    let (world, base) = (World::new(), tempfile::tempdir().unwrap());
    let store = store_in(base.path());
    let manager = manager(&world, &store);
    manager.login().unwrap();
    at_rest(&manager);
    let leftover = store.path().with_file_name(".session.json.4242.00000000000000aa.tmp");
    fs::copy(store.path(), &leftover).unwrap();
    let ahead = fs::FileTimes::new().set_modified(std::time::UNIX_EPOCH + Duration::from_secs(20_000_000_000));
    fs::File::options().write(true).open(&leftover).unwrap().set_times(ahead).unwrap();
    manager.force_refresh().unwrap();
    assert!(!leftover.exists());
}

// ---- what the system is really asked for ----

/// The other process of two tests; by itself it does nothing.
#[test]
fn child_saves() {
    if let (Some(base), Ok(name)) = (std::env::var_os("CDSE_TEST_CHILD"), std::env::var("CDSE_TEST_TOKEN"))
        && let Err(error) = store_in(Path::new(&base)).save(&tokens(&name))
    {
        say(&format!("{:?}: {error}", error.kind()));
        std::process::exit(3);
    }
}

fn child(program: &str, arguments: &[&str], base: &Path, token: &str) -> Output {
    let mut command = Command::new(program);
    command.args(arguments).env("CDSE_TEST_CHILD", base).env("CDSE_TEST_TOKEN", token);
    command.env("CDSE_TEST_PROGRAM", std::env::current_exe().unwrap()).output().unwrap()
}

/// What a line of strace's (with `-y`) changes in `base`, if it changes anything.
fn change_of(line: &str, base: &Path) -> Option<&'static str> {
    let base = base.to_str().unwrap();
    let folder = format!("<{base}/{FOLDER}>");
    let (call, arguments) = line.split_once('(')?;
    let call = call.split_whitespace().last()?;
    if !line.contains(base) || line.contains(" = -1 ") {
        return None;
    }
    match call {
        "mkdir" | "mkdirat" => Some("MakeFolder"),
        "fsync" if arguments.contains(".tmp>") => Some("Sync"),
        "fsync" if arguments.contains(&folder) => Some("SyncFolder"),
        "fsync" => Some("SyncParent"),
        "open" | "openat" if arguments.contains("O_CREAT") => Some("Create"),
        "open" | "openat" => None,
        "write" => Some("Write"),
        "rename" => Some("Rename"),
        // It gets the rights that it was created with, whatever the umask.
        "fchmod" => None,
        _ => panic!("{line}"),
    }
}

#[test]
fn s2_strace_sees_what_is_recorded() {
    if std::env::var_os("CDSE_TEST_LONG").is_none() {
        return say("not run: what the system is asked for is compared by strace, with CDSE_TEST_LONG=1 only");
    }
    for old in [None, Some("old")] {
        let (recorded, traced) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for base in [&recorded, &traced].into_iter().filter(|_| old.is_some()) {
            store_in(base.path()).save(&tokens("old")).unwrap();
        }
        let (_, changes) = record(recorded.path(), |store| store.save(&tokens("new")).unwrap());
        let kind = |change: &Change| format!("{change:?}").split(' ').next().unwrap().to_owned();
        let kinds: Vec<String> = changes.iter().map(kind).collect();
        let log = traced.path().with_extension("strace");
        let calls = "trace=%file,write,pwrite64,writev,fsync,fdatasync,sync_file_range,ftruncate,fchmod,fallocate";
        let program = std::env::current_exe().unwrap();
        let arguments = ["-f", "-y", "-o", log.to_str().unwrap(), "-e", calls, program.to_str().unwrap()];
        let output = child("strace", &[&arguments[..], &["--exact", "child_saves"]].concat(), traced.path(), "new");
        assert!(output.status.success(), "{output:?}");
        let text = fs::read_to_string(&log).unwrap();
        fs::remove_file(&log).unwrap();
        let looks = ["stat(", "statx(", "newfstatat(", "lstat(", "execve(", "access(", "readlink("];
        let lines = text.lines().filter(|line| !looks.iter().any(|look| line.contains(look)));
        let seen: Vec<&str> = lines.filter_map(|line| change_of(line, traced.path())).collect();
        assert_eq!(seen, kinds, "{text}");
    }
}

/// A file system of 64 kB, at first full and then read-only.
#[test]
fn s2_a_disk_that_is_really_full_or_read_only_keeps_the_old_session() {
    let base = tempfile::tempdir().unwrap();
    let script = r#"
        mount -t tmpfs -o size=64k,mode=700 none "$CDSE_TEST_CHILD" || exit 77
        save() { CDSE_TEST_TOKEN=$1 "$CDSE_TEST_PROGRAM" --exact child_saves 2>&1 | grep -o 'Store[A-Za-z]*\|os error [0-9]*'; }
        save old
        cat /dev/zero > "$CDSE_TEST_CHILD/ballast" 2>/dev/null
        save new; cat "$CDSE_TEST_CHILD/sessions/session.json"; ls -A "$CDSE_TEST_CHILD/sessions"
        rm "$CDSE_TEST_CHILD/ballast"; mount -o remount,ro "$CDSE_TEST_CHILD" || exit 77
        save new; cat "$CDSE_TEST_CHILD/sessions/session.json"
        mount -o remount,rw "$CDSE_TEST_CHILD" || exit 77
        save new; cat "$CDSE_TEST_CHILD/sessions/session.json"
    "#;
    let outputs = ["-m", "-Urm"].map(|flags| child("unshare", &[flags, "sh", "-c", script], base.path(), ""));
    let Some(output) = outputs.iter().find(|output| output.status.success()) else {
        return say(&format!("not run: a disk that is really full needs the right to mount one ({:?})", outputs[1]));
    };
    let text = String::from_utf8_lossy(&output.stdout);
    let parts: Vec<&str> = text.split("Store").collect();
    assert_eq!(parts.len(), 3, "{text}");
    let (full, read_only) = (parts[1], parts[2]);
    assert!(full.starts_with("Unwritable\nos error 28") && full.contains("\"old\""), "{text}");
    assert!(full.ends_with("session.json\n") && !full.contains(".tmp"), "nothing is left behind: {text}");
    assert!(read_only.starts_with("Unwritable\nos error 30") && read_only.contains("\"old\""), "{text}");
    assert!(read_only.contains("\"new\""), "{text}");
}

// ---- the system says no ----

const SAVING: [FileOperation; 4] =
    [FileOperation::CreateTemporary, FileOperation::Write, FileOperation::Sync, FileOperation::Rename];

#[test]
fn s2_whatever_the_disk_says_the_old_session_stays() {
    for operation in SAVING {
        for errno in [EIO, EACCES, ENOSPC, EROFS, EDQUOT] {
            let base = tempfile::tempdir().unwrap();
            let store = store_in(base.path());
            store.save(&tokens("old")).unwrap();
            store.set_faults([(operation, errno)]);
            let error = store.save(&tokens("new")).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::StoreUnwritable, "{operation:?} {errno}: {error}");
            assert!(error.to_string().contains(&format!("os error {errno}")), "{error}");
            assert_eq!(access(&store).as_deref(), Some("old"), "{operation:?} {errno}");
            store.set_faults([]);
            store.save(&tokens("new")).unwrap();
            assert_eq!(look(store.path().parent().unwrap()).unwrap().len(), 1, "nothing is left behind");
        }
    }
}

/// Each operation is interrupted twice.
#[test]
fn s2_a_signal_in_between_is_no_failure() {
    let (world, base) = (rotating(), tempfile::tempdir().unwrap());
    let store = store_in(base.path());
    let interrupted = Arc::new(Mutex::new(Vec::new()));
    let theirs = Arc::clone(&interrupted);
    store.watch(move |operation| {
        let mut interrupted = theirs.lock().unwrap();
        let times = interrupted.iter().filter(|known| **known == operation).count();
        interrupted.push(operation);
        (times < 2).then_some(EINTR)
    });
    let manager = manager(&world, &store);
    manager.login().unwrap();
    manager.force_refresh().unwrap();
    at_rest(&manager);
    assert_eq!(manager.status().problems, []);
    assert_eq!(look(store.path().parent().unwrap()).unwrap().len(), 1);
    for operation in SAVING.into_iter().chain([
        FileOperation::Open,
        FileOperation::CreateFolder,
        FileOperation::SyncParent,
        FileOperation::OpenLock,
        FileOperation::Lock,
        FileOperation::SyncFolder,
        FileOperation::NoteHolder,
    ]) {
        let times = interrupted.lock().unwrap().iter().filter(|known| **known == operation).count();
        assert!(times > 2, "{operation:?} was not met");
    }
}

#[test]
fn s2_a_folder_that_cannot_be_synced_is_said_where_that_means_something() {
    for (errno, said) in [(EIO, true), (EINVAL, false)] {
        let base = tempfile::tempdir().unwrap();
        let store = store_in(base.path());
        store.set_faults([(FileOperation::SyncFolder, errno)]);
        store.save(&tokens("new")).unwrap();
        assert_eq!(access(&store).as_deref(), Some("new"), "it is in place");
        let warnings: Vec<_> = store.take_warnings().iter().map(cdse_auth::Problem::kind).collect();
        assert_eq!(warnings.contains(&cdse_auth::ProblemKind::NotDurable), said, "{errno}: {warnings:?}");
    }
}

#[test]
fn s3_nothing_is_sent_without_the_lock() {
    for operation in [FileOperation::OpenLock, FileOperation::Lock] {
        for errno in [ENOLCK, EIO, EACCES, EROFS] {
            let (world, base) = (World::new(), tempfile::tempdir().unwrap());
            let store = store_in(base.path());
            manager(&world, &store).login().unwrap();
            let before = access(&store);
            world.advance(700);
            store.set_faults([(operation, errno)]);
            let manager = without_credentials(&world, &store);
            let error = manager.authorization_header().unwrap_err();
            let kinds = [ErrorKind::StoreUnusable, ErrorKind::StoreUnwritable];
            assert!(kinds.contains(&error.kind()), "{operation:?} {errno}: {error}");
            assert_eq!((world.sandbox.counters().refresh_grants, access(&store)), (0, before), "{error}");
            store.set_faults([]);
            world.advance(2);
            manager.authorization_header().expect("no error is for ever");
        }
    }
}

/// The answer was consumed, and the disk fails for good: the session goes on here, and a process that comes later knows
/// that its refresh token is suspect.
#[test]
fn s2_a_disk_that_fails_between_sending_and_saving_leaves_a_suspect() {
    for errno in [EIO, ENOSPC, EROFS, EDQUOT] {
        let (world, base) = (rotating(), tempfile::tempdir().unwrap());
        let store = store_in(base.path());
        manager(&world, &store).login().unwrap();
        world.advance(490);
        let counters = {
            let failing = store_in(base.path());
            let service = Arc::new(Mutex::new(0));
            let renames = Arc::clone(&service);
            failing.watch(move |operation| {
                let mut renames = renames.lock().unwrap();
                *renames += u32::from(operation == FileOperation::Rename);
                (*renames >= 1 && operation == FileOperation::Write).then_some(errno)
            });
            let here = manager(&world, &failing);
            let header = here.force_refresh().unwrap();
            assert!(world.accepts(&header));
            assert!(here.status().problems.iter().any(|problem| problem.text().contains("could not be stored")));
            world.sandbox.counters()
        };
        assert_eq!(counters.refreshes_ok, 1);
        let later = without_credentials(&world, &store);
        later.authorization_header().expect("the old access token serves");
        at_rest(&later);
        assert_eq!(world.sandbox.counters().refresh_grants, 1, "the suspect rests");
        world.advance(100);
        let error = later.authorization_header();
        at_rest(&later);
        let counters = world.sandbox.counters();
        assert_eq!((counters.refresh_grants, counters.reuse_detected), (2, 1), "{error:?}");
        assert_eq!(later.force_refresh().unwrap_err().kind(), ErrorKind::ReauthRequired);
        assert_eq!(manager(&world, &store).login().unwrap(), Login::Opened, "a login heals");
    }
}
