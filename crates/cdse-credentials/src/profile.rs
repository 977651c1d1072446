//! Profiles: names that point to sessions.

use cdse_auth::{Error, ErrorKind, Grant, Slot, StoredSession};
use cdse_files::PrivateFile;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::name::Name;
use crate::state::{StateFolder, StoreKind};

const SCHEMA: u32 = 1;

/// Which session a profile points to. It holds no secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Profile {
    schema: u32,
    /// The realm, as it was given at login.
    pub identity_url: String,
    /// The OAuth client.
    pub client_id: String,
    /// How the session was opened.
    pub grant: Grant,
    /// The user's name as it was typed; the subject is what identifies the session.
    pub username: Option<String>,
    /// The user's name in lower case, or another mark of the session.
    pub subject: Option<String>,
    /// Where the session is kept.
    #[serde(default, skip_serializing_if = "StoreKind::is_file")]
    pub store: StoreKind,
}

impl Profile {
    /// A profile of this session.
    #[must_use]
    pub fn new(
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
    #[must_use]
    pub fn is_same_session(&self, other: &Self) -> bool {
        Self { username: other.username.clone(), store: other.store, ..self.clone() } == *other
    }

    /// The same profile, its session kept in another store.
    #[must_use]
    pub fn stored_in(self, store: StoreKind) -> Self {
        Self { store, ..self }
    }

    /// The session it points to, at any service.
    #[must_use]
    pub fn pointer(&self) -> StoredSession {
        let (client_id, grant, subject) = (self.client_id.clone(), self.grant, self.subject.clone());
        StoredSession::new(Slot { token_url: String::new(), client_id, grant, subject }, self.username.clone())
    }

    /// The file of the profile called `name`.
    #[must_use]
    pub fn file(state: &StateFolder, name: &Name) -> PrivateFile {
        PrivateFile::new(state.profiles().join(format!("{name}.json"))).called("the profile file")
    }

    /// The profile called `name`, `None` if there is none.
    ///
    /// # Errors
    ///
    /// [`Error::Auth`](crate::Error::Auth) if its file cannot be read or understood.
    pub fn load(state: &StateFolder, name: &Name) -> Result<Option<Self>> {
        let file = Self::file(state, name);
        let Some(text) = file.read()? else { return Ok(None) };
        let of_file = |(kind, what, hint): (ErrorKind, String, &str)| {
            Error::new(kind, format!("the profile file {} {what}", file.path().display())).with_hint(hint)
        };
        Ok(Some(parse(&text).map_err(of_file)?))
    }

    /// Stores it as the profile called `name`.
    ///
    /// # Errors
    ///
    /// [`Error::Auth`](crate::Error::Auth) if the file cannot be written.
    pub fn save(&self, state: &StateFolder, name: &Name) -> Result<()> {
        let text = serde_json::to_string_pretty(self).map_err(|error| {
            Error::new(ErrorKind::StoreUnwritable, format!("the profile cannot be written: {error}"))
        })?;
        Ok(Self::file(state, name).replace(format!("{text}\n").as_bytes())?)
    }
}

/// What is wrong with the text, and what to do about it.
fn parse(text: &[u8]) -> Result<Profile, (ErrorKind, String, &'static str)> {
    #[derive(Deserialize)]
    struct Schema {
        schema: u32,
    }
    let damaged = |_| (ErrorKind::StoreDamaged, "is damaged".to_owned(), "remove it and log in again");
    let Schema { schema } = serde_json::from_slice(text).map_err(damaged)?;
    if schema > SCHEMA {
        let what = format!("was written by a newer version (schema {schema}, this version knows {SCHEMA})");
        return Err((ErrorKind::StoreNewer, what, "update this program"));
    }
    serde_json::from_slice(text).map_err(damaged)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s2_a_damaged_profile_is_said_to_be_damaged() {
        cdse_fuzz::fuzz("profile_file", |data| match parse(data) {
            Ok(profile) => {
                let text = serde_json::to_vec(&profile).unwrap();
                assert_eq!(parse(&text).unwrap(), profile);
                format!("{:?} {}", profile.grant, profile.username.is_some())
            }
            Err((kind, ..)) => format!("{kind:?}"),
        });
    }
}
