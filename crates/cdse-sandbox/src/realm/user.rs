//! Users, and the codes of their second factor.

use std::io;

use totp_rs::{Builder, Secret, Totp};

use super::lockout::Lockout;
use super::{Realm, Seconds};
use crate::config::User;
use crate::random;

/// A user's place in the realm's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UserIndex(usize);

#[derive(Debug)]
pub(super) struct UserRecord {
    pub(super) user: User,
    /// `sub`.
    pub(super) id: String,
    pub(super) lockout: Lockout,
    totp: Option<SecondFactor>,
}

struct SecondFactor {
    totp: Totp,
    /// The steps whose code has been accepted.
    used: Vec<u64>,
}

impl std::fmt::Debug for SecondFactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecondFactor").field("used", &self.used).finish_non_exhaustive()
    }
}

/// What became of a code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum CodeCheck {
    Accepted,
    Wrong,
    Used,
}

impl UserRecord {
    pub(super) fn new(user: &User) -> io::Result<Self> {
        let totp = user.totp_secret.as_deref().map(SecondFactor::new).transpose()?;
        Ok(Self { user: user.clone(), id: random::uuid(), lockout: Lockout::default(), totp })
    }

    /// Checks a code, if the user needs one, and uses it up.
    pub(super) fn check_code(&mut self, now: Seconds, code: Option<&str>) -> CodeCheck {
        match &mut self.totp {
            Some(factor) => factor.check(now, code.unwrap_or_default()),
            None => CodeCheck::Accepted,
        }
    }
}

impl SecondFactor {
    fn new(secret: &str) -> io::Result<Self> {
        let secret = Secret::try_from_base32(secret)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, format!("TOTP secret: {error}")))?;
        Ok(Self { totp: Builder::new().with_secret(secret).build_noncompliant(), used: Vec::new() })
    }

    fn check(&mut self, now: Seconds, code: &str) -> CodeCheck {
        let Some(step) = self.totp.check(code, now) else { return CodeCheck::Wrong };
        if self.used.contains(&step) {
            return CodeCheck::Used;
        }
        self.used.push(step);
        CodeCheck::Accepted
    }
}

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
        let factor = self.user(self.find_user(username)?).totp.as_ref()?;
        Some(factor.totp.generate(now).to_string())
    }
}
