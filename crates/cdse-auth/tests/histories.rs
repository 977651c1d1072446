//! Random histories of one account, and a reference of twenty lines that says what each call must give.
//!
//! `CDSE_MODEL_HISTORIES` is their number (60 unless said).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a surprise ends the test")]

mod support;

use std::time::Duration;

use cdse_auth::{ErrorKind, HeaderValue, Login, MemoryTokenStore, Result, blocking};
use cdse_sandbox::{Action, Fault, Rotation};
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner};
use support::{World, until, user};

const LIFE: i64 = 600;
const SESSION: i64 = 3600;
/// What went wrong may hold everybody back for so long.
const LONGEST_HOLD: i64 = 3700;

#[derive(Clone, Debug)]
enum Op {
    Header,
    Valid(u64),
    Refused,
    Renew,
    Login,
    NewSession,
    Logout,
    Clear,
    /// Another process takes over.
    Restart,
    Advance(u64),
    /// The service ends the session.
    End,
    Outage,
    Lost {
        processed: bool,
    },
    /// Callers with wants of their own at once, each a task of this process or another process.
    Together(Vec<(Want, bool)>),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Want {
    Header,
    Valid(u64),
    Refused,
    Renew,
    Login,
    NewSession,
}

impl Want {
    fn ask(self, manager: &blocking::TokenManager, current: &HeaderValue) -> Result<()> {
        match self {
            Self::Header => manager.authorization_header().map(drop),
            Self::Valid(least) => manager.header_for(Duration::from_secs(least)).map(drop),
            Self::Refused => manager.force_refresh_after(current).map(drop),
            Self::Renew => manager.force_refresh().map(drop),
            Self::Login => manager.login().map(drop),
            Self::NewSession => manager.force_login(),
        }
    }
}

fn want() -> impl Strategy<Value = Want> {
    prop_oneof![
        3 => Just(Want::Header),
        2 => (1_u64..900).prop_map(Want::Valid),
        2 => Just(Want::Refused),
        2 => Just(Want::Renew),
        1 => Just(Want::Login),
        1 => Just(Want::NewSession),
    ]
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        8 => Just(Op::Header),
        2 => (1_u64..900).prop_map(Op::Valid),
        3 => Just(Op::Refused),
        3 => Just(Op::Renew),
        2 => Just(Op::Login),
        1 => Just(Op::NewSession),
        1 => Just(Op::Logout),
        1 => Just(Op::Clear),
        2 => Just(Op::Restart),
        6 => prop_oneof![1_u64..30, 100_u64..700, 3000_u64..9000].prop_map(Op::Advance),
        1 => Just(Op::End),
        1 => Just(Op::Outage),
        1 => any::<bool>().prop_map(|processed| Op::Lost { processed }),
        4 => proptest::collection::vec((want(), any::<bool>()), 2..7).prop_map(Op::Together),
    ]
}

/// What may be said of a call before it is made.
#[derive(PartialEq, Debug)]
enum Expected {
    /// The token that is there.
    Same,
    /// One that was obtained by this call.
    New,
    Token,
    Error(ErrorKind),
    /// Something is wrong somewhere: a token or an error.
    Either,
}

/// The reference: what a user of the library may count on.
#[derive(Default)]
struct Reference {
    /// How old the token is, if there is one.
    age: Option<i64>,
    /// How long ago a refusal has caused an exchange.
    refused: Option<i64>,
    /// How long ago one may have.
    maybe_refused: Option<i64>,
    out: bool,
    trouble: i64,
}

impl Reference {
    fn expect(&self, op: &Op) -> Expected {
        let age = self.age.unwrap_or(LIFE);
        match op {
            _ if self.out && !matches!(op, Op::Login | Op::NewSession) => Expected::Error(ErrorKind::ReauthRequired),
            // A renewal that goes on behind the caller may be done before it.
            Op::Header if age < LIFE * 7 / 10 => Expected::Same,
            Op::Header if age < LIFE => Expected::Token,
            _ if self.trouble > 0 => Expected::Either,
            Op::Refused if self.refused.is_some_and(|ago| ago < LIFE / 10) => Expected::Error(ErrorKind::StillRefused),
            Op::Refused if self.maybe_refused.is_some_and(|ago| ago < LIFE / 10) => Expected::Either,
            Op::Header if age >= LIFE => Expected::New,
            Op::Valid(least) if i64::try_from(*least).unwrap() <= LIFE - age => Expected::Token,
            Op::Valid(_) if age < LIFE / 60 => Expected::Token,
            _ => Expected::New,
        }
    }
}

struct History {
    world: World,
    store: MemoryTokenStore,
    manager: blocking::TokenManager,
    reference: Reference,
    last: Option<HeaderValue>,
    faults: u64,
    reused: u64,
    scripted: u64,
    /// Sessions that nobody can end any more: opened by a login whose answer was lost.
    orphans: u64,
    cleared: bool,
    ended: bool,
}

