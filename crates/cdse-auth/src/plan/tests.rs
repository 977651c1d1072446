//! Runs `scenarios.txt`.

use super::*;
use crate::random::Random;

struct World {
    record: Record,
    anchor: Millis,
    now: Now,
    means: Means,
    password: &'static str,
    factor: &'static str,
    because: bool,
    /// The version that was stored when a caller began to want another token.
    called: Option<(Millis, Option<Fingerprint>, Version)>,
    remembered: Option<Fingerprint>,
    /// The exchange that the last question wanted.
    wanted: Option<Plan>,
    explicit: bool,
    client: bool,
    tokens: u32,
}

const DICE: Dice = Dice { jitter: 1000, backoff: 1000 };

impl World {
    fn new() -> Self {
        let now = Now { wall: 1_800_000_000_000, mono: 5_000_000 };
        Self {
            record: Record::new(None, &Random::seeded(1)),
            anchor: now.mono,
            now,
            means: Means { login: true, ..Means::default() },
            password: "first",
            factor: "none",
            because: false,
            called: None,
            remembered: None,
            wanted: None,
            explicit: false,
            client: false,
            tokens: 0,
        }
    }

    fn credentials(&self) -> [(&'static str, Secret); 2] {
        [("password", self.password.into()), ("second_factor", self.factor.into())]
    }

    fn own_refusals(&self) -> Vec<CredentialMark> {
        let refused = self.record.refused.iter().flat_map(|refused| &refused.marks);
        refused.filter(|mark| mark.is_of(&self.credentials())).copied().collect()
    }

    fn granted(&mut self, life: &str, refresh: &str) -> Granted {
        self.tokens += 1;
        Granted {
            access: Secret::new(format!("access-{}", self.tokens)),
            refresh: (refresh != "-").then(|| Secret::new(format!("refresh-{}", self.tokens))),
            session_id: None,
            life: seconds(life),
            refresh_life: Some(seconds(refresh.trim_matches('-'))).filter(|life| *life > 0),
        }
    }

    fn attempt(&self, plan: Plan) -> Attempt {
        Attempt {
            plan,
            sent: match plan {
                Plan::Refresh => Sent::Refresh(self.record.refresh_fingerprint().unwrap()),
                Plan::RefreshGiven => Sent::Refresh(self.means.given.clone().unwrap()),
                _ => Sent::Login,
            },
            begun: self.now,
            explicit: self.explicit,
            client: self.client,
            code: None,
            because: self.because,
            credentials: (plan == Plan::Login).then(|| CredentialMark::new(1, &self.credentials())),
            own_refusals: self.own_refusals(),
            was: self.record.mark.clone(),
            forgive_refusal: false,
            makes_room: false,
        }
    }

    fn exchange(&mut self, plan: Plan, outcome: Option<&Outcome>) {
        let attempt = self.attempt(plan);
        self.record = intent(&self.record, &attempt, "1@here");
        let Some(outcome) = outcome else { return };
        self.record = settle(&self.record, &attempt, outcome, self.now, DICE);
        if outcome.is_ok() {
            self.anchor = self.now.mono;
        }
    }

    fn question(&mut self, want: &Want) -> String {
        let view = View { record: &self.record, anchor: self.anchor, now: self.now, skew: 30_000 };
        let permit = view.permit(want, &self.means, |mark| mark.is_of(&self.credentials()));
        let plan = match &permit {
            Permit::Go(plan) => Some(*plan),
            _ => None,
        };
        let named = |plan: Option<Plan>| match plan {
            Some(Plan::Refresh) => "refresh",
            Some(Plan::RefreshGiven) => "given",
            Some(Plan::Login) => "login",
            _ => "nothing",
        };
        let offer = view.offer(want, &permit, PATIENCE);
        let answer = match (&offer, &permit) {
            (Offer::Refused(hold), _) | (Offer::Wait(_), Permit::Refused(hold)) => {
                hold.kind.word().expect("a known kind").code().replace('_', " ")
            }
            (Offer::Wait(_), Permit::StillRefused) => unreachable!("it is an error"),
            (Offer::Wait(_), Permit::UnderWay) => "somebody else is at it".to_owned(),
            (Offer::Serve, _) => "token".to_owned(),
            (Offer::ServeAndRenew, _) => format!("token, then {}", named(plan)),
            (Offer::Fail(error), _) => error.kind().code().replace('_', " "),
            (Offer::Wait(_), Permit::Held(hold)) => format!("held {}", shown(hold.until - self.now.wall)),
            (Offer::Wait(_), Permit::TooSoon) => "too soon".to_owned(),
            (Offer::Wait(_), Permit::Rests) => "not again yet".to_owned(),
            (Offer::Wait(_), Permit::Nothing) => "login required".to_owned(),
            (Offer::Wait(most), Permit::Go(_)) => format!("wait {} for {}", shown(*most), named(plan)),
        };
        self.wanted = plan;
        self.because = matches!(want, Want::Not(_));
        self.explicit = want.is_explicit_login();
        answer
    }

    fn step(&mut self, words: &[&str]) {
        match *words {
            ["provider", "password"] => {}
            ["provider", "client"] => self.client = true,
            ["provider", "stored"] => self.means.login = false,
            ["provider", "given"] => self.means = Means { given: Some(Fingerprint::of("given")), ..Means::default() },
            ["granted", life, refresh] => {
                let granted = self.granted(life, refresh);
                let given = self.means.given.is_some();
                self.exchange(if given { Plan::RefreshGiven } else { Plan::Login }, Some(&Ok(granted)));
            }
            ["elsewhere", life, refresh] => {
                let granted = self.granted(life, refresh);
                self.exchange(Plan::Refresh, Some(&Ok(granted)));
                self.anchor = anchor(&self.record, self.now);
            }
            ["logged-out"] => {
                self.record = self.record.next();
                self.record.tokens = None;
                self.record.out = true;
            }
            ["advance", by] => {
                self.now.wall += seconds(by);
                self.now.mono += seconds(by);
            }
            ["suspend" | "set-clock", by] => self.now.wall += seconds(by),
            ["remember"] => self.remembered = self.record.tokens.as_ref().map(|tokens| tokens.access.fingerprint()),
            ["other-password"] => self.password = "second",
            ["second-factor", which] => self.factor = if which == "totp" { "totp" } else { "asked" },
            ["calls"] => {
                let token = self.record.tokens.as_ref().map(|tokens| tokens.access.fingerprint());
                self.called = Some((self.now.wall, token, self.record.version()));
            }
            ["intent"] => {
                let plan = self.wanted.expect("an exchange was wanted");
                self.exchange(plan, None);
            }
            ["under-the-guard"] => {
                if let Some(judged) = abandoned(&self.record, self.client, DICE) {
                    self.record = judged;
                }
            }
            ["cleared"] => {
                let refresh = self.record.tokens.take().and_then(|tokens| tokens.refresh);
                self.record = self.record.next();
                self.record.to_end = refresh;
            }
            ["killed"] => {
                let plan = self.wanted.expect("an exchange was wanted");
                self.exchange(plan, None);
            }
            ["answer", "ok", life, refresh] => {
                let granted = self.granted(life, refresh);
                let plan = self.wanted.expect("an exchange was wanted");
                self.exchange(plan, Some(&Ok(granted)));
            }
            ["answer", how, ref rest @ ..] => {
                let (class, kind) = match how {
                    "503" => {
                        let plan = self.wanted.expect("an exchange was wanted");
                        let repeatable = self.attempt(plan).is_repeatable(&self.record);
                        let class = if repeatable { Class::Unsent } else { Class::Lost };
                        (class, ErrorKind::ServiceUnavailable)
                    }
                    "unsent" | "429" => (Class::Unsent, ErrorKind::ServiceUnavailable),
                    "lost" => (Class::Lost, ErrorKind::Network),
                    "dead" => (Class::Dead, ErrorKind::ReauthRequired),
                    "refused" => (Class::Refused, ErrorKind::CredentialsRefused),
                    "limit" => (Class::Limit, ErrorKind::SessionLimit),
                    "configuration" => (Class::Configuration, ErrorKind::Configuration),
                    _ => panic!("unknown answer {how}"),
                };
                let failure = Failure {
                    class,
                    error: Error::new(kind, "scripted"),
                    retry_after: rest.first().map(|text| seconds(text)),
                    words: String::new(),
                };
                let plan = self.wanted.expect("an exchange was wanted");
                self.exchange(plan, Some(&Err(failure)));
            }
            _ => panic!("unknown step {words:?}"),
        }
    }

    fn want(&self, words: &[&str]) -> Want {
        let current = || self.record.tokens.as_ref().map(|tokens| tokens.access.fingerprint()).expect("a token");
        match *words {
            ["get"] => Want::Fresh,
            ["renew"] => {
                let after = Some(self.record.version());
                Want::Renewal { since: self.now.wall, not: Some(current()), after }
            }
            ["renew-called"] => {
                let (since, not, after) = self.called.clone().expect("called");
                Want::Renewal { since, not, after: Some(after) }
            }
            ["refused"] => Want::Not(current()),
            ["refused-remembered"] => Want::Not(self.remembered.clone().expect("remembered")),
            ["login"] => Want::Session { since: self.now.wall },
            ["new-login"] => Want::NewSession { since: self.now.wall },
            ["valid", least] => Want::Validity(seconds(least)),
            _ => panic!("unknown question {words:?}"),
        }
    }
}

fn seconds(text: &str) -> Millis {
    if text.is_empty() { 0 } else { text.parse::<Millis>().expect(text) * SECOND }
}

fn shown(length: Millis) -> String {
    if length % SECOND == 0 { (length / SECOND).to_string() } else { format!("{}", length as f64 / 1000.0) }
}

#[test]
fn m2_the_plan_obeys_every_scenario() {
    let mut world = World::new();
    let (mut name, mut questions, mut wrong) = (String::new(), 0, Vec::new());
    for (number, line) in include_str!("scenarios.txt").lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix("scenario ") {
            (world, name) = (World::new(), title.to_owned());
        } else if let Some((question, expected)) = line.split_once(" -> ") {
            let want = world.want(&question.split(' ').collect::<Vec<_>>());
            let answer = world.question(&want);
            questions += 1;
            if answer != expected {
                wrong.push(format!("line {}, {name}: {question} -> {answer}, expected {expected}", number + 1));
            }
        } else {
            world.step(&line.split(' ').collect::<Vec<_>>());
        }
    }
    assert!(questions > 80, "only {questions} questions were read");
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

#[test]
fn m2_windows_are_those_of_the_model() {
    let windows = |life: i64| {
        let tokens = TokenSet::new("t", std::time::Duration::from_secs(life.unsigned_abs())).unwrap();
        Windows::of(&tokens, 30_000)
    };
    assert_eq!(windows(600), Windows { late: 30_000, due: 480_000, gap: 10_000, refusal_gap: 60_000 });
    assert_eq!(windows(60), Windows { late: 15_000, due: 37_500, gap: 10_000, refusal_gap: 15_000 });
    assert_eq!(windows(10), Windows { late: 2_500, due: 6_250, gap: 2_500, refusal_gap: 2_500 });
    assert_eq!(windows(1), Windows { late: 250, due: 625, gap: 1_000, refusal_gap: 250 });
}

#[test]
fn m10_no_record_makes_the_arithmetic_overflow() {
    let edges = [Millis::MIN, -1, 0, 1, 1_800_000_000_000, Millis::MAX];
    for t0 in edges {
        for refresh_life in edges {
            for now in [0, 1_800_000_000_000] {
                let mut record = Record::new(None, &Random::seeded(1));
                let mut tokens = TokenSet::new("t", std::time::Duration::from_secs(600)).unwrap();
                (tokens.t0, tokens.refresh_life) = (t0, Some(refresh_life));
                record.tokens = Some(tokens.with_refresh_token("r", None));
                record.tokens.as_mut().unwrap().refresh_life = Some(refresh_life);
                record.hard_end = Some(t0);
                let now = Now { wall: now, mono: 7 };
                let view = View { record: &record, anchor: anchor(&record, now), now, skew: 30_000 };
                let since = now.wall;
                for want in [
                    Want::Fresh,
                    Want::Renewal { since, not: None, after: None },
                    Want::Session { since },
                    Want::Validity(Millis::MAX),
                ] {
                    let permit = view.permit(&want, &Means { login: true, ..Means::default() }, |_| true);
                    let _ = view.offer(&want, &permit, PATIENCE);
                    assert!(view.left() <= 600_000, "a token lives no longer than its life");
                }
            }
        }
    }
}
