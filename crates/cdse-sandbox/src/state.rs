//! Everything that changes, behind one lock. A request holds it while the rules are applied and never while anything
//! is waited for.

use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::clock::Clock;
use crate::config::Config;
use crate::data::{Deliveries, Products};
use crate::endpoint::Endpoint;
use crate::fault::{Action, Queue};
use crate::host::Origins;
use crate::log::{Counters, Record, Request, Serial};
use crate::realm::{Realm, Seconds};

/// The path below which Keycloak lives.
pub(crate) const BASE_PATH: &str = "/auth";

/// The year 9999 is not reached.
const LAST: u64 = 250_000_000_000;

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) realm: Realm,
    pub(crate) deliveries: Deliveries,
    pub(crate) faults: Queue,
    pub(crate) record: Record,
    clock: Clock,
    offset: Duration,
}

impl Core {
    pub(crate) fn now(&self) -> SystemTime {
        self.clock.now() + self.offset
    }

    pub(crate) fn seconds(&self) -> Seconds {
        self.now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
    }

    /// The counters, with those that are looked at rather than counted.
    pub(crate) fn counters(&self) -> Counters {
        Counters { sessions_open: self.realm.sessions_open(self.seconds()), ..self.record.counters.clone() }
    }

    pub(crate) fn advance(&mut self, by: Duration) {
        // A calendar has an end, and a clock that is moved over and over stops there.
        let moved = self.offset.saturating_add(by);
        if self
            .clock
            .now()
            .checked_add(moved)
            .is_some_and(|now| now.duration_since(UNIX_EPOCH).is_ok_and(|since| since.as_secs() < LAST))
        {
            self.offset = moved;
        }
    }
}

/// What the server's thread and the handle share.
#[derive(Debug)]
pub(crate) struct Shared {
    core: Mutex<Core>,
    pub(crate) site: Site,
    pub(crate) latency: Duration,
}

/// What does not change.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) origins: Origins,
    pub(crate) products: Products,
}

impl Shared {
    pub(crate) fn new(config: &Config, origins: Origins) -> io::Result<Self> {
        let issuer = format!("{}{BASE_PATH}/realms/{}", origins.identity, Realm::NAME);
        let core = Core {
            realm: Realm::new(config, issuer)?,
            deliveries: Deliveries::default(),
            faults: Queue::default(),
            record: Record::new(config.log_capacity),
            clock: config.clock.clone(),
            offset: Duration::ZERO,
        };
        let site = Site { origins, products: Products::new(config.large_product_bytes) };
        Ok(Self { core: Mutex::new(core), site, latency: config.latency })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Core> {
        self.core.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a request into the log and says what goes wrong with it, if anything does.
    pub(crate) fn arrive(&self, mut request: Request) -> (Visit<'_>, Option<Action>) {
        let mut core = self.lock();
        let action = core.faults.take(request.endpoint, request.grant);
        if let Some(action) = &action {
            core.record.counters.faults_met += 1;
            request.fault = Some(action.name());
        }
        let token = request.endpoint == Endpoint::Token;
        if token {
            core.record.token_request_begins();
        }
        request.started = core.now();
        let serial = core.record.enter(request);
        (Visit { shared: self, serial, token }, action)
    }
}

/// A request under way. Dropping it, also because its client left, is its end.
#[derive(Debug)]
pub(crate) struct Visit<'a> {
    shared: &'a Shared,
    serial: Serial,
    token: bool,
}

impl Visit<'_> {
    pub(crate) fn processed(&self, core: &mut Core) {
        if let Some(entry) = core.record.entry(self.serial) {
            entry.processed = true;
        }
    }

    pub(crate) fn decided(&self, status: u16) {
        if let Some(entry) = self.shared.lock().record.entry(self.serial) {
            entry.status = Some(status);
        }
    }
}

impl Drop for Visit<'_> {
    fn drop(&mut self) {
        let mut core = self.shared.lock();
        if self.token {
            core.record.token_request_ends();
        }
        let now = core.now();
        if let Some(entry) = core.record.entry(self.serial) {
            entry.finished = Some(now);
        }
    }
}
