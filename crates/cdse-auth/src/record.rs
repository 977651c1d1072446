//! The unit of storage: one [`Slot`], one [`Record`], replaced as a whole.

mod python;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::clock::Millis;
use crate::error::{Error, ErrorKind};
use crate::random::Random;
use crate::secret::{CredentialMark, Fingerprint, Secret, hex};
use crate::token::TokenSet;

/// How the first token of a slot is obtained (RFC 6749 §4 and §6).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Grant {
    /// Resource owner password credentials (RFC 6749 §4.3).
    Password,
    /// A given refresh token (RFC 6749 §6).
    RefreshToken,
    /// Client credentials (RFC 6749 §4.4).
    ClientCredentials,
    /// No grant at all: a fixed access token.
    AccessToken,
}

/// Whose session it is: token endpoint, client id, grant, and user. One slot holds at most one session.
///
/// A session never leaves its slot: its tokens go to this token endpoint and to no other.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Slot {
    /// The address of the token endpoint.
    pub token_url: String,
    /// The OAuth client id.
    pub client_id: String,
    /// The grant that opened the session.
    pub grant: Grant,
    /// The user name in lower case, or the fingerprint of a given refresh token; `None` for an OAuth client.
    pub subject: Option<String>,
}

impl Slot {
    /// A name for files: 32 hexadecimal digits, the same for the same slot everywhere.
    #[must_use]
    pub fn id(&self) -> String {
        let parts = [&self.token_url, &self.client_id, self.grant.name(), self.subject.as_deref().unwrap_or("")];
        let mut digest = Sha256::new();
        for part in parts {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part.as_bytes());
        }
        hex(&digest.finalize()[..16])
    }
}

impl Grant {
    /// The `grant_type` of RFC 6749; a fixed access token has none and is called `access_token`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::RefreshToken => "refresh_token",
            Self::ClientCredentials => "client_credentials",
            Self::AccessToken => "access_token",
        }
    }
}

/// What is stored for a slot. It holds everything that any process needs to decide what may be sent next.
///
/// Opaque: a store keeps it whole ([`Record::to_json`], [`Record::from_json`]) and looks at nothing but
/// [`Record::version`].
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Record {
    pub(crate) schema: u32,
    pub(crate) slot: Option<Slot>,
    pub(crate) lineage: u64,
    pub(crate) generation: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) tokens: Option<TokenSet>,
    /// The session's hard end, once two refreshes have shown it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hard_end: Option<Millis>,
    #[serde(default, rename = "suspect", skip_serializing_if = "Option::is_none")]
    pub(crate) mark: Option<Mark>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dead: Option<Dead>,
    /// The service's: nobody contacts it before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hold: Option<Hold>,
    /// Only whoever has these credentials is held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<Refused>,
    /// How often running an exchange brought no answer.
    #[serde(default)]
    pub(crate) fails: u32,
    /// How many of these were logins whose answer was lost.
    #[serde(default, rename = "lost_logins", skip_serializing_if = "is_zero")]
    pub(crate) lost: u32,
    #[serde(default)]
    pub(crate) strikes: u32,
    /// How often running a person's login went past a hold, in vain.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(crate) passes: u32,
    /// A session that is still open although its tokens were cleared: the next login ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) to_end: Option<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) otp: Option<Known<UsedCode>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) uses_otp: Option<bool>,
    /// The credentials that last opened a session, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) worked: Option<Worked>,
    /// The fingerprint of the given refresh token whose descendants these tokens are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) seed: Option<Fingerprint>,
    /// Logged out on purpose.
    #[serde(default)]
    pub(crate) out: bool,
}

fn is_zero(n: &u32) -> bool {
    *n == 0
}

/// A word of this schema, or one that a newer version has written: that is kept as it is, and read as the strictest.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum Known<T> {
    Word(T),
    Other(serde_json::Value),
}

impl<T> Known<T> {
    pub(crate) fn word(&self) -> Option<&T> {
        match self {
            Self::Word(word) => Some(word),
            Self::Other(_) => None,
        }
    }
}

