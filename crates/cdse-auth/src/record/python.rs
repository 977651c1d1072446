//! The session file of the Python package `cdse`, which holds tokens and nothing else.

use std::time::SystemTime;

use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::Record;
use crate::clock::{Millis, span};
use crate::random::Random;
use crate::secret::Secret;
use crate::token::TokenSet;

/// How long the service's access tokens live: the file does not say when they were obtained.
const USUAL_LIFE: Millis = 600_000;

#[derive(Deserialize)]
struct Tokens {
    access_token: Secret,
    access_expiry: String,
    #[serde(default)]
    refresh_token: Option<Secret>,
    #[serde(default)]
    refresh_expiry: Option<String>,
}

impl Record {
    /// A record of the tokens alone, of no slot yet, if the text is that package's. The same text is the same version.
    pub(super) fn from_python(text: &[u8]) -> Option<Self> {
        let tokens: Tokens = serde_json::from_slice(text).ok()?;
        let t0 = moment(&tokens.access_expiry)?.saturating_sub(USUAL_LIFE);
        let refresh_end = match &tokens.refresh_expiry {
            Some(end) => Some(moment(end)?),
            None => None,
        };
        let mut set = TokenSet::of(tokens.access_token, t0, USUAL_LIFE).ok()?;
        set.refresh = tokens.refresh_token;
        set.refresh_life = refresh_end.map(|end| end.saturating_sub(t0));
        let mut lineage = [0; 8];
        lineage.copy_from_slice(&Sha256::digest(text)[..8]);
        let lineage = u64::from_le_bytes(lineage);
        Some(Self { lineage, ..Self::of_tokens(None, set, &Random::seeded(0)) })
    }
}

fn moment(text: &str) -> Option<Millis> {
    let time = humantime::parse_rfc3339(text).ok()?;
    time.duration_since(SystemTime::UNIX_EPOCH).ok().map(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"access_token":"an-access-token","access_expiry":"2027-01-15T08:10:00.500000Z",
        "refresh_token":"a-refresh-token","refresh_expiry":"2027-01-15T09:00:00+00:00","token_type":"Bearer"}"#;
    const EXPIRY: Millis = 1_800_000_600_500;

    #[test]
    fn s7_a_session_that_the_python_package_stored_is_read() {
        let record = Record::from_json(FILE.as_bytes()).unwrap();
        let tokens = record.tokens().unwrap();
        assert_eq!((record.slot(), record.version().generation), (None, 0));
        assert_eq!((tokens.access_token(), tokens.refresh_token()), ("an-access-token", Some("a-refresh-token")));
        assert_eq!((tokens.t0 + tokens.life, tokens.refresh_end()), (EXPIRY, Some(EXPIRY + 2_999_500)));
        assert_eq!(Record::from_json(FILE.as_bytes()).unwrap(), record, "the same text is the same version");
    }

    #[test]
    fn s7_what_is_not_a_session_of_the_python_package_is_damaged() {
        for (from, to) in [
            ("an-access-token", "two words"),
            ("2027-01-15T08:10:00.500000Z", "soon"),
            ("2027-01-15T08:10:00.500000Z", "2027-01-15T08:10:00+05:30"),
            ("2027-01-15T09:00:00+00:00", "1969-01-15T09:00:00Z"),
            (r#""access_token""#, r#""token""#),
        ] {
            assert!(Record::from_json(FILE.replace(from, to).as_bytes()).is_err(), "{to}");
        }
        let without = FILE.replace(r#""a-refresh-token""#, "null").replace(r#""2027-01-15T09:00:00+00:00""#, "null");
        assert_eq!(Record::from_json(without.as_bytes()).unwrap().tokens().unwrap().refresh_token(), None);
    }
}
