//! The profile that is used when nobody names one: what `cdse auth switch` chose.

use cdse_auth::ErrorKind;
use cdse_files::PrivateFile;
use serde::Deserialize;

use crate::error::Result;
use crate::name::Name;
use crate::state::StateFolder;

const SCHEMA: u32 = 1;

#[derive(Deserialize)]
struct Stored {
    schema: u32,
    profile: String,
}

/// The choice, in the state folder's `active.json`.
#[derive(Debug)]
pub struct Active(PrivateFile);

impl Active {
    /// The choice that is stored in `state`.
    #[must_use]
    pub fn of(state: &StateFolder) -> Self {
        Self(PrivateFile::new(state.path().join("active.json")))
    }

    /// The chosen profile, `None` if no choice was made.
    ///
    /// # Errors
    ///
    /// [`Error::Auth`](crate::Error::Auth) if the file cannot be read or understood.
    pub fn load(&self) -> Result<Option<Name>> {
        let Some(text) = self.0.read()? else { return Ok(None) };
        let stored = serde_json::from_slice::<Stored>(&text).ok().filter(|stored| stored.schema <= SCHEMA);
        stored.and_then(|stored| Name::parse(&stored.profile).ok()).map(Some).ok_or_else(|| {
            let message = format!("{} is damaged: it names no profile", self.0.path().display());
            let error = cdse_auth::Error::new(ErrorKind::StoreDamaged, message);
            error.with_hint("remove it, or `cdse auth switch NAME`").into()
        })
    }

    /// Chooses a profile.
    ///
    /// # Errors
    ///
    /// [`Error::Auth`](crate::Error::Auth) if the file cannot be written.
    pub fn save(&self, name: &Name) -> Result<()> {
        let text = serde_json::json!({ "schema": SCHEMA, "profile": name.as_str() });
        Ok(self.0.replace(format!("{text}\n").as_bytes())?)
    }

    /// Withdraws the choice, if it is `name`: after a logout of the chosen profile no choice is left.
    ///
    /// # Errors
    ///
    /// [`Error::Auth`](crate::Error::Auth) if the file cannot be removed.
    pub fn forget(&self, name: &Name) -> Result<()> {
        // A choice that cannot be read is not this profile.
        if self.load().is_ok_and(|chosen| chosen.as_ref() == Some(name)) {
            self.0.remove()?;
        }
        Ok(())
    }
}
