//! The edges of the model, where a scenario of whole seconds does not look.

use super::*;
use crate::provider::GrantData;
use crate::random::Random;

const NOW: Now = Now { wall: 1_800_000_000_000, mono: 5_000_000 };

/// A token of 600 s that was obtained so long ago, with a refresh token of an hour.
fn record(age: Millis) -> Record {
    let tokens = TokenSet::new("access", std::time::Duration::from_secs(600)).unwrap();
    let mut tokens = tokens.with_refresh_token("refresh", Some(std::time::Duration::from_secs(3600)));
    tokens.t0 = NOW.wall - age;
    tokens.jitter = 1000;
    let mut record = Record::new(None, &Random::seeded(1));
    record.tokens = Some(tokens);
    record
}

/// The same of a machine client.
fn of_client(age: Millis) -> Record {
    let mut record = record(age);
    let tokens = record.tokens.as_mut().unwrap();
    (tokens.refresh, tokens.refresh_life) = (None, None);
    record
}

fn view(record: &Record) -> View<'_> {
    View { record, anchor: anchor(record, NOW), now: NOW, skew: 30 * SECOND }
}

fn access(name: &str) -> Fingerprint {
    Secret::new(name).fingerprint()
}

#[test]
fn m10_a_stored_token_is_anchored_at_its_age_and_no_age_is_absurd() {
    const DAYS_400: Millis = 400 * 24 * 3_600_000;
    for (age, anchored) in [
        (0, NOW.mono),
        (599_999, NOW.mono - 599_999),
        (-1, NOW.mono),
        (DAYS_400, NOW.mono - DAYS_400),
        (DAYS_400 + 1, NOW.mono - DAYS_400),
    ] {
        assert_eq!(anchor(&record(age), NOW), anchored, "age {age}");
    }
}

#[test]
fn m10_a_record_may_be_a_minute_ahead_and_no_more() {
    assert_eq!(view(&record(-MINUTE)).state(), State::Fresh);
    assert_eq!(view(&record(-MINUTE - 1)).state(), State::Late, "a clock must have been set back");
}

#[test]
fn m2_each_window_ends_where_the_model_says() {
    for (age, state) in [
        (480_000 - 1, State::Fresh),
        (480_000, State::Early),
        (570_000 - 1, State::Early),
        (570_000, State::Late),
        (600_000 - 1, State::Late),
        (600_000, State::Expired),
    ] {
        assert_eq!(view(&record(age)).state(), state, "age {age}");
    }
}

#[test]
fn m2_a_session_lives_as_long_as_it_can_be_renewed() {
    assert!(view(&record(3_600_000 - 1)).session_lives());
    assert!(!view(&record(3_600_000)).session_lives(), "its refresh token has ended");
    let mut refused = record(0);
    let token = refused.refresh_fingerprint().unwrap();
    refused.dead = Some(Dead { token, words: String::new(), at: NOW.wall });
    assert!(!view(&refused).session_lives(), "its refresh token was refused");
    assert!(view(&of_client(600_000 - 1)).session_lives(), "a machine client has no session but its token");
    assert!(!view(&of_client(600_000)).session_lives());
    assert!(!view(&Record::new(None, &Random::seeded(1))).session_lives());
}

#[test]
fn m2_what_is_stored_meets_a_want_or_does_not() {
    let meets = |age, want: &Want| view(&record(age)).satisfies(want);
    assert!(meets(479_999, &Want::Fresh) && !meets(480_000, &Want::Fresh));
    assert!(meets(599_999, &Want::Validity(1)) && !meets(599_999, &Want::Validity(2)));
    assert!(!meets(600_000, &Want::Validity(0)), "an ended token is worth nothing");
    assert!(meets(9_999, &Want::Validity(900_000)), "there is no longer one to be had");
    assert!(!meets(10_000, &Want::Validity(900_000)));
    assert!(meets(0, &Want::Not(access("another"))) && !meets(0, &Want::Not(access("access"))));
    assert!(!meets(600_000, &Want::Not(access("another"))));
    let since = NOW.wall;
    assert!(meets(0, &Want::Session { since }) && !meets(3_600_000, &Want::Session { since }));
    assert!(!meets(0, &Want::NewSession { since }));
    let begun = |since, not: Option<&str>| Want::Renewal { since, not: not.map(access), after: None };
    assert!(meets(5, &begun(since - 5, Some("another"))), "the same tick is not before");
    assert!(!meets(5, &begun(since - 4, Some("another"))));
    assert!(!meets(5, &begun(since - 5, Some("access"))), "it is the one that is to be replaced");
    assert!(meets(5, &begun(since - 6, None)));
    assert!(!meets(5, &begun(since - 5, None)), "whoever knew no token cannot tell within a tick");
    assert!(!meets(600_000, &begun(0, None)));
    assert!(!meets(-MINUTE - 1, &begun(0, None)), "it is from a clock that was ahead");
}

