//! What INT, TERM, HUP and Ctrl-Z do while a token may be exchanged.
//!
//! A one-time refresh token that was sent and whose successor was not saved is a lost session. So an exchange that is
//! under way is finished and saved, no other one begins, and then the process ends as the signal asked for.

#[cfg(unix)]
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(unix)]
use std::sync::{Arc, OnceLock};
use std::sync::{Mutex, MutexGuard, PoisonError};

use cdse_auth::blocking::TokenManager;

/// Whether a signal that was caught once does what it always does: whoever has stopped catching it cannot give it back to the
/// system.
#[cfg(unix)]
fn left_to_default() -> &'static Arc<AtomicBool> {
    static LEFT: OnceLock<Arc<AtomicBool>> = OnceLock::new();
    LEFT.get_or_init(Arc::default)
}

/// These do what they always do, except between [`catch`] and [`release`].
#[cfg(unix)]
pub(crate) fn leave_to_default(signals: &[i32]) {
    for signal in signals {
        // What cannot be registered keeps its default.
        let _ = signal_hook::flag::register_conditional_default(*signal, Arc::clone(left_to_default()));
    }
}

/// From now on somebody catches signals.
#[cfg(unix)]
pub(crate) fn catch() {
    left_to_default().store(false, Ordering::SeqCst);
}

/// Nobody catches signals any more.
#[cfg(unix)]
pub(crate) fn release() {
    left_to_default().store(true, Ordering::SeqCst);
}

/// From now on signals wait for a running exchange of `manager`; a second one ends the process at once.
///
/// It starts a thread, and so is called only when a request may follow.
pub(crate) fn protect(manager: &TokenManager) {
    protect_all(vec![manager.clone()]);
}

/// The same for several managers; to be called once.
#[cfg(unix)]
pub(crate) fn protect_all(managers: Vec<TokenManager>) {
    use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGTSTP};
    use signal_hook::iterator::Signals;
    use signal_hook::{flag, low_level};

    let ending: Vec<i32> = [SIGHUP, SIGINT, SIGTERM].into_iter().filter(|signal| !is_ignored(*signal)).collect();
    let again = Arc::new(AtomicBool::new(false));
    for signal in &ending {
        // In this order: the first signal sets what makes the second one final. What cannot be registered keeps its
        // default, which ends the process.
        let _ = flag::register_conditional_shutdown(*signal, 128 + signal, Arc::clone(&again));
        let _ = flag::register(*signal, Arc::clone(&again));
    }
    let stop = (!is_ignored(SIGTSTP)).then_some(SIGTSTP);
    let Ok(mut signals) = Signals::new(ending.into_iter().chain(stop)) else { return };
    catch();
    std::thread::spawn(move || {
        for signal in signals.forever() {
            if signal == SIGTSTP {
                between_exchanges(&managers, &|| {
                    let _ = low_level::emulate_default_handler(SIGTSTP);
                });
            } else {
                for manager in &managers {
                    let _ = manager.settle();
                }
                let _finished = hold_the_end();
                crate::report::passing::end();
                std::process::exit(128 + signal);
            }
        }
    });
}

/// Runs `action` while none of them exchanges anything.
#[cfg(unix)]
fn between_exchanges(managers: &[TokenManager], action: &dyn Fn()) {
    match managers {
        [] => action(),
        [first, others @ ..] => first.as_async().between_exchanges(|| between_exchanges(others, action)),
    }
}

static UNFINISHED: Mutex<()> = Mutex::new(());

/// As long as this is held a first signal does not end the process: what belongs to an exchange (the profile that points to
/// a new session) is finished too.
pub(crate) fn hold_the_end() -> MutexGuard<'static, ()> {
    UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Elsewhere a signal ends the process as it always does.
#[cfg(not(unix))]
pub(crate) fn protect_all(_: Vec<TokenManager>) {}

/// Waits for the signal's handler to end the process, where a call failed because of it.
pub(crate) fn wait_for_the_end() -> ! {
    loop {
        std::thread::park();
    }
}

/// Whether whoever started this process chose that the signal does nothing (`nohup`, a shell's background jobs).
#[cfg(unix)]
pub(crate) fn is_ignored(signal: i32) -> bool {
    // Linux says so in a file; elsewhere asking takes unsafe code, and the answer is taken to be no.
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return false };
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    u32::try_from(signal - 1).ok().and_then(|bit| mask.checked_shr(bit)).is_some_and(|shifted| shifted & 1 == 1)
}
