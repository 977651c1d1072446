//! What INT, TERM, HUP and Ctrl-Z do while a token may be exchanged.
//!
//! A one-time refresh token that was sent and whose successor was not saved is a lost session. So an exchange that is
//! under way is finished and saved, no other one begins, and then the process ends as the signal asked for.

#[cfg(unix)]
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(unix)]
use std::sync::{Arc, LazyLock};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(unix)]
use signal_hook::{SigId, iterator::Handle};

use cdse_auth::blocking::TokenManager;

/// Whether a signal that was caught once does what it always does: whoever has stopped catching it cannot give it back to the
/// system.
#[cfg(unix)]
static LEFT_TO_DEFAULT: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// These do what they always do, except while somebody catches signals.
#[cfg(unix)]
pub(crate) fn leave_to_default(signals: &[i32]) {
    for signal in signals {
        // What cannot be registered keeps its default.
        let _ = signal_hook::flag::register_conditional_default(*signal, Arc::clone(&LEFT_TO_DEFAULT));
    }
}

/// Whether from now on somebody catches signals.
#[cfg(unix)]
pub(crate) fn catch(caught: bool) {
    LEFT_TO_DEFAULT.store(!caught, Ordering::SeqCst);
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

    let ending = heeded([SIGHUP, SIGINT, SIGTERM]);
    let again = Arc::new(AtomicBool::new(false));
    let mut actions = Vec::new();
    for signal in &ending {
        // In this order: the first signal sets what makes the second one final. What cannot be registered keeps its
        // default, which ends the process.
        actions.extend(flag::register_conditional_shutdown(*signal, 128 + signal, Arc::clone(&again)));
        actions.extend(flag::register(*signal, Arc::clone(&again)));
    }
    let Ok(mut signals) = Signals::new(ending.into_iter().chain(heeded([SIGTSTP]))) else { return };
    *protection() = Some(Protection { handle: signals.handle(), actions, again });
    catch(true);
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

/// What `protect` has registered.
#[cfg(unix)]
struct Protection {
    handle: Handle,
    actions: Vec<SigId>,
    again: Arc<AtomicBool>,
}

#[cfg(unix)]
fn protection() -> MutexGuard<'static, Option<Protection>> {
    static PROTECTION: Mutex<Option<Protection>> = Mutex::new(None);
    PROTECTION.lock().unwrap_or_else(PoisonError::into_inner)
}

/// From now on signals end this process no more: somebody else catches them, and calls this when that has begun. Where one has
/// come before, which is told, its handler ends the process.
#[must_use]
pub(crate) fn unprotect() -> bool {
    #[cfg(unix)]
    if let Some(Protection { handle, actions, again }) = protection().take() {
        if again.load(Ordering::SeqCst) {
            return true;
        }
        for action in actions {
            signal_hook::low_level::unregister(action);
        }
        handle.close();
    }
    false
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

/// Without those of which whoever started this process chose that they do nothing (`nohup`, a shell's background jobs).
#[cfg(unix)]
pub(crate) fn heeded<const N: usize>(signals: [i32; N]) -> Vec<i32> {
    // Linux says so in a file; elsewhere asking takes unsafe code, and the answer is taken to be none.
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    signals.into_iter().filter(|signal| mask >> (signal - 1) & 1 == 0).collect()
}
