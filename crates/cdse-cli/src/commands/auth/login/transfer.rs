//! The same session in two stores: a login with the other `--store` takes over what is stored in the first, and never leaves
//! it to live on unnoticed.

use cdse_credentials::{Name, Profile, StoreKind, StoredSessions, is_same_realm};
use std::sync::Arc;
use std::time::{Duration, Instant};

use cdse_auth::blocking::TokenManager;
use cdse_auth::store::{Commit, Guard, RecordStore};
use cdse_auth::{Error, ErrorKind, Record, Slot, TokenStore, Version};

use super::target::Target;
use crate::process::signals;
use crate::report::fail::Result;
use crate::report::{output, time};

/// How long a move waits for an exchange of another process, unless the caller has said.
const PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// What is stored for a slot in the store that was not asked for.
pub(super) struct Other {
    kind: StoreKind,
    manager: TokenManager,
    store: Arc<dyn TokenStore>,
    version: Version,
    /// The profiles that point to it.
    pointers: Vec<Name>,
}

/// What is to become of it.
pub(super) enum Fate {
    /// It is another one, which somebody else uses.
    Stays,
    /// It is a copy of what is here, from a move that was not finished.
    Forgotten,
    Moves,
    /// It ends when the login is done.
    Ends,
}

impl Other {
    /// A keyring is looked at only where the session has been in it.
    pub(super) fn find(target: &Target<'_>, wanted: &Profile) -> Result<Option<Self>> {
        let kind = target.kind.opposite();
        let pointers = pointers(target, wanted, kind)?;
        let (manager, store) = target.manager(wanted.pointer(), kind)?;
        let slot = manager.as_async().slot();
        if !kind.is_file() && !target.state.was_in_keyring(slot) {
            return Ok(None);
        }
        match records(&*store)?.read(slot) {
            Ok(Some(record)) if record.tokens().is_some() => {
                Ok(Some(Self { kind, manager, store, version: record.version(), pointers }))
            }
            Ok(_) => Ok(None),
            // Most likely it was logged out of there long ago.
            Err(_) if pointers.is_empty() && !kind.is_file() => Ok(None),
            Err(error) => {
                target.warn_once(&format!("what is stored in {} is left as it is: {error}", kind.describe()));
                Ok(None)
            }
        }
    }

    /// `here`: what is stored where it was asked for, and whether it is a session that lives.
    pub(super) fn fate(&self, here: Option<&Record>, lives: bool, force: bool) -> Fate {
        let here = here.filter(|record| record.tokens().is_some()).map(Record::version);
        match here.filter(|here| here.lineage == self.version.lineage) {
            Some(here) if here.generation >= self.version.generation => Fate::Forgotten,
            Some(_) => Fate::Moves,
            None if !lives && !force && self.manager.status().refreshable => Fate::Moves,
            None if !lives || !self.pointers.is_empty() => Fate::Ends,
            None => Fate::Stays,
        }
    }

    /// First the copy, then the profiles, then the end of the original: whenever this is interrupted, each profile points to
    /// a session that is whole.
    pub(super) fn move_to(&self, target: &Target<'_>, store: &dyn TokenStore) -> Result<()> {
        signals::protect(&self.manager);
        let _unfinished = signals::hold_the_end();
        let slot = self.manager.as_async().slot();
        let (from, to) = (records(&*self.store)?, records(store)?);
        let patience = target.call.environment.timeout.unwrap_or(PATIENCE);
        let _guards = both_guards(self.kind, from, to, slot, patience)?;
        // Others may have renewed or ended it until now.
        let Some(record) = from.read(slot)?.filter(|record| record.tokens().is_some()) else { return Ok(()) };
        if to.commit(slot, base(to, slot)?, &record)? == Commit::Moved {
            return Err(Error::new(ErrorKind::LockWait, "the session is being changed by others; try again").into());
        }
        self.repoint(target)?;
        let (old, new) = (self.kind.describe(), target.kind.describe());
        output::note(&format!("the session was moved from {old} to {new}"));
        self.forget();
        Ok(())
    }

    /// Removes it here; the session lives on where it was moved to.
    pub(super) fn forget(&self) {
        if let Err(error) = self.store.clear() {
            output::warn(&format!("a copy of the session is still in {}: {error}", self.kind.describe()));
        }
    }

