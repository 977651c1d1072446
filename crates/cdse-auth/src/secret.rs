//! Text that must not be seen: tokens, passwords, codes.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A secret text. `Debug` shows nothing of it; its bytes are wiped on drop.
///
/// Serialising writes the secret itself: only stores do that.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over; no second copy is made.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself. The caller must keep it secret.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint::of(self.expose())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<Zeroizing<String>> for Secret {
    fn from(text: Zeroizing<String>) -> Self {
        Self(text)
    }
}

/// Tells secrets apart without holding them: 64 bits of SHA-256, in hexadecimal.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Fingerprint(String);

impl Fingerprint {
    pub(crate) fn of(text: &str) -> Self {
        Self(hex(&Sha256::digest(text.as_bytes())[..8]))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Which credentials were refused: 16 bits of a salted digest, enough to tell a corrected password from the refused
/// one and too little to guess it from.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct CredentialMark {
    salt: u64,
    bits: u16,
}

impl CredentialMark {
    pub(crate) fn new(salt: u64, credentials: &[(impl AsRef<str>, Secret)]) -> Self {
        let mut digest = Sha256::new();
        digest.update(salt.to_le_bytes());
        for (name, value) in credentials {
            let name = name.as_ref();
            digest.update((name.len() as u64).to_le_bytes());
            digest.update(name.as_bytes());
            digest.update((value.expose().len() as u64).to_le_bytes());
            digest.update(value.expose().as_bytes());
        }
        let digest = digest.finalize();
        Self { salt, bits: u16::from_le_bytes([digest[0], digest[1]]) }
    }

    pub(crate) fn is_of(&self, credentials: &[(impl AsRef<str>, Secret)]) -> bool {
        Self::new(self.salt, credentials) == *self
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p5_debug_shows_nothing() {
        let shown = format!("{:?} {:#?}", Secret::new("canary"), Some(Secret::new("canary")));
        assert!(!shown.contains("canary"), "{shown}");
        assert!(shown.contains("[redacted]"), "{shown}");
    }

    /// What is stored in place of a refresh token that was sent or refused.
    #[test]
    fn m6_a_fingerprint_is_the_beginning_of_a_digest() {
        assert_eq!(Fingerprint::of("abc").as_str(), "ba7816bf8f01cfea");
    }

    #[test]
    fn m5_another_password_has_another_mark() {
        let (right, wrong) = (Secret::new("right"), Secret::new("wrong"));
        let mark = CredentialMark::new(7, &[("password", wrong.clone())]);
        assert!(mark.is_of(&[("password", wrong.clone())]));
        assert!(!mark.is_of(&[("password", right.clone())]));
    }
}
