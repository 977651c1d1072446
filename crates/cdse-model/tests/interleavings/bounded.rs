//! Every schedule with at most so many preemptions, one after the other (Musuvathi and Qadeer, "Iterative context
//! bounding for systematic testing of multithreaded programs", PLDI 2007).
//!
//! A preemption takes the processor from a thread that could go on. Where a thread blocks, each of the others may follow
//! at no cost. A thread that yields, for it waits for time to pass, goes on when nobody else can, or at the cost of one
//! preemption at any other moment.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use shuttle::scheduler::{Schedule, Scheduler, Task, TaskId};
use shuttle::{Config, MaxSteps, Runner};

// Set by the scenario: what comes before and after its threads run side by side is not varied.
thread_local!(static VARIES: Cell<bool> = const { Cell::new(false) });

/// From now on schedules are varied.
pub(crate) fn begin() {
    VARIES.set(true);
}

/// From now on they are not.
pub(crate) fn end() {
    VARIES.set(false);
}

#[derive(Default, Clone, Copy)]
struct Tally {
    schedules: u64,
    longest: usize,
    threads: usize,
    complete: bool,
}

struct Bounded {
    preemptions: usize,
    most: u64,
    /// The choices of this schedule where there was one: how many there were, and which was taken.
    choices: Vec<(usize, usize)>,
    at: usize,
    spent: usize,
    steps: usize,
    yielded: VecDeque<TaskId>,
    tally: Arc<Mutex<Tally>>,
}

impl Bounded {
    fn choose(&mut self, options: &[(TaskId, usize)]) -> TaskId {
        if options.len() == 1 || !VARIES.get() {
            return options[0].0;
        }
        if self.at == self.choices.len() {
            self.choices.push((options.len(), 0));
        }
        let (known, taken) = self.choices[self.at];
        assert_eq!(known, options.len(), "the scenario is not the same each time");
        self.at += 1;
        self.spent += options[taken].1;
        options[taken].0
    }
}

impl Scheduler for Bounded {
    fn new_execution(&mut self) -> Option<Schedule> {
        let mut tally = self.tally.lock().unwrap();
        tally.longest = tally.longest.max(self.steps);
        if tally.schedules > 0 {
            while self.choices.last().is_some_and(|(known, taken)| taken + 1 == *known) {
                self.choices.pop();
            }
            let Some((_, taken)) = self.choices.last_mut() else {
                tally.complete = true;
                return None;
            };
            *taken += 1;
        }
        if tally.schedules == self.most {
            return None;
        }
        tally.schedules += 1;
        end();
        (self.at, self.spent, self.steps) = (0, 0, 0);
        self.yielded.clear();
        Some(Schedule::new(0))
    }

    fn next_task(&mut self, runnable: &[&Task], current: Option<TaskId>, is_yielding: bool) -> Option<TaskId> {
        self.steps += 1;
        let runnable: Vec<TaskId> = runnable.iter().map(|task| task.id()).collect();
        let mut tally = self.tally.lock().unwrap();
        tally.threads = tally.threads.max(runnable.iter().map(|id| usize::from(*id) + 1).max().unwrap_or(0));
        drop(tally);
        if let Some(current) = current.filter(|_| is_yielding) {
            self.yielded.push_back(current);
        }
        self.yielded.retain(|id| runnable.contains(id));
        if let Some(current) = current.filter(|id| cdse_model::is_releasing() && runnable.contains(id)) {
            return Some(current);
        }
        let awake = |id: &&TaskId| !self.yielded.contains(*id);
        let goes_on = current.filter(|current| !is_yielding && runnable.contains(current));
        let mut options: Vec<(TaskId, usize)> = match goes_on {
            Some(current) => vec![(current, 0)],
            None => runnable.iter().filter(awake).map(|id| (*id, 0)).collect(),
        };
        if options.is_empty() {
            // All wait for time to pass: in turn.
            let next = self.yielded.pop_front().unwrap_or(runnable[0]);
            return Some(next);
        }
        if self.spent < self.preemptions {
            let free: Vec<TaskId> = options.iter().map(|(id, _)| *id).collect();
            let others = runnable.iter().filter(|id| !free.contains(id) && (!is_yielding || Some(**id) != current));
            options.extend(others.map(|id| (*id, 1)));
        }
        let next = self.choose(&options);
        self.yielded.retain(|id| *id != next);
        Some(next)
    }

    fn next_u64(&mut self) -> u64 {
        0
    }
}

/// Runs `scenario` in every schedule with at most `preemptions` preemptions.
pub(crate) fn every_interleaving(name: &str, preemptions: usize, scenario: impl Fn() + Send + Sync + 'static) {
    let tally = Arc::new(Mutex::new(Tally::default()));
    let scheduler = Bounded {
        preemptions,
        most: u64::MAX,
        choices: Vec::new(),
        at: 0,
        spent: 0,
        steps: 0,
        yielded: VecDeque::new(),
        tally: Arc::clone(&tally),
    };
    let mut config = Config::new();
    config.stack_size = 1 << 20;
    config.max_steps = MaxSteps::FailAfter(100_000);
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(scenario);
    let tally = *tally.lock().unwrap();
    assert!(tally.complete);
    println!(
        "{name}: every schedule of {} threads with at most {preemptions} preemptions: {} of them, up to {} steps long",
        tally.threads, tally.schedules, tally.longest
    );
}
