//! What a test has happen when a certain call comes: something of its own first, or a stop.
//!
//! Calls are counted as they come, retries too, from when the hook was set. Invariant: nothing of a
//! test's runs under a lock.

use std::fmt;
use std::sync::Arc;

use tokio::sync::Semaphore;

/// When a held call stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// Before anything is done.
    BeforeItIsDone,
    /// When it is done and only the answer is missing.
    BeforeItIsAnswered,
}

/// A call that stops. Dropping this lets it go on.
#[derive(Debug)]
pub struct Held(Arc<Gate>);

impl Held {
    /// Waits until the call is where it stops.
    pub async fn reached(&self) {
        // It is never closed, and the permit is given back.
        self.0.reached.acquire().await.ok();
    }

    /// Whether the call has yet to come or stops there now: not any more when its caller has left.
    pub fn is_waiting(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    /// Lets it go on.
    pub fn release(self) {
        drop(self);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.released.add_permits(1);
    }
}

#[derive(Debug)]
struct Gate {
    reached: Semaphore,
    released: Semaphore,
}

impl Gate {
    async fn pass(&self) {
        self.reached.add_permits(1);
        self.released.acquire().await.ok();
    }
}

type Action = Box<dyn FnOnce() + Send>;

enum Event {
    Run(Action),
    Stop(Moment, Arc<Gate>),
}

struct Hook {
    operation: String,
    subject: Option<String>,
    /// How many such calls there are until it is this one's turn.
    left: usize,
    event: Event,
}

/// Those that wait for their call.
#[derive(Default)]
pub(crate) struct Hooks(Vec<Hook>);

impl fmt::Debug for Hooks {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Hooks").field(&self.0.len()).finish()
    }
}

/// What is to happen with a call that has come.
#[derive(Default)]
pub(crate) struct Arrival {
    actions: Vec<Action>,
    stops: Stops,
}

/// Where a call stops.
#[derive(Default)]
pub(crate) struct Stops(Vec<(Moment, Arc<Gate>)>);

impl Arrival {
    /// Does what is the test's first.
    pub(crate) fn act(self) -> Stops {
        for action in self.actions {
            action();
        }
        self.stops
    }
}

impl Stops {
    /// Stops here for as long as the test wants.
    pub(crate) async fn pass(&self, now: Moment) {
        for (_, gate) in self.0.iter().filter(|(moment, _)| *moment == now) {
            gate.pass().await;
        }
    }
}

impl Hooks {
    pub(crate) fn run(&mut self, operation: &str, subject: &str, number: usize, action: Action) {
        self.push(operation, Some(subject), number, Event::Run(action));
    }

    pub(crate) fn hold(&mut self, operation: &str, number: usize, moment: Moment) -> Held {
        let gate = Arc::new(Gate {
            reached: Semaphore::new(0),
            released: Semaphore::new(0),
        });
        let event = Event::Stop(moment, Arc::clone(&gate));
        self.push(operation, None, number, event);
        Held(gate)
    }

    fn push(&mut self, operation: &str, subject: Option<&str>, number: usize, event: Event) {
        self.0.push(Hook {
            operation: operation.to_owned(),
            subject: subject.map(str::to_owned),
            left: number.max(1),
            event,
        });
    }

    /// A call has come: its hooks are used up.
    pub(crate) fn arrive(&mut self, operation: &str, subject: &str) -> Arrival {
        let mut arrival = Arrival::default();
        if self.0.is_empty() {
            return arrival;
        }
        // Of a function it is the name that counts, however it was written.
        let name = subject.split(":function:").last().unwrap_or(subject);
        let name = name.split(':').next().unwrap_or(name);
        let due = |hook: &mut Hook| {
            let wanted = hook.subject.as_deref();
            let is_it = hook.operation == operation
                && wanted.is_none_or(|wanted| wanted == subject || wanted == name);
            hook.left -= usize::from(is_it);
            hook.left == 0
        };
        for hook in self.0.extract_if(.., due) {
            match hook.event {
                Event::Run(action) => arrival.actions.push(action),
                Event::Stop(moment, gate) => arrival.stops.0.push((moment, gate)),
            }
        }
        arrival
    }
}