    /// Ends it, now that there is another one in its target.
    pub(super) fn end(&self, target: &Target<'_>) -> Result<()> {
        self.repoint(target)?;
        let kind = self.kind.describe();
        match self.manager.logout() {
            Ok(()) => output::note(&format!("the session that was kept in {kind} was ended")),
            Err(error) => output::warn(&format!("the session that was kept in {kind} could not be ended: {error}")),
        }
        Ok(())
    }

    fn repoint(&self, target: &Target<'_>) -> Result<()> {
        for name in &self.pointers {
            // It may have come to point to something else meanwhile.
            let profile = Profile::load(&target.state, name)?.filter(|profile| profile.store == self.kind);
            profile.map_or(Ok(()), |profile| profile.stored_in(target.kind).save(&target.state, name))?;
            if *name != target.name {
                output::note(&format!("the profile {} follows it", output::one_line(name.as_str())));
            }
        }
        Ok(())
    }
}

fn pointers(target: &Target<'_>, wanted: &Profile, kind: StoreKind) -> Result<Vec<Name>> {
    let points = |name: &Name| {
        // One that cannot be read points nowhere; whoever uses it is told.
        let profile = Profile::load(&target.state, name).ok().flatten();
        profile.is_some_and(|profile| {
            profile.store == kind
                && profile.client_id == wanted.client_id
                && profile.grant == wanted.grant
                && profile.subject == wanted.subject
                && is_same_realm(&profile.identity_url, &wanted.identity_url)
        })
    };
    Ok(StoredSessions::profiles(&target.state)?.into_iter().filter(points).collect())
}

fn records(store: &dyn TokenStore) -> Result<&dyn RecordStore, Error> {
    store.records().ok_or_else(|| Error::new(ErrorKind::StoreUnusable, "this store keeps no records"))
}

/// Both guards, that of the file first, whichever way the session goes: two moves in opposite directions would otherwise each
/// hold what the other one waits for.
fn both_guards(
    kind: StoreKind,
    from: &dyn RecordStore,
    to: &dyn RecordStore,
    slot: &Slot,
    patience: Duration,
) -> Result<[Box<dyn Guard>; 2], Error> {
    let (first, second) = if kind.is_file() { (from, to) } else { (to, from) };
    let begun = time::monotonic();
    Ok([guard(first, slot, begun, patience)?, guard(second, slot, begun, patience)?])
}

fn guard(records: &dyn RecordStore, slot: &Slot, begun: Instant, patience: Duration) -> Result<Box<dyn Guard>, Error> {
    loop {
        match records.try_guard(slot)? {
            Some(guard) => return Ok(guard),
            None if begun.elapsed() >= patience => break,
            None => std::thread::park_timeout(PAUSE),
        }
    }
    let holder = records.guard_holder(slot).map_or_else(String::new, |holder| format!(" ({holder})"));
    let why = format!("another process{holder} holds the session's lock; try again when it is done");
    Err(Error::new(ErrorKind::LockWait, why))
}

/// What the moved record takes the target of. A damaged one is set aside.
fn base(records: &dyn RecordStore, slot: &Slot) -> Result<Option<Version>, Error> {
    match records.read(slot) {
        Err(error) if error.kind() == ErrorKind::StoreDamaged => {
            let aside = records.set_aside(slot)?;
            let aside = aside.map_or_else(String::new, |path| format!("; it was set aside as {}", path.display()));
            output::warn(&format!("{error}{aside}"));
            Ok(None)
        }
        stored => Ok(stored?.as_ref().map(Record::version)),
    }
}

#[cfg(test)]
mod tests {
    use cdse_auth::{FileTokenStore, Grant};

    use super::*;

    #[test]
    fn s3_two_moves_in_opposite_directions_do_not_block_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let slot = Slot {
            token_url: "https://id.example/token".to_owned(),
            client_id: "cdse-public".to_owned(),
            grant: Grant::Password,
            subject: None,
        };
        let store = |name: &str| FileTokenStore::new(folder.path().join(name));
        let move_from = |kind: StoreKind| {
            for _ in 0..40 {
                let (here, there) = (store(kind.describe()), store(kind.opposite().describe()));
                drop(both_guards(kind, &here, &there, &slot, PATIENCE).unwrap());
            }
        };
        std::thread::scope(|scope| {
            scope.spawn(|| move_from(StoreKind::File));
            scope.spawn(|| move_from(StoreKind::Keyring));
        });
    }
}
