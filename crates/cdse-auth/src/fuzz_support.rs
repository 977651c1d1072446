//! What must hold of every record, for the functions in `fuzz`.

use crate::clock::time::Now;
use crate::plan::{Attempt, Dice, Means, Outcome, Permit, Plan, View, Want, anchor, intent, settle};
use crate::random::Random;
use crate::record::{Record, Sent};
use crate::secret::{Fingerprint, Secret};
use crate::token::{LONGEST_LIFE, TokenSet};

pub(crate) const NOW: Now = Now { wall: 1_800_000_000_000, mono: 5_000_000 };

/// What is stored after an answer can be read again, and decided on.
pub(crate) fn settled(plan: Plan, outcome: &Outcome) -> String {
    let mut before = Record::new(None, &Random::seeded(1));
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
    let attempt = Attempt::new(plan, sent, NOW, None);
    let intent = intent(&before, &attempt, "1@host");
    let after = settle(&intent, &attempt, outcome, NOW, Dice { jitter: 1000, backoff: 750 });
    if let Some(hold) = &after.hold {
        assert!((NOW.wall..=NOW.wall + 3_600_000).contains(&hold.until), "nobody is held for longer than an hour");
    }
    assert_same(&after);
    let held = after.hold.as_ref().map(|hold| (hold.until - NOW.wall) / 10_000);
    format!("{held:?} {}", decide(&after, NOW))
}

pub(crate) fn assert_same(record: &Record) {
    let again = Record::from_json(&record.to_json());
    assert!(again.as_ref().is_ok_and(|again| again == record), "what was written is read again");
}

/// A sentence for people, on one line.
pub(crate) fn assert_sentence(message: &str) {
    assert!(!message.is_empty() && message.chars().count() < 1_000, "{message}");
    assert!(!message.chars().any(char::is_control), "{message:?}");
}

/// Takes every decision that a record can ask for.
pub(crate) fn decide(record: &Record, now: Now) -> String {
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