impl History {
    fn new() -> Self {
        let world = World::with(|config| config.rotation = Rotation::OneTime);
        let store = MemoryTokenStore::new();
        let manager = Self::manager(&world, &store);
        let reference = Reference::default();
        Self {
            world,
            store,
            manager,
            reference,
            last: None,
            faults: 0,
            reused: 0,
            scripted: 0,
            orphans: 0,
            cleared: false,
            ended: false,
        }
    }

    fn manager(world: &World, store: &MemoryTokenStore) -> blocking::TokenManager {
        // On a clock that stands still the end of a hold never comes, however near it is: nobody waits for one.
        let patience = Duration::from_millis(1);
        world.builder(user()).store(store.clone()).patience(patience).build().unwrap().into()
    }

    /// Whatever was begun has ended, or waits for a hold.
    fn settle(&self) {
        until("it comes to rest", || {
            let status = self.manager.status();
            !status.renewing || status.hold.is_some()
        });
    }

    fn script(&mut self, fault: Fault) {
        self.world.sandbox.script(fault);
        self.scripted += 1;
        self.reference.trouble = self.reference.trouble.max(1);
    }

    fn play(&mut self, op: &Op) {
        let expected = self.reference.expect(op);
        let current = self.last.clone().unwrap_or(HeaderValue::from_static("Bearer none"));
        match op {
            Op::Header => self.check(op, &expected, self.manager.authorization_header()),
            Op::Valid(least) => self.check(op, &expected, self.manager.header_for(Duration::from_secs(*least))),
            // It knows the token that it names: another process may have renewed.
            Op::Refused if self.reference.age.is_some() => {
                let got = self.manager.force_refresh_after(&current);
                if got.as_ref().is_ok_and(|header| *header != current) {
                    self.reference.refused = Some(0);
                }
                self.check(op, &expected, got);
            }
            Op::Refused => {}
            Op::Renew => self.check(op, &expected, self.manager.force_refresh()),
            Op::Login => self.log_in(op),
            Op::NewSession => {
                if self.manager.force_login().is_ok() {
                    self.take_over(op);
                    self.ended = false;
                } else {
                    assert!(self.reference.trouble > 0, "{op:?} failed");
                    self.reference.out = false;
                }
            }
            Op::Logout => {
                self.manager.logout().unwrap();
                self.gone();
            }
            Op::Clear => {
                self.manager.clear().unwrap();
                let out = self.reference.out;
                self.gone();
                self.reference.out = out;
                self.cleared = true;
            }
            Op::Restart => {
                self.manager = Self::manager(&self.world, &self.store);
                self.reference.out = false;
            }
            Op::Advance(seconds) => {
                self.world.advance(*seconds);
                let seconds = i64::try_from(*seconds).unwrap();
                self.reference.age = self.reference.age.map(|age| age + seconds);
                self.reference.refused = self.reference.refused.map(|ago| ago + seconds);
                self.reference.maybe_refused = self.reference.maybe_refused.map(|ago| ago + seconds);
                let least = i64::from(self.scripted > self.faults);
                self.reference.trouble = (self.reference.trouble - seconds).max(least);
            }
            Op::End => {
                for session in self.world.sandbox.sessions() {
                    self.world.sandbox.end_session(&session.id);
                }
                (self.orphans, self.ended) = (0, true);
                self.reference.trouble = self.reference.trouble.max(SESSION + LONGEST_HOLD);
            }
            Op::Together(wants) => self.together(op, wants, &current),
            Op::Outage => self.script(Fault::token(Action::page(503))),
            Op::Lost { processed } => self.script(Fault::token(Action::Reset { processed: *processed })),
        }
        self.settle();
        // What was renewed behind the caller is there now.
        if let Some(header) = self.manager.as_async().fresh_header().filter(|header| self.last.as_ref() != Some(header))
        {
            (self.reference.age, self.last, self.ended) = (Some(0), Some(header), false);
        }
        // Whoever names a refused token risks one that may be spent; that ends the session and what it gave.
        let reused = self.world.sandbox.counters().reuse_detected;
        self.ended |= reused > self.reused;
        self.reused = reused;
        let met = self.world.sandbox.counters().faults_met;
        if met > self.faults {
            self.faults = met;
            self.orphans += 1;
            self.reference.trouble = self.reference.trouble.max(SESSION + LONGEST_HOLD);
        }
    }

