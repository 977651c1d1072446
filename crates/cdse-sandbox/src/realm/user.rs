//! One user, and the codes of the second factor.

use std::io;

use totp_rs::{Builder, Secret, Totp};

use super::lockout::Lockout;
use super::refusal::Refusal;
use super::time::Seconds;
use crate::config::User;
use crate::random;

/// A user's place in the realm's list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct UserIndex(pub(super) usize);

#[derive(Debug)]
pub(super) struct UserRecord {
    pub(super) user: User,
    /// `sub`.
    pub(super) id: String,
    pub(super) lockout: Lockout,
    totp: Option<SecondFactor>,
}

#[derive(Debug)]
struct SecondFactor {
    totp: Totp,
    /// The steps whose code has been accepted.
    used: Vec<u64>,
}

impl UserRecord {
    pub(super) fn new(user: &User) -> io::Result<Self> {
        let totp = user.totp_secret.as_deref().map(SecondFactor::new).transpose()?;
        Ok(Self { user: user.clone(), id: random::uuid(), lockout: Lockout::default(), totp })
    }

    /// Checks a code, if the user needs one, and uses it up.
    pub(super) fn check_code(&mut self, now: Seconds, code: Option<&str>) -> Result<(), Refusal> {
        match &mut self.totp {
            Some(factor) => factor.check(now, code.unwrap_or_default()),
            None => Ok(()),
        }
    }

    /// The code of the step that `now` is in.
    pub(super) fn code(&self, now: Seconds) -> Option<String> {
        Some(self.totp.as_ref()?.totp.generate(now).to_string())
    }
}

impl SecondFactor {
    fn new(secret: &str) -> io::Result<Self> {
        let secret = Secret::try_from_base32(secret)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidInput, format!("TOTP secret: {error}")))?;
        Ok(Self { totp: Builder::new().with_secret(secret).build_noncompliant(), used: Vec::new() })
    }

    fn check(&mut self, now: Seconds, code: &str) -> Result<(), Refusal> {
        let step = self.totp.check(code, now).ok_or(Refusal::WrongCredentials)?;
        if self.used.contains(&step) {
            return Err(Refusal::UsedCode);
        }
        self.used.push(step);
        Ok(())
    }
}
