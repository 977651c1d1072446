//! Faults: what goes wrong, where, and how often.

mod action;
mod json;

pub use action::{Action, Edit};

use std::collections::VecDeque;

use serde::Deserialize;

use crate::endpoint::{Endpoint, Grant};

/// One scripted misbehaviour. Faults wait in a queue; a request meets the first one that fits it, and at most one.
///
/// ```
/// use cdse_sandbox::{Action, Config, Fault, Grant, Sandbox};
///
/// let sandbox = Sandbox::start(Config::default())?;
/// // The next three refreshes are done, but their answers never arrive.
/// sandbox.script(Fault::token(Action::Reset { processed: true }).grant(Grant::RefreshToken).times(3));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug, Deserialize)]
// What JSON that is no fault is told it should be.
#[serde(deny_unknown_fields, expecting = "struct FaultJson")]
pub struct Fault {
    /// The endpoint whose requests meet it; [`Endpoint::Any`] is all of them.
    #[serde(default = "token")]
    pub endpoint: Endpoint,
    /// If set, only requests for this grant meet it.
    pub grant: Option<Grant>,
    /// How many requests meet it; `u32::MAX` is all of them until faults are cleared.
    #[serde(default = "once")]
    pub times: u32,
    /// What happens to them.
    pub action: Action,
}

fn token() -> Endpoint {
    Endpoint::Token
}

fn once() -> u32 {
    1
}

impl Fault {
    /// `action` for the next request to `endpoint`.
    pub fn new(endpoint: Endpoint, action: Action) -> Self {
        Self { endpoint, grant: None, times: 1, action }
    }

    /// `action` for the next token request.
    pub fn token(action: Action) -> Self {
        Self::new(Endpoint::Token, action)
    }

    /// Only for requests of this grant.
    #[must_use]
    pub fn grant(self, grant: Grant) -> Self {
        Self { grant: Some(grant), ..self }
    }

    /// For so many requests.
    #[must_use]
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// For all requests until faults are cleared.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(u32::MAX)
    }

    fn fits(&self, endpoint: Endpoint, grant: Option<Grant>) -> bool {
        (self.endpoint == Endpoint::Any || self.endpoint == endpoint) && (self.grant.is_none() || self.grant == grant)
    }
}

/// The faults that wait for their requests.
#[derive(Debug, Default)]
pub(crate) struct Queue(VecDeque<Fault>);

impl Queue {
    pub(crate) fn push(&mut self, fault: Fault) {
        if fault.times > 0 {
            self.0.push_back(fault);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// What happens to a request, if anything does.
    pub(crate) fn take(&mut self, endpoint: Endpoint, grant: Option<Grant>) -> Option<Action> {
        let index = self.0.iter().position(|fault| fault.fits(endpoint, grant))?;
        let fault = self.0.get_mut(index)?;
        let action = fault.action.clone();
        if fault.times != u32::MAX {
            fault.times -= 1;
            if fault.times == 0 {
                self.0.remove(index);
            }
        }
        Some(action)
    }
}
