//! Whether somebody else has written to the stored session: a login, a renewal, a logout.

use std::time::Duration;

use cdse_credentials::Session;

/// A program that ends sooner is not held up by the end of a watch, which takes the system some 10 ms.
const AFTER: Duration = Duration::from_secs(1);

/// From now on the session's manager takes over what others write into its file. Nothing wakes this process while nobody does.
/// Where the system has no way to be told of it, and for a session in the keyring, what others wrote is seen at the next
/// renewal.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn follow(session: &Session) {
    use rustix::fs::inotify::{CreateFlags, WatchFlags, add_watch, init};

    let Some(path) = session.store().and_then(|store| store.records()?.description().path) else { return };
    let manager = session.manager().clone();
    // It ends with the process: a session that nobody writes to says nothing.
    let _ = std::thread::Builder::new().name("cdse-watch".to_owned()).spawn(move || {
        std::thread::park_timeout(AFTER);
        let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return };
        let Ok(inotify) = init(CreateFlags::CLOEXEC) else { return };
        // The file is replaced as a whole, by a rename.
        if add_watch(&inotify, folder, WatchFlags::MOVED_TO | WatchFlags::DELETE).is_err() {
            return;
        }
        // What was written before that.
        let _ = manager.status();
        let mut buffer = [std::mem::MaybeUninit::uninit(); 4096];
        let mut events = rustix::fs::inotify::Reader::new(inotify, &mut buffer);
        while let Ok(event) = events.next() {
            if event.file_name().is_none_or(|changed| changed.to_bytes() == name.as_encoded_bytes()) {
                // Reads the store.
                let _ = manager.status();
            }
        }
    });
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn follow(_: &Session) {}
