//! Profiles: names that point to sessions.

use std::fmt;
use std::path::PathBuf;

use cdse_auth::{Error, ErrorKind, Grant, Slot, StoredSession};
use serde::{Deserialize, Serialize};

use crate::private_file;
use crate::state::{StateFolder, StoreKind};

const SCHEMA: u32 = 1;

/// A name that is safe as a file name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Name(String);

impl Name {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let fits = (1..=64).contains(&text.len())
            && !text.starts_with('.')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        if !fits {
            return Err(
                "a profile name has 1 to 64 letters, digits, '.', '_' or '-', and does not begin with '.'".to_owned()
            );
        }
        Ok(Self(text.to_owned()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for Name {
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which session a profile points to. It holds no secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Profile {
    schema: u32,
    /// The realm, as it was given at login.
    pub(crate) identity_url: String,
    pub(crate) client_id: String,
    pub(crate) grant: Grant,
    /// As it was typed; the subject is what identifies the session.
    pub(crate) username: Option<String>,
    pub(crate) subject: Option<String>,
    #[serde(default, skip_serializing_if = "StoreKind::is_file")]
    pub(crate) store: StoreKind,
}

impl Profile {
    pub(crate) fn new(
        identity_url: &str,
        client_id: &str,
        grant: Grant,
        username: Option<String>,
        subject: Option<String>,
        store: StoreKind,
    ) -> Self {
        let (identity_url, client_id) = (identity_url.to_owned(), client_id.to_owned());
        Self { schema: SCHEMA, identity_url, client_id, grant, username, subject, store }
    }

    /// Whether both point to the same session, however the user's name was typed and wherever it is stored.
    pub(crate) fn is_same_session(&self, other: &Self) -> bool {
        Self { username: other.username.clone(), store: other.store, ..self.clone() } == *other
    }

    pub(crate) fn stored_in(self, store: StoreKind) -> Self {
        Self { store, ..self }
    }

    /// The session it points to, at whatever service.
    pub(crate) fn pointer(&self) -> StoredSession {
        let (client_id, grant, subject) = (self.client_id.clone(), self.grant, self.subject.clone());
        StoredSession::new(Slot { token_url: String::new(), client_id, grant, subject }, self.username.clone())
    }

    pub(crate) fn path(state: &StateFolder, name: &Name) -> PathBuf {
        state.profiles().join(format!("{name}.json"))
    }

    pub(crate) fn load(state: &StateFolder, name: &Name) -> Result<Option<Self>, Error> {
        let path = Self::path(state, name);
        let Some(text) = private_file::read(&path)? else { return Ok(None) };
        parse(&text).map(Some).map_err(|error| {
            Error::new(error.kind(), format!("the profile file {} {}", path.display(), error.message()))
        })
    }

    pub(crate) fn save(&self, state: &StateFolder, name: &Name) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(self).map_err(|error| {
            Error::new(ErrorKind::StoreUnwritable, format!("the profile cannot be written: {error}"))
        })?;
        private_file::write(&Self::path(state, name), format!("{text}\n").as_bytes())
    }

    /// Says before a login what would keep the profile from being saved after it.
    pub(crate) fn check_writable(state: &StateFolder, name: &Name) -> Result<(), Error> {
        private_file::check_writable(&Self::path(state, name))
    }

    pub(crate) fn remove(state: &StateFolder, name: &Name) -> Result<(), Error> {
        private_file::remove(&Self::path(state, name))
    }
}

fn parse(text: &[u8]) -> Result<Profile, Error> {
    #[derive(Deserialize)]
    struct Schema {
        schema: u32,
    }
    let damaged = |_| Error::new(ErrorKind::StoreDamaged, "is damaged: remove it and log in again");
    let Schema { schema } = serde_json::from_slice(text).map_err(damaged)?;
    if schema > SCHEMA {
        let why = format!(
            "was written by a newer version (schema {schema}, this version knows {SCHEMA}): update this program"
        );
        return Err(Error::new(ErrorKind::StoreNewer, why));
    }
    serde_json::from_slice(text).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cli11_profile_names() {
        let long = "x".repeat(64);
        for name in ["default", "a", "A.b_c-9", "con", &long] {
            assert!(Name::parse(name).is_ok(), "{name}");
        }
        let longer = "x".repeat(65);
        for name in ["", ".", "..", ".hidden", "a/b", "a b", "a\n", "ä", "a\0", "../x", "-", &longer] {
            assert_eq!(Name::parse(name).is_ok(), name == "-", "{name}");
        }
    }

    #[test]
    fn s2_a_damaged_profile_is_said_to_be_damaged() {
        cdse_fuzz::fuzz("profile_file", |data| match parse(data) {
            Ok(profile) => {
                let text = serde_json::to_vec(&profile).unwrap();
                assert_eq!(parse(&text).unwrap(), profile);
                format!("{:?} {}", profile.grant, profile.username.is_some())
            }
            Err(error) => format!("{:?}", error.kind()),
        });
    }
}