    /// W: with a healthy service and a good credential no call fails.
    fn together(&mut self, op: &Op, wants: &[(Want, bool)], current: &HeaderValue) {
        let callers: Vec<_> = wants
            .iter()
            .map(|(want, elsewhere)| {
                let (want, current) = (*want, current.clone());
                let manager = if *elsewhere { Self::manager(&self.world, &self.store) } else { self.manager.clone() };
                let name = if *elsewhere { "elsewhere" } else { "here" };
                (want, name, std::thread::spawn(move || want.ask(&manager, &current)))
            })
            .collect();
        let (calm, out) = (self.reference.trouble == 0, self.reference.out);
        for (want, name, caller) in callers {
            let Err(error) = caller.join().unwrap() else { continue };
            let is_told = match error.kind() {
                ErrorKind::StillRefused => want == Want::Refused,
                // Only a login opens what this process has logged out of.
                ErrorKind::ReauthRequired => out && name == "here",
                _ => false,
            };
            assert!(!calm || is_told, "{want:?} {name} in {op:?}: {error}");
        }
        self.settle();
        self.reference.out &=
            !wants.iter().any(|(want, elsewhere)| matches!(want, Want::Login | Want::NewSession) && !elsewhere);
        // Another process may have logged in meanwhile, and is not out.
        let asked = if !self.reference.out {
            self.manager.authorization_header()
        } else if wants.iter().any(|(_, elsewhere)| *elsewhere) {
            Self::manager(&self.world, &self.store).authorization_header()
        } else {
            return;
        };
        match asked {
            Ok(header) => {
                if self.last.as_ref() != Some(&header) {
                    (self.reference.age, self.ended) = (Some(0), false);
                    self.last = Some(header);
                }
                let before = self.reference.refused.take().or(self.reference.maybe_refused);
                let now = wants.iter().any(|(want, _)| *want == Want::Refused).then_some(0);
                self.reference.maybe_refused = now.or(before);
            }
            Err(error) => assert!(!calm, "after {op:?}: {error}"),
        }
    }

    fn log_in(&mut self, op: &Op) {
        let before = self.world.sandbox.counters().logins_ok;
        match self.manager.login() {
            Ok(login) => {
                let opened = self.world.sandbox.counters().logins_ok > before;
                assert_eq!(login == Login::Opened, opened, "{op:?}");
                if opened {
                    self.take_over(op);
                } else {
                    self.reference.out = false;
                }
            }
            Err(error) => {
                assert!(self.reference.trouble > 0, "{op:?}: {error}");
                self.reference.out = false;
            }
        }
    }

    fn gone(&mut self) {
        (self.reference.age, self.last, self.reference.out, self.reference.refused) = (None, None, true, None);
    }

    /// After a login that opened a session.
    fn take_over(&mut self, op: &Op) {
        (self.reference.age, self.reference.out, self.ended) = (Some(0), false, false);
        let header = self.manager.authorization_header().unwrap_or_else(|error| panic!("after {op:?}: {error}"));
        assert!(self.world.accepts(&header), "after {op:?}");
        self.last = Some(header);
    }

    fn check(&mut self, op: &Op, expected: &Expected, got: Result<HeaderValue>) {
        match (expected, &got) {
            (Expected::Error(kind), Err(error)) => assert_eq!(error.kind(), *kind, "{op:?}: {error}"),
            (Expected::Same, Ok(header)) => {
                assert!(self.last.as_ref().is_none_or(|last| last == header), "{op:?} gave another token");
            }
            (Expected::New, Ok(header)) => assert_ne!(self.last.as_ref(), Some(header), "{op:?} gave the old token"),
            (Expected::Token | Expected::Either, Ok(_)) | (Expected::Either, Err(_)) => {}
            _ => panic!("{op:?} gave {got:?}, and {expected:?} was expected"),
        }
        let Ok(header) = got else { return };
        if self.last.as_ref() != Some(&header) {
            // It was obtained here, a moment ago: but for a renewal behind an earlier caller, which is no older.
            (self.reference.age, self.ended) = (Some(0), false);
            self.last = Some(header.clone());
        }
        assert!(self.ended || self.world.accepts(&header), "{op:?}: the service refuses the token");
    }

    fn check_service(&self) {
        let counters = self.world.sandbox.counters();
        assert!(counters.reuse_detected <= self.faults, "{counters:?}");
        assert_eq!(counters.totp_reused + counters.login_failures, 0, "{counters:?}");
        // One that was cleared is ended by the next login, however often that was.
        let most = 1 + self.orphans + u64::from(self.cleared);
        assert!(counters.sessions_open <= most, "{} orphans, {counters:?}", self.orphans);
        assert!(counters.max_concurrent_token_requests <= 1, "{counters:?}");
    }
}

fn histories() -> u32 {
    std::env::var("CDSE_MODEL_HISTORIES").map_or(60, |text| text.parse().expect("a number"))
}

#[test]
fn m5_every_history_is_one_that_the_reference_allows() {
    let config = Config { cases: histories(), failure_persistence: None, max_shrink_iters: 300, ..Config::default() };
    // The same ones each time; more of them are others.
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let strategy = proptest::collection::vec(op(), 1..60);
    let result = runner.run(&strategy, |ops| {
        let mut history = History::new();
        for op in &ops {
            history.play(op);
        }
        history.check_service();
        Ok(())
    });
    match result {
        Ok(()) => println!("{} histories", histories()),
        Err(TestError::Fail(why, ops)) => panic!("{why}: {ops:#?}"),
        Err(error) => panic!("{error}"),
    }
}