/// What was about to be sent.
///
/// *Under way* until `lost` is written: the exchange is over, and its answer is not known.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Mark {
    pub(crate) sent: Known<Sent>,
    pub(crate) since: Millis,
    /// `pid@host`.
    pub(crate) by: String,
    #[serde(default)]
    pub(crate) lost: bool,
}

impl Mark {
    /// Whether it is of this refresh token; of a word that is not known it may be.
    pub(crate) fn is_of_refresh(&self, token: &Fingerprint) -> bool {
        match &self.sent {
            Known::Word(Sent::Refresh(sent)) => sent == token,
            Known::Word(Sent::Login) => false,
            Known::Other(_) => true,
        }
    }

    pub(crate) fn is_of_login(&self) -> bool {
        self.sent.word() == Some(&Sent::Login)
    }
}

/// What an exchange sends.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Sent {
    Refresh(Fingerprint),
    Login,
}

/// The service refused this refresh token.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Dead {
    pub(crate) token: Fingerprint,
    pub(crate) words: String,
    pub(crate) at: Millis,
}

/// The classes of failure.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Class {
    /// The service has not worked on it: anything may be sent again.
    Unsent,
    /// Nobody knows whether the service has worked on it.
    Lost,
    /// The refresh token is refused for good.
    Dead,
    /// The credentials are refused.
    Refused,
    /// The account is full.
    Limit,
    /// Anything that waiting does not mend.
    Configuration,
}

/// Nobody contacts the service before `until`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Hold {
    pub(crate) until: Millis,
    pub(crate) since: Millis,
    pub(crate) class: Known<Class>,
    pub(crate) kind: Known<ErrorKind>,
    #[serde(deserialize_with = "sentence")]
    pub(crate) message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) hint: Option<String>,
    /// How an older version held whoever has these credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) credentials: Option<CredentialMark>,
}

/// The service refused these credentials: whoever has them does not send them again before `until`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Refused {
    #[serde(flatten)]
    pub(crate) hold: Hold,
    /// The newest first.
    pub(crate) marks: Vec<CredentialMark>,
}

impl Hold {
    pub(crate) fn new(since: Millis, until: Millis, class: Class, error: &Error) -> Self {
        Self {
            until,
            since,
            class: Known::Word(class),
            kind: Known::Word(error.kind()),
            message: error.message().to_owned(),
            hint: error.hint().map(str::to_owned),
            credentials: None,
        }
    }

    /// What failed.
    pub(crate) fn reason(&self) -> Error {
        // A word that is not known is of a failure that passes.
        let kind = self.kind.word().copied().unwrap_or(ErrorKind::ServiceUnavailable);
        let error = Error::new(kind, self.message.clone());
        match &self.hint {
            Some(hint) => error.with_hint(hint),
            None => error,
        }
    }

    /// Why nothing is sent, for a caller that came at `came` (wall clock): what failed and when, and when the next try
    /// is due.
    pub(crate) fn error(&self, now: Millis, came: Millis) -> Error {
        let (ago, left) = (seconds(now.saturating_sub(self.since)), seconds(self.until.saturating_sub(now)));
        let reason = self.reason();
        if self.until <= now {
            reason.or_try_later()
        } else if self.since >= came {
            reason.retold(|what| format!("{what}; the next try is due in {left} s"))
        } else {
            reason.retold(|what| format!("{what} ({ago} s ago); nothing was sent now, the next try is due in {left} s"))
        }
    }
}

/// Older versions stored one piece of advice within the sentence.
fn sentence<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let mut text = String::deserialize(deserializer)?;
    text.truncate(text.trim_end_matches("; try again later").len());
    Ok(text)
}

/// Whole seconds, rounded up.
fn seconds(length: Millis) -> Millis {
    length.max(0).saturating_add(999) / 1000
}

/// The last code that was about to be sent: it is never sent again.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum UsedCode {
    /// The time step of a generated code (RFC 6238).
    Step(i64),
    /// A code that was given.
    Given(Fingerprint),
}

