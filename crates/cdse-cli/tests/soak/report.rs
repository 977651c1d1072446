//! What comes of it: figures for people, and the rules that must hold however slow the machine is.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use cdse_auth::ErrorKind;

use crate::crowd::{Failure, Happened};
use crate::library_user::REFUSED_WHILE_VALID;

/// What the service says about it.
pub(crate) struct Said {
    pub(crate) token_requests: u64,
    pub(crate) reuse_detected: u64,
    pub(crate) open_sessions: usize,
}

/// How much later than anybody the watcher may see something, in ms.
const LAG: u64 = 500;
/// How much later than the service the record may know of an end, in ms: whoever is about to store it was stopped.
const STOPPED: u64 = 3000;

/// Nobody was logged in, or what was served was ended at that moment.
fn is_explained(failure: &Failure, happened: &Happened) -> bool {
    // What was cut by kill -9 may be spent, and rests; whoever wants another token is told so.
    if failure.kind == ErrorKind::Network.code() && failure.words.contains("valid for") {
        return happened.sent.cut_renewals > 0;
    }
    let later = match failure.kind.as_str() {
        REFUSED_WHILE_VALID => STOPPED,
        kind if kind == ErrorKind::ReauthRequired.code() => LAG,
        _ => return false,
    };
    let nobody = |(from, to): &(u64, u64)| failure.knows_since <= *to && *from <= failure.to.saturating_add(later);
    happened.watched.nobody.iter().any(nobody)
}

/// How many requests the kills justify beside one for each token: the one that was cut, and the next one, which is refused.
fn of_kills(happened: &Happened) -> u64 {
    2 * happened.sent.cut_renewals + happened.sent.cut_logins
}

pub(crate) fn broken_rules(happened: &Happened, said: &Said) -> Vec<String> {
    let Happened { heard, sent, watched } = happened;
    let mut broken = Vec::new();
    let mut rule = |holds: bool, words: String| {
        if !holds {
            broken.push(words);
        }
    };
    for failure in heard.failures.iter().filter(|failure| !is_explained(failure, happened)).take(10) {
        let Failure { kind, words, .. } = failure;
        rule(false, format!("an error that nothing explains: {kind}: {words}"));
    }
    rule(watched.torn.is_empty(), format!("a reader saw what is no record: {:?}", watched.torn));
    // A logout may take a token away before it is seen; killed after it has told the service, it leaves one that is refused.
    rule(
        said.token_requests <= watched.tokens + of_kills(happened) + heard.logouts,
        format!("{} requests for {} tokens", said.token_requests, watched.tokens),
    );
    rule(
        said.reuse_detected <= sent.cut_renewals,
        format!("{} reuse detected, {} renewals cut by kill -9", said.reuse_detected, sent.cut_renewals),
    );
    rule(
        watched.lost <= sent.cut_renewals + heard.killed_logouts,
        format!("{} sessions lost, {} renewals cut by kill -9", watched.lost, sent.cut_renewals),
    );
    rule(
        said.open_sessions as u64 <= sent.cut_logins,
        format!("{} sessions left open, {} logins cut by kill -9", said.open_sessions, sent.cut_logins),
    );
    let seen = [watched.tokens, heard.token_times.len() as u64, heard.due_calls.len() as u64, heard.fresh_calls];
    rule(seen.iter().all(|count| *count > 1), format!("nobody was there: {seen:?}"));
    rule(
        !heard.lock_waits.is_empty(),
        "nobody waited for the lock: does the library say so in other words?".to_owned(),
    );
    broken
}

pub(crate) fn figures(happened: &Happened, said: &Said) -> String {
    let Happened { heard, sent, watched } = happened;
    let mut text = String::new();
    let mut line = |name: &str, words: String| {
        let _ = writeln!(text, "  {name:<17}{words}");
    };
    line(
        "processes",
        format!(
            "{} of cdse auth token, {} library users ({} calls), {} logouts, {} logins; {} ended by a signal",
            heard.token_times.len(),
            heard.library_users,
            heard.fresh_calls + heard.due_calls.len() as u64,
            heard.logouts,
            heard.logins,
            heard.ended_by_signals
        ),
    );
    let signals: Vec<String> = sent.signals.iter().map(|(name, count)| format!("{name} {count}")).collect();
    let cut = format!("of KILL {} cut a renewal, {} a login", sent.cut_renewals, sent.cut_logins);
    line("signals", format!("{}; {cut}", signals.join(", ")));
    // Each token has ended, was taken away, or somebody wanted another one.
    let due = watched.tokens;
    line(
        "token requests",
        format!(
            "{} for {due} tokens: {:.2} for each ({} more; kills justify {})",
            said.token_requests,
            said.token_requests as f64 / due as f64,
            said.token_requests.saturating_sub(due),
            of_kills(happened)
        ),
    );
    line(
        "sessions",
        format!(
            "{} lost, reuse detected {} times, {} left open after the last logout; nobody was logged in for {:.1} s",
            watched.lost,
            said.reuse_detected,
            said.open_sessions,
            watched.nobody.iter().map(|(from, to)| to - from).sum::<u64>() as f64 / 1000.0
        ),
    );
    let mut kinds: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for failure in &heard.failures {
        let (all, explained) = kinds.entry(&failure.kind).or_default();
        *all += 1;
        *explained += u64::from(is_explained(failure, happened));
    }
    let kinds: Vec<String> =
        kinds.iter().map(|(kind, (all, explained))| format!("{kind} {all} ({explained} explained)")).collect();
    line("errors", if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") });
    let micros = |times: &[u64]| percentiles(times.iter().map(|time| *time as f64 / 1000.0));
    line("lock waits", micros(&heard.lock_waits));
    line("calls when due", micros(&heard.due_calls));
    line("cdse auth token", percentiles(heard.token_times.iter().map(|time| *time as f64)));
    text
}

/// Of times in ms.
fn percentiles(times: impl Iterator<Item = f64>) -> String {
    let mut times: Vec<f64> = times.collect();
    times.sort_by(f64::total_cmp);
    let Some(most) = times.last() else { return "none".to_owned() };
    let of = |per_cent: usize| times[(times.len() - 1) * per_cent / 100];
    format!("{}: p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, at most {most:.1} ms", times.len(), of(50), of(90), of(99))
}