#[test]
fn m6_a_new_login_needs_what_opens_a_session() {
    let record = record(0);
    let permit = |login, spent| {
        let want = Want::NewSession { since: NOW.wall };
        view(&record).permit(&want, &Means { login, spent, given: None }, |_| true)
    };
    assert!(matches!(permit(true, false), Permit::Go(Plan::Login)));
    assert!(matches!(permit(false, true), Permit::Nothing), "its code was used");
    assert!(matches!(permit(false, false), Permit::Go(Plan::Refresh)));
}

fn held(class: Class, since: Millis, until: Millis) -> Record {
    let mut record = record(600_000);
    record.hold = Some(Hold::new(since, until, class, &Error::new(ErrorKind::ServiceUnavailable, "held")));
    record
}

#[test]
fn x4_a_hold_that_a_set_clock_wrote_holds_nobody() {
    let holds = |class, since, until| {
        let record = held(class, NOW.wall + since, NOW.wall + until);
        view(&record).hold(&Want::Fresh).is_some()
    };
    assert!(holds(Class::Lost, 0, 1) && !holds(Class::Lost, 0, 0), "until then, and no longer");
    assert!(holds(Class::Lost, MINUTE, MINUTE + 1) && !holds(Class::Lost, MINUTE + 1, MINUTE + 2));
    for (class, longest) in [
        (Class::Unsent, 300 * SECOND),
        (Class::Limit, MINUTE),
        (Class::Configuration, MINUTE),
        (Class::Lost, 300 * SECOND),
        (Class::Dead, HOUR),
        (Class::Refused, HOUR),
    ] {
        assert!(holds(class, 0, longest) && !holds(class, 0, longest + 1), "{class:?}");
    }
}

#[test]
fn m6_a_person_goes_past_what_was_known_before_and_not_past_its_own_try() {
    let before = NOW.wall - 10 * SECOND;
    let holds = |class, passes, said| {
        let mut record = held(class, before, NOW.wall + 30 * SECOND);
        record.passes = passes;
        view(&record).hold(&Want::Session { since: said }).is_some()
    };
    for class in [Class::Unsent, Class::Lost, Class::Dead, Class::Limit, Class::Configuration] {
        assert!(!holds(class, PASSES - 1, before + 1), "{class:?}");
        assert!(holds(class, PASSES - 1, before), "its own try: {class:?}");
        assert!(holds(class, PASSES, before + 1), "a fourth time: {class:?}");
    }
}

fn refused(since: Millis, marks: &[u64]) -> Record {
    let mut record = held(Class::Refused, since, NOW.wall + 30 * SECOND);
    let mark = |salt: &u64| CredentialMark::new(*salt, &[("password", "first".into())]);
    record.refused = record.hold.take().map(|hold| Refused { hold, marks: marks.iter().map(mark).collect() });
    record
}

#[test]
fn m5_whoever_has_refused_credentials_is_held_and_everybody_for_two_seconds() {
    let until = |since, own, passes, person| {
        let mut record = refused(since, &[1]);
        record.passes = passes;
        let want = if person { Want::Session { since: NOW.wall } } else { Want::Fresh };
        view(&record).refusal(&want, |_| own).map(|(hold, own)| (hold.until - NOW.wall, own))
    };
    let second = NOW.wall - 1000;
    assert_eq!(until(second, true, 0, false), Some((30 * SECOND, true)));
    assert_eq!(until(second, true, 0, true), Some((1000, true)), "a person, for whoever types quickly");
    assert_eq!(until(second, true, PASSES, true), Some((30 * SECOND, true)), "at most a minute");
    assert_eq!(until(second, false, 0, false), Some((1000, false)), "everybody else");
    assert_eq!(until(NOW.wall - 2000, false, 0, false), None);
    assert_eq!(until(NOW.wall - 2000, true, 0, true), None);
}