/// These credentials have opened a session at this slot's address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Worked {
    pub(crate) credentials: CredentialMark,
    pub(crate) at: Millis,
    /// A generated code of theirs was refused since then, once: the next refusal counts.
    #[serde(default)]
    pub(crate) forgiven: bool,
}

/// Which state of a slot a record is: the fence of every commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Version {
    /// Random at creation.
    pub lineage: u64,
    /// Increases by one with every commit.
    pub generation: u64,
}

impl Record {
    /// The schema that this version reads and writes.
    pub const SCHEMA: u32 = 1;

    pub(crate) fn new(slot: Option<Slot>, random: &Random) -> Self {
        Self {
            schema: Self::SCHEMA,
            slot,
            lineage: random.u64(),
            generation: 0,
            tokens: None,
            hard_end: None,
            mark: None,
            dead: None,
            hold: None,
            refused: None,
            fails: 0,
            lost: 0,
            strikes: 0,
            passes: 0,
            to_end: None,
            otp: None,
            uses_otp: None,
            worked: None,
            seed: None,
            out: false,
        }
    }

    /// The record of tokens that come without one ([`TokenStore::save`](crate::TokenStore::save)): a session of its own.
    #[must_use]
    pub fn of_tokens(slot: Option<Slot>, tokens: TokenSet, random: &Random) -> Self {
        Self { tokens: Some(tokens), ..Self::new(slot, random) }
    }

    /// The record that replaces this one when the tokens are removed ([`TokenStore::clear`](crate::TokenStore::clear)): it has
    /// no tokens, and is marked as logged out.
    #[must_use]
    pub fn cleared(&self) -> Self {
        Self { tokens: None, out: true, ..self.next() }
    }

    /// Which state of the slot this is.
    #[must_use]
    pub fn version(&self) -> Version {
        Version { lineage: self.lineage, generation: self.generation }
    }

    /// Whose it is; `None` when it was written without a slot ([`TokenStore::save`](crate::TokenStore::save)).
    #[must_use]
    pub fn slot(&self) -> Option<&Slot> {
        self.slot.as_ref()
    }

    /// The tokens, absent after a logout.
    #[must_use]
    pub fn tokens(&self) -> Option<&TokenSet> {
        self.tokens.as_ref()
    }

    /// The record as a store keeps it. It holds the tokens in clear.
    #[must_use]
    pub fn to_json(&self) -> zeroize::Zeroizing<Vec<u8>> {
        // Room for two long tokens: growing would leave copies behind.
        let mut text = zeroize::Zeroizing::new(Vec::with_capacity(16 * 1024));
        // A record is plain data with string keys, for which serde_json has no error.
        let _ = serde_json::to_writer_pretty(&mut *text, self);
        text.push(b'\n');
        text
    }

    /// Reads what [`Record::to_json`] wrote, or the session file of the Python package `cdse`: its tokens are those of a record
    /// without a slot.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::StoreNewer`] for a schema above [`Record::SCHEMA`], [`ErrorKind::StoreDamaged`] for anything else
    /// that is not a record. Neither error shows any of the text.
    pub fn from_json(text: &[u8]) -> Result<Self, Error> {
        #[derive(Deserialize)]
        struct Schema {
            schema: u32,
        }
        let damaged = |_| Error::new(ErrorKind::StoreDamaged, "it is not a session record");
        let Schema { schema } = match serde_json::from_slice(text) {
            Ok(schema) => schema,
            Err(error) => return Self::from_python(text).ok_or(error).map_err(damaged),
        };
        if schema > Self::SCHEMA {
            let why = format!("it has schema {schema}, and this version knows {}", Self::SCHEMA);
            return Err(Error::new(ErrorKind::StoreNewer, why));
        }
        serde_json::from_slice(text).map_err(damaged)
    }

    /// Somebody may be at an exchange.
    pub(crate) fn is_under_way(&self) -> bool {
        self.mark.as_ref().is_some_and(|mark| !mark.lost)
    }

    /// The address of the slot has answered with tokens before.
    pub(crate) fn address_has_worked(&self) -> bool {
        self.worked.is_some() || self.tokens.is_some() || self.to_end.is_some()
    }

