use super::{Ability, AuthProvider, GrantData};
use crate::error::Result;
use crate::record::{Grant, Slot};

/// A session that is already in the store, without credentials: for a program whose user logged in with another one.
#[derive(Clone, Debug)]
pub struct StoredSession {
    slot: Slot,
    username: Option<String>,
}

impl StoredSession {
    /// The session of `slot`; `username` is the name to show.
    #[must_use]
    pub fn new(slot: Slot, username: Option<String>) -> Self {
        Self { slot, username }
    }
}

impl AuthProvider for StoredSession {
    fn grant(&self) -> Grant {
        self.slot.grant
    }

    fn client_id(&self) -> &str {
        &self.slot.client_id
    }

    fn username(&self) -> Option<&str> {
        self.username.as_deref()
    }

    fn subject(&self) -> Option<String> {
        self.slot.subject.clone()
    }

    fn grant_data(&self) -> Result<GrantData> {
        Ok(Vec::new())
    }

    fn ability(&self) -> Ability {
        Ability::Never
    }
}