#[test]
fn m5_what_an_older_version_held_for_some_credentials_holds_these() {
    let mut record = held(Class::Refused, NOW.wall - 2000, NOW.wall + 30 * SECOND);
    record.hold.as_mut().unwrap().credentials = Some(CredentialMark::new(1, &GrantData::new()));
    assert!(view(&record).refusal(&Want::Fresh, |_| true).is_some_and(|(_, own)| own));
    assert!(view(&record).refusal(&Want::Fresh, |_| false).is_none());
    assert!(view(&record).hold(&Want::Fresh).is_none(), "and nobody else");
}

#[test]
fn m5_four_refused_credentials_are_told_apart_and_the_fifth_drops_the_oldest() {
    let mark = |nth: u64| CredentialMark::new(nth, &[("password", "x".into())]);
    let mut record = record(600_000);
    for nth in 1..=5 {
        let attempt = Attempt { credentials: Some(mark(nth)), ..attempt(&record, Plan::Login) };
        record = settle(&record, &attempt, &failed(Class::Refused, "no"), NOW, DICE);
    }
    assert_eq!(record.refused.as_ref().unwrap().marks, [5, 4, 3, 2].map(mark));
    let own_refusals = vec![mark(3)];
    let again =
        Attempt { credentials: Some(mark(6)), own_refusals: own_refusals.clone(), ..attempt(&record, Plan::Login) };
    let refused = settle(&record, &again, &failed(Class::Refused, "no"), NOW, DICE).refused.unwrap();
    assert_eq!(refused.marks, [6, 5, 4, 2].map(mark), "the same credentials have one mark");
    let ok = Attempt { own_refusals, ..attempt(&record, Plan::Login) };
    let after = settle(&record, &ok, &Ok(granted(Some("next"), None)), NOW, DICE);
    assert_eq!(after.refused.unwrap().marks, [5, 4, 2].map(mark), "ok removes its own");
}

/// S2: words of a newer version are kept, and read as the strictest.
#[test]
fn s2_an_unknown_word_is_kept_and_read_as_the_strictest() {
    let mut text: serde_json::Value = serde_json::from_slice(&record(100_000).to_json()).unwrap();
    text["suspect"] = serde_json::json!({ "sent": {"device": 7}, "since": NOW.wall, "by": "1@here", "lost": true });
    text["hold"] = serde_json::json!({
        "until": NOW.wall + 1000, "since": NOW.wall, "class": "eclipse", "kind": "solar_flare", "message": "later",
        "words": "of a newer one",
    });
    text["otp"] = serde_json::json!({ "hotp": 17 });
    let read = Record::from_json(text.to_string().as_bytes()).expect("no word makes it damaged");
    let written: serde_json::Value = serde_json::from_slice(&read.to_json()).unwrap();
    for key in ["suspect", "otp"] {
        assert_eq!(written[key], text[key], "{key}");
    }
    assert_eq!((&written["hold"]["class"], &written["hold"]["kind"]), (&text["hold"]["class"], &text["hold"]["kind"]));
    let view = view(&read);
    assert_eq!(view.plan(&Means::default(), false), Plan::Rests, "a mark of whatever is stored");
    assert!(view.hold(&Want::Fresh).is_some(), "a hold of everybody");
    assert_eq!(read.hold.as_ref().unwrap().reason().kind(), ErrorKind::ServiceUnavailable);
}

#[test]
fn m5_whoever_is_held_is_told_what_failed_and_when_and_when_the_next_try_is_due() {
    let hold = held(Class::Lost, NOW.wall - 10_500, NOW.wall + 49_500).hold.unwrap();
    assert_eq!(
        hold.error(NOW.wall, NOW.wall).message(),
        "held (11 s ago); nothing was sent now, the next try is due in 50 s"
    );
    assert_eq!(hold.error(NOW.wall, NOW.wall - 20_000).message(), "held; the next try is due in 50 s", "its own try");
    assert_eq!(hold.error(hold.until, NOW.wall).message(), "held");
}

#[test]
fn m12_two_readings_of_one_end_may_differ_by_two_seconds() {
    let mut record = record(0);
    record.hard_end = Some(NOW.wall + 600_000 + SAME_END);
    assert!(view(&record).reaches_hard_end());
    record.hard_end = Some(NOW.wall + 600_000 + SAME_END + 1);
    assert!(!view(&record).reaches_hard_end());
    assert_eq!(SAME_END, 2000);
}

#[test]
fn x1_an_exchange_has_twenty_seconds_and_a_caller_sixty() {
    assert_eq!((EXCHANGE, PATIENCE), (20_000, 60_000));
}

