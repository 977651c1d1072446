//! An identity service of one-time refresh tokens.

use std::sync::{Arc, Mutex};

use cdse_model::modelled;
use shuttle::sync::atomic::{AtomicBool, Ordering};

#[derive(Default)]
pub(crate) struct Service {
    state: Mutex<State>,
    point: AtomicBool,
}

#[derive(Default, Clone, Debug)]
pub(crate) struct State {
    pub(crate) sessions: Vec<Session>,
    /// Requests for tokens.
    pub(crate) asked: u32,
    pub(crate) refreshes: u32,
    /// Refresh tokens that were sent again after their successor had been issued.
    pub(crate) reused: u32,
    under_way: u32,
    pub(crate) most_at_once: u32,
    /// So many answers to come are 503.
    pub(crate) outages: u32,
}

#[derive(Clone, Debug)]
pub(crate) struct Session {
    pub(crate) open: bool,
    issued: u32,
}

impl Service {
    pub(crate) fn start() -> Arc<Self> {
        let service = Arc::new(Self::default());
        modelled::set_service(service.clone());
        service
    }

    pub(crate) fn state(&self) -> State {
        self.state.lock().unwrap().clone()
    }

    pub(crate) fn open_sessions(&self) -> usize {
        self.state().sessions.iter().filter(|session| session.open).count()
    }

    pub(crate) fn fail(&self, times: u32) {
        self.state.lock().unwrap().outages = times;
    }

    /// Here another thread may go on.
    fn pass(&self) {
        let _ = self.point.load(Ordering::SeqCst);
    }
}

impl State {
    fn tokens(&mut self, nth: usize) -> (u16, String) {
        let session = &mut self.sessions[nth];
        session.issued += 1;
        let issued = session.issued;
        let body = format!(
            r#"{{"access_token":"a.{nth}.{issued}","refresh_token":"r.{nth}.{issued}","expires_in":600,
                "refresh_expires_in":3600,"session_state":"s{nth}","token_type":"Bearer"}}"#
        );
        (200, body)
    }

    fn token(&mut self, form: &[(&str, &str)]) -> (u16, String) {
        self.asked += 1;
        if self.outages > 0 {
            self.outages -= 1;
            return (503, String::new());
        }
        let Some((nth, issued)) = parse(form) else {
            self.sessions.push(Session { open: true, issued: 0 });
            return self.tokens(self.sessions.len() - 1);
        };
        self.refreshes += 1;
        let session = &mut self.sessions[nth];
        if session.issued != issued {
            self.reused += 1;
            session.open = false;
        }
        if !session.open {
            return (400, r#"{"error":"invalid_grant","error_description":"Session not active"}"#.to_owned());
        }
        self.tokens(nth)
    }
}

/// The session and the number of a refresh token.
fn parse(form: &[(&str, &str)]) -> Option<(usize, u32)> {
    let (_, token) = form.iter().find(|(name, _)| *name == "refresh_token")?;
    let mut parts = token.split('.').skip(1);
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

impl modelled::Service for Service {
    fn answer(&self, endpoint: &str, form: &[(&str, &str)]) -> Option<(u16, String)> {
        self.pass();
        let answer = {
            let mut state = self.state.lock().unwrap();
            if endpoint == "logout" {
                if let Some((nth, _)) = parse(form) {
                    state.sessions[nth].open = false;
                }
                return Some((204, String::new()));
            }
            state.under_way += 1;
            state.most_at_once = state.most_at_once.max(state.under_way);
            state.token(form)
        };
        self.pass();
        self.state.lock().unwrap().under_way -= 1;
        Some(answer)
    }
}
