//! The realm's users.

use super::contents::Realm;
use super::time::Seconds;
use super::user::{UserIndex, UserRecord};
use crate::config::User;

impl Realm {
    pub(super) fn user(&self, UserIndex(index): UserIndex) -> &UserRecord {
        &self.users[index]
    }

    pub(super) fn user_mut(&mut self, UserIndex(index): UserIndex) -> &mut UserRecord {
        &mut self.users[index]
    }

    pub(super) fn find_user(&self, username: &str) -> Option<UserIndex> {
        let username = username.to_lowercase();
        self.users.iter().position(|record| record.user.username.to_lowercase() == username).map(UserIndex)
    }

    /// The user that a program without further knowledge logs in as: the first who can with a password alone.
    pub(crate) fn default_user(&self) -> Option<&User> {
        self.users
            .iter()
            .map(|record| &record.user)
            .find(|user| user.enabled && !user.required_action && user.totp_secret.is_none())
    }

    pub(crate) fn set_password(&mut self, username: &str, password: &str) {
        if let Some(user) = self.find_user(username) {
            password.clone_into(&mut self.user_mut(user).user.password);
        }
    }

    pub(crate) fn set_enabled(&mut self, username: &str, enabled: bool) {
        if let Some(user) = self.find_user(username) {
            self.user_mut(user).user.enabled = enabled;
        }
    }

    /// The code of the step that `now` is in.
    pub(crate) fn totp_code(&self, now: Seconds, username: &str) -> Option<String> {
        self.user(self.find_user(username)?).code(now)
    }
}