#[test]
fn m4_a_token_that_was_renewed_a_moment_ago_and_is_refused_again_is_not_renewed_again() {
    let permit = |age, refused_ago: Option<Millis>, login: bool| {
        let mut record = record(age);
        record.tokens.as_mut().unwrap().refused_at = refused_ago.map_or(0, |ago| NOW.wall - ago);
        if !login {
            record.tokens.as_mut().unwrap().refresh = None;
        }
        view(&record).permit(&Want::Not(access("access")), &Means::default(), |_| false)
    };
    assert!(matches!(permit(59_999, Some(59_999), true), Permit::StillRefused));
    assert!(matches!(permit(0, Some(60_000), true), Permit::Go(Plan::Refresh)));
    assert!(matches!(permit(0, None, true), Permit::Go(Plan::Refresh)), "it was not renewed for a refusal");
    assert!(matches!(permit(0, Some(0), false), Permit::Nothing), "nothing could be renewed");
    let record = record(0);
    let offer = view(&record).offer(&Want::Not(access("access")), &Permit::StillRefused, PATIENCE);
    assert!(matches!(offer, Offer::Fail(error) if error.kind() == ErrorKind::StillRefused));
}

const DICE: Dice = Dice { jitter: 1000, backoff: 1000 };

fn attempt(record: &Record, plan: Plan) -> Attempt {
    let sent = match plan {
        Plan::Login => Sent::Login,
        _ => Sent::Refresh(record.refresh_fingerprint().unwrap()),
    };
    Attempt::new(plan, sent, NOW, record.mark.clone())
}

fn granted(refresh: Option<&str>, refresh_life: Option<Millis>) -> Granted {
    let session_id = refresh.map(|_| "new session".to_owned());
    let refresh = refresh.map(Secret::new);
    Granted { access: Secret::new("new"), refresh, session_id, life: 600 * SECOND, refresh_life }
}

fn failed(class: Class, words: &str) -> Outcome {
    let error = Error::new(ErrorKind::ServiceUnavailable, "scripted");
    Err(Failure { words: words.to_owned(), ..Failure::new(class, error) })
}

#[test]
fn x1_what_rests_is_not_forgotten_for_a_login_and_is_replaced_by_the_next_refresh() {
    let mut record = record(0);
    let sent = Known::Word(Sent::Refresh(access("older")));
    let rests = Mark { sent, since: 1, by: "1@here".to_owned(), lost: true };
    record.mark = Some(rests.clone());
    assert_eq!(intent(&record, &attempt(&record, Plan::Login), "2@here").mark, Some(rests));
    let next = intent(&record, &attempt(&record, Plan::Refresh), "2@here").mark.unwrap();
    let sent = Known::Word(Sent::Refresh(record.refresh_fingerprint().unwrap()));
    assert_eq!((next.sent, next.since, next.lost), (sent, NOW.wall, false));
}

#[test]
fn m6_an_answer_to_a_refresh_that_names_no_successor_leaves_the_session_as_it_is() {
    let mut record = record(480_000);
    record.tokens.as_mut().unwrap().session_id = Some("session".to_owned());
    let after = |plan| settle(&record, &attempt(&record, plan), &Ok(granted(None, None)), NOW, DICE).tokens.unwrap();
    let refreshed = after(Plan::Refresh);
    assert_eq!(refreshed.refresh.unwrap().expose(), "refresh");
    assert_eq!(refreshed.session_id.unwrap(), "session");
    let new = after(Plan::Login);
    assert!(new.refresh.is_none() && new.session_id.is_none(), "a login's session is its own");
}

#[test]
fn m12_only_a_login_says_which_credentials_worked() {
    let before = record(480_000);
    let mark = CredentialMark::new(1, &[("password", "first".into())]);
    let after = |plan| {
        let attempt = Attempt { credentials: Some(mark), ..attempt(&before, plan) };
        settle(&before, &attempt, &Ok(granted(Some("next"), None)), NOW, DICE)
    };
    assert!(after(Plan::Login).worked.is_some() && after(Plan::Login).uses_otp == Some(false));
    assert!(after(Plan::Refresh).worked.is_none() && after(Plan::Refresh).uses_otp.is_none());
}

#[test]
fn x4_strikes_are_forgiven_to_a_person_and_to_a_client_and_not_to_an_unattended_login() {
    let strikes = |explicit, client| {
        let mut before = record(480_000);
        before.strikes = 3;
        let attempt = Attempt { explicit, client, ..attempt(&before, Plan::Login) };
        settle(&before, &attempt, &Ok(granted(Some("next"), None)), NOW, DICE).strikes
    };
    assert_eq!([strikes(false, false), strikes(true, false), strikes(false, true)], [3, 0, 0]);
}

