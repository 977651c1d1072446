//! Functions for fuzzers (feature `fuzzing`): each reads bytes from outside as the library does, and panics when what comes
//! of them breaks a promise. What they return says what it has come to.

pub use crate::endpoint::fuzz::*;

use crate::clock::Now;
use crate::plan::{Attempt, Dice, Means, Outcome, Permit, Plan, View, Want, anchor, intent, settle};
use crate::provider::TotpSecret;
use crate::random::Random;
use crate::record::{Grant, Record, Sent, Slot};
use crate::secret::{Fingerprint, Secret};
use crate::token::{LONGEST_LIFE, TokenSet, check};

pub(crate) const NOW: Now = Now { wall: 1_800_000_000_000, mono: 5_000_000 };
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

/// What is stored after an answer can be read again, and decided on.
pub(crate) fn settled(plan: Plan, outcome: &Outcome) -> String {
    let slot = Slot {
        token_url: "https://id.example/token".to_owned(),
        client_id: "cdse-public".to_owned(),
        grant: Grant::Password,
        subject: Some("user".to_owned()),
    };
    let mut before = Record::new(Some(slot), &Random::seeded(1));
    before.tokens = TokenSet::new("an-access-token", std::time::Duration::from_secs(600)).ok().map(|tokens| TokenSet {
        t0: NOW.wall - 590_000,
        refresh_life: Some(3_600_000),
        refresh: Some(Secret::new("a-refresh-token")),
        ..tokens
    });
    let sent = match plan {
        Plan::Login => Sent::Login,
        _ => Sent::Refresh(Fingerprint::of("a-refresh-token")),
    };
    let attempt = Attempt {
        plan,
        sent,
        begun: NOW,
        explicit: false,
        client: false,
        code: None,
        because: false,
        credentials: None,
        own_refusals: Vec::new(),
        was: None,
        forgive_refusal: false,
        makes_room: false,
    };
    let intent = intent(&before, &attempt, "1@host");
    let after = settle(&intent, &attempt, outcome, NOW, Dice { jitter: 1000, backoff: 750 });
    if let Some(hold) = &after.hold {
        assert!((NOW.wall..=NOW.wall + 3_600_000).contains(&hold.until), "nobody is held for longer than an hour");
    }
    assert_same(&after);
    let held = after.hold.as_ref().map(|hold| (hold.until - NOW.wall) / 10_000);
    format!("{held:?} {}", decide(&after, NOW))
}

fn assert_same(record: &Record) {
    let again = Record::from_json(&record.to_json());
    assert!(again.as_ref().is_ok_and(|again| again == record), "what was written is read again");
}

/// A sentence for people, on one line.
pub(crate) fn assert_sentence(message: &str) {
    assert!(!message.is_empty() && message.chars().count() < 1_000, "{message}");
    assert!(!message.chars().any(char::is_control), "{message:?}");
}

/// Takes every decision that a record can ask for.
fn decide(record: &Record, now: Now) -> String {
    let view = View { record, anchor: anchor(record, now), now, skew: 30_000 };
    assert!(view.left() <= LONGEST_LIFE);
    let wants = [
        Want::Fresh,
        Want::Validity(i64::MAX),
        Want::Not(Fingerprint::of("x")),
        Want::Renewal { since: now.wall, not: None, after: None },
        Want::NewSession { since: now.wall },
    ];
    for (want, login) in wants.iter().flat_map(|want| [(want, true), (want, false)]) {
        let means = Means { login, ..Means::default() };
        let permit = view.permit(want, &means, |_| true);
        if let Permit::Held(hold) | Permit::Refused(hold) = &permit {
            assert!(hold.until.saturating_sub(now.wall) <= 3_600_000, "no stored hold lasts longer than an hour");
        }
        let _ = view.satisfies(want);
        let _ = view.offer(want, &permit, 60_000);
    }
    format!("{:?} ", view.state())
}
