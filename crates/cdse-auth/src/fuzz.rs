//! Functions for fuzzers (feature `fuzzing`): each reads bytes from outside as the library does, and panics when what comes
//! of them breaks a promise. What they return says what it has come to.

pub use crate::endpoint::fuzz::*;

use crate::clock::time::Now;
use crate::endpoint::fuzz::claims;
use crate::fuzz_support::{NOW, assert_same, assert_sentence, decide};
use crate::manager::TokenManager;
use crate::provider::{AccessTokenAuth, TotpSecret};
use crate::record::Record;
use crate::secret::Secret;
use crate::token::{LONGEST_LIFE, check};

const DAY: i64 = 24 * 3600 * 1000;

/// A session file.
pub fn session_file(data: &[u8]) -> String {
    let record = match Record::from_json(data) {
        Ok(record) => record,
        Err(error) => return format!("{:?}", error.kind()),
    };
    if let Some(tokens) = record.tokens() {
        assert!(check(&tokens.access).is_ok() && (0..=LONGEST_LIFE).contains(&tokens.life));
        assert!(!tokens.authorization_header().as_bytes().ends_with(b"invalid"));
        let _ = (tokens.access_expires_at(), tokens.refresh_expires_at());
    }
    assert_same(&record);
    let moments = [NOW, Now { wall: NOW.wall - DAY, ..NOW }, Now { wall: NOW.wall + DAY, mono: NOW.mono + DAY }];
    let extremes = [Now { wall: 0, mono: 0 }, Now { wall: i64::MAX, mono: i64::MAX }];
    moments.into_iter().chain(extremes).map(|now| decide(&record, now)).collect()
}

/// A token, and the claims of one.
pub fn jwt_claims(data: &[u8]) -> String {
    let token = format!("e30.{}.c2ln", data_encoding::BASE64URL_NOPAD.encode(data));
    let read = [token, String::from_utf8_lossy(data).into_owned()].map(|token| {
        let read = claims(&token);
        let manager = TokenManager::builder(AccessTokenAuth::new(Secret::new(token))).build();
        let state = manager
            .map_or_else(|error| format!("{:?}", error.kind()), |manager| format!("{:?}", manager.status().state));
        read + &state
    });
    read.concat()
}

/// A TOTP secret: base32 or an `otpauth://` address.
pub fn otpauth_uri(data: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(data) else { return String::new() };
    let secret = match TotpSecret::new(text) {
        Ok(secret) => secret,
        Err(error) => {
            assert_sentence(error.message());
            return error.message().to_owned();
        }
    };
    for wall in [0, 59_000, NOW.wall, 20_000_000_000_000, i64::MAX, i64::MIN] {
        let step = secret.step_at(wall);
        let code = secret.code(step);
        assert!((6..=8).contains(&code.expose().len()) && code.expose().bytes().all(|byte| byte.is_ascii_digit()));
        assert!(wall < 0 || secret.start_of(step) <= wall);
        let _ = secret.start_of(step.saturating_add(1));
    }
    secret.code(1).expose().len().to_string()
}