    pub(crate) fn refresh_fingerprint(&self) -> Option<Fingerprint> {
        self.refresh_token().map(Secret::fingerprint)
    }

    pub(crate) fn refresh_token(&self) -> Option<&Secret> {
        self.tokens.as_ref()?.refresh.as_ref()
    }

    /// The service has refused the refresh token that is stored.
    pub(crate) fn is_dead(&self) -> bool {
        self.dead.as_ref().is_some_and(|dead| self.refresh_fingerprint().is_some_and(|token| token == dead.token))
    }

    /// The record that replaces this one.
    pub(crate) fn next(&self) -> Self {
        Self { generation: self.generation.wrapping_add(1).max(1), ..self.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        let slot = Slot {
            token_url: "https://id.example/token".to_owned(),
            client_id: "cdse-public".to_owned(),
            grant: Grant::Password,
            subject: Some("user".to_owned()),
        };
        let mut record = Record::new(Some(slot), &Random::seeded(1));
        record.tokens = TokenSet::new("t", std::time::Duration::from_secs(600)).ok();
        record
    }

    /// The names of session files: another one would lose every session that is stored.
    #[test]
    fn s2_the_name_of_a_slot_stays() {
        let slot = record().slot.unwrap();
        assert_eq!(slot.id(), "24a0d2cff4f5414390ad3a55a49e021f");
        for other in [
            Slot { client_id: "other".to_owned(), ..slot.clone() },
            Slot { grant: Grant::ClientCredentials, ..slot.clone() },
            Slot { subject: None, ..slot.clone() },
        ] {
            assert_ne!(other.id(), slot.id());
        }
    }

    #[test]
    fn s2_a_record_tells_whose_it_is_and_what_it_holds() {
        let record = record();
        assert!(record.slot().is_some_and(|slot| slot.grant.name() == "password"));
        assert_eq!(record.tokens().map(TokenSet::access_token), Some("t"));
        assert_eq!(Record::from_json(&record.to_json()).unwrap(), record);
    }

    #[test]
    fn s2_a_cleared_record_says_that_it_was_meant() {
        let (before, after) = (record(), record().cleared());
        assert!(!before.out && after.out && after.tokens().is_none());
        assert_eq!(after.generation, before.generation + 1);
    }

    #[test]
    fn s2_a_newer_schema_is_not_read() {
        let text =
            |schema: &str| String::from_utf8(record().to_json().to_vec()).unwrap().replace("\"schema\": 1", schema);
        for (schema, kind) in [
            ("\"schema\": 2", Some(ErrorKind::StoreNewer)),
            ("\"schema\": 0", None),
            ("\"schema\": \"1\"", Some(ErrorKind::StoreDamaged)),
        ] {
            let read = Record::from_json(text(schema).as_bytes());
            assert_eq!(read.err().map(|error| error.kind()), kind, "{schema}");
        }
    }

    #[test]
    fn s2_a_hold_keeps_its_hint_and_one_of_an_older_version_is_read() {
        let older = r#"{"until":9000,"since":1,"class":"unsent","kind":"network","message":"lost; try again later"}"#;
        let mut hold: Hold = serde_json::from_str(older).unwrap();
        assert_eq!(hold.error(2000, 2).to_string(), "lost (2 s ago); nothing was sent now, the next try is due in 7 s");
        hold.hint = Some("check the proxy".to_owned());
        let hold: Hold = serde_json::from_value(serde_json::to_value(&hold).unwrap()).unwrap();
        assert_eq!(hold.error(2000, 1).to_string(), "lost; the next try is due in 7 s; check the proxy");
        assert_eq!(hold.error(9000, 1).to_string(), "lost; check the proxy");
    }

    #[test]
    fn s1_each_record_is_one_generation_later() {
        let first = record();
        let second = first.next();
        assert_eq!((first.generation, second.generation, second.lineage), (0, 1, first.lineage));
        assert_eq!(Record { generation: u64::MAX, ..first }.next().generation, 1);
    }
}
