//! Signals to processes of the crowd, and to no other.

use std::collections::BTreeMap;
use std::process::Child;
use std::sync::atomic::Ordering;
use std::time::Duration;

use cdse_judge::Random;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use crate::crowd::{Crowd, lock};
use crate::{ANSWER, watch};

/// How many were sent, and what the kills met.
#[derive(Clone, Default, Debug)]
pub(crate) struct Sent {
    pub(crate) signals: BTreeMap<&'static str, u64>,
    /// Kills between what is about to be sent and what came of it: a refresh token may be spent.
    pub(crate) cut_renewals: u64,
    /// A session may be open that nobody knows.
    pub(crate) cut_logins: u64,
}

/// In ms; most stops are short.
pub(crate) const LONGEST_STOP: u64 = 2500;
const ASKING: [(Signal, &str); 3] = [(Signal::TERM, "TERM"), (Signal::INT, "INT"), (Signal::HUP, "HUP")];
/// A kill in an exchange costs everybody the session, so that few are of this kind: one in so many.
const KILLS: u64 = 24;

/// Ends processes, one after the other.
pub(crate) fn end(crowd: &Crowd<'_>, mut random: Random) {
    while !crowd.is_over() {
        pause(random.below(200));
        let process = aim(crowd, &mut random);
        let (signal, name) = match random.below(KILLS) {
            0 => (Signal::KILL, "KILL"),
            nth => ASKING[usize::try_from(nth % 3).unwrap()],
        };
        crowd.with(process, |running| {
            // The second one that asks a process to end would be a kill, and nobody is killed twice.
            if running.sent.contains(&Signal::KILL) || (signal != Signal::KILL && !running.sent.is_empty()) {
                return;
            }
            if signal == Signal::KILL {
                count_cut(crowd, &running.child);
            }
            send(&running.child, signal);
            running.sent.push(signal);
            count(crowd, name);
        });
    }
}

/// Stops processes for a while, one after the other.
pub(crate) fn stop(crowd: &Crowd<'_>, mut random: Random) {
    while !crowd.is_over() {
        pause(random.below(300));
        let process = aim(crowd, &mut random);
        let stopped = crowd.with(process, |running| {
            send(&running.child, Signal::STOP);
            count(crowd, "STOP");
        });
        if stopped {
            pause(if random.below(16) == 0 { LONGEST_STOP } else { random.below(300) });
            crowd.with(process, |running| send(&running.child, Signal::CONT));
        }
    }
}

/// Anybody, or twice as often whoever exchanges something, at some moment of it. As long as nobody is logged in nothing else
/// happens, and so it is anybody then.
fn aim(crowd: &Crowd<'_>, random: &mut Random) -> u32 {
    if random.below(3) == 0 {
        return crowd.anybody(random);
    }
    let moment = random.below(ANSWER);
    loop {
        match crowd.sight.exchanging.load(Ordering::SeqCst) {
            _ if crowd.is_over() => return 0,
            _ if !crowd.sight.logged_in.load(Ordering::SeqCst) => return crowd.anybody(random),
            0 => pause(1),
            process => {
                pause(moment);
                return process;
            }
        }
    }
}

/// Whether the kill that follows cuts an exchange: the process is stopped first, so that the record says it for sure.
fn count_cut(crowd: &Crowd<'_>, child: &Child) {
    send(child, Signal::STOP);
    // Until it has stopped, or is dead already; it is not waited for.
    let either = WaitIdOptions::STOPPED | WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(Pid::from_child(child)), either).unwrap();
    let record = watch::record(&crowd.place.session).ok().flatten();
    if let Some((process, logs_in)) = record.as_ref().and_then(watch::exchange)
        && process == child.id()
    {
        let mut sent = lock(&crowd.sent);
        *(if logs_in { &mut sent.cut_logins } else { &mut sent.cut_renewals }) += 1;
    }
}

fn count(crowd: &Crowd<'_>, name: &'static str) {
    *lock(&crowd.sent).signals.entry(name).or_default() += 1;
}

/// Its caller holds what must be held for this child to be waited for.
fn send(child: &Child, signal: Signal) {
    // It may have ended before.
    let _ = kill_process(Pid::from_child(child), signal);
}

/// Ends what still runs, as somebody does who goes home.
pub(crate) fn end_all(crowd: &Crowd<'_>) {
    crowd.with_all(|running| {
        if running.sent.is_empty() {
            send(&running.child, Signal::TERM);
            running.sent.push(Signal::TERM);
        }
        send(&running.child, Signal::CONT);
    });
}

pub(crate) fn pause(milliseconds: u64) {
    std::thread::sleep(Duration::from_millis(milliseconds));
}

/// Whether a process ended because of one of these signals.
pub(crate) fn ended_by(status: std::process::ExitStatus, sent: &[Signal]) -> bool {
    use std::os::unix::process::ExitStatusExt as _;
    let of = |signal: &Signal| status.signal() == Some(signal.as_raw()) || status.code() == Some(128 + signal.as_raw());
    sent.iter().any(of)
}