#[test]
fn x4_strikes_cost_one_five_and_fifteen_minutes_and_then_an_hour_each() {
    let mut record = record(0);
    let minutes: Vec<_> = (0..6).map(|_| strike(&mut record, 0).map(|length| length / MINUTE)).collect();
    assert_eq!(minutes, [1, 5, 15, 60, 60, 60].map(Some));
}

#[test]
fn m12_an_end_that_does_not_move_is_the_sessions_hard_end() {
    let hard_end = |age, rest| {
        let before = record(age);
        let outcome = Ok(granted(Some("next"), Some(rest)));
        settle(&before, &attempt(&before, Plan::Refresh), &outcome, NOW, DICE).hard_end.map(|end| end - NOW.wall)
    };
    let end = |age: Millis| 3_600_000 - age;
    assert_eq!(hard_end(150_000, end(150_000)), Some(end(150_000)), "a quarter of the token's life");
    assert_eq!(hard_end(149_999, end(149_999)), None, "too soon to tell");
    let of_short_life = |age| {
        let mut before = record(age);
        before.tokens.as_mut().unwrap().life = 20_000;
        let outcome = Ok(granted(Some("next"), Some(end(age))));
        settle(&before, &attempt(&before, Plan::Refresh), &outcome, NOW, DICE).hard_end.is_some()
    };
    assert!(of_short_life(10_000) && !of_short_life(9_999), "ten seconds at least");
    for off in [2000, -2000] {
        assert_eq!(hard_end(480_000, end(480_000) + off), Some(end(480_000) + off));
    }
    for off in [2001, -2001] {
        assert_eq!(hard_end(480_000, end(480_000) + off), None, "it moves");
    }
}

#[test]
fn x4_a_session_that_ends_before_its_time_a_second_time_is_a_pattern() {
    let held = |age, strikes| {
        let mut before = record(age);
        before.strikes = strikes;
        let after = settle(&before, &attempt(&before, Plan::Refresh), &failed(Class::Dead, "gone"), NOW, DICE);
        after.hold.map(|hold| hold.until - NOW.wall)
    };
    assert_eq!(held(480_000, 0), None, "somebody may have ended all sessions");
    assert_eq!(held(480_000, 1), Some(MINUTE));
    let end = 3_600_000 - SAME_END;
    assert_eq!(held(end - 1, 1), Some(MINUTE));
    assert_eq!(held(end, 1), None, "it ended when it was to end");
}

/// Another process may have the right authorities, or another proxy.
#[test]
fn m5_what_one_process_is_set_to_holds_nobody_back() {
    let before = record(600_000);
    let attempt = Attempt { explicit: true, ..attempt(&before, Plan::Refresh) };
    let error = Error::new(ErrorKind::UnknownAuthority, "not trusted");
    let outcome = Err(Failure::new(Class::Unsent, error));
    let after = settle(&intent(&before, &attempt, "1@here"), &attempt, &outcome, NOW, DICE);
    assert_eq!((after.hold, after.fails, after.passes, after.mark), (None, 0, 0, None));
}

#[test]
fn m6_a_full_account_holds_nobody_back_who_makes_room_if_the_service_said_so() {
    let held = |makes_room, words: &str| {
        let before = record(480_000);
        let attempt = Attempt { makes_room, ..attempt(&before, Plan::Login) };
        settle(&before, &attempt, &failed(Class::Limit, words), NOW, DICE).hold.is_some()
    };
    assert!(!held(true, "User session limit exceeded"));
    assert!(held(true, "") && held(false, "User session limit exceeded") && held(false, ""));
}

#[test]
fn p2_a_refused_code_is_forgiven_once() {
    let mark = CredentialMark::new(1, &[("password", "first".into())]);
    let refused = |forgive_refusal| {
        let mut before = record(480_000);
        before.worked = Some(Worked { credentials: mark, at: 1, forgiven: false });
        let attempt = Attempt { forgive_refusal, ..attempt(&before, Plan::Login) };
        let after = settle(&before, &attempt, &failed(Class::Refused, "no"), NOW, DICE);
        (after.refused.is_some(), after.worked.is_some_and(|worked| worked.forgiven), after.strikes)
    };
    assert_eq!(refused(true), (false, true, 0));
    assert_eq!(refused(false), (true, false, 1));
}
