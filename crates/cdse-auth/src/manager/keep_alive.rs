//! Renewals that nobody asked for: a session that must not run out while its owner is silent.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::core::Core;
use crate::clock::Millis;
use crate::error::{Error, ErrorKind, Result};
use crate::plan::{State, Want};
use crate::sync::{Arc, Weak, spawn};

/// How soon a renewal that failed for good is tried again, for somebody may have logged in elsewhere.
const RETRY: Millis = 60_000;

pub(super) fn start(core: &Arc<Core>) -> Result<()> {
    let core = Arc::downgrade(core);
    spawn("cdse-keep-alive", move || pollster::block_on(run(core))).map_err(|error| {
        Error::new(ErrorKind::Network, format!("no thread could be started to keep the session: {error}"))
    })
}

async fn run(core: Weak<Core>) {
    loop {
        let Some(alive) = core.upgrade() else { return };
        let Some(wait) = until_due(&alive) else {
            if Box::pin(alive.reach(Want::Fresh, None)).await.is_err() {
                if alive.shared().closing {
                    return;
                }
                let until = alive.clock.now().mono.saturating_add(RETRY);
                sleep(&core, alive, until).await;
            }
            continue;
        };
        let until = alive.clock.now().mono.saturating_add(wait);
        sleep(&core, alive, until).await;
    }
}

/// How long the token is fresh for; `None` if it is due.
fn until_due(core: &Arc<Core>) -> Option<Millis> {
    let _ = core.look();
    let shared = core.shared();
    let seen = shared.seen.clone()?;
    let view = shared.view(&seen, core, core.clock.now());
    let tokens = seen.record.tokens.as_ref()?;
    let due = view.windows()?.due;
    // A token that is being renewed behind the caller's back is served early: come back when that should be done.
    (view.state() == State::Fresh).then(|| (due - (tokens.life - view.left())).max(1))
}

/// Waits without keeping the manager alive.
async fn sleep(core: &Weak<Core>, alive: Arc<Core>, until: Millis) {
    drop(alive);
    Sleep { core, until, woken: false }.await;
}

struct Sleep<'a> {
    core: &'a Weak<Core>,
    until: Millis,
    woken: bool,
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(core) = self.core.upgrade() else { return Poll::Ready(()) };
        if self.woken || core.clock.now().mono >= self.until {
            return Poll::Ready(());
        }
        self.woken = true;
        core.shared().wakers.push(context.waker().clone());
        core.clock.wake_at(self.until, context.waker().clone());
        Poll::Pending
    }
}
