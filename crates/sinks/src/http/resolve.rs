//! Names to addresses, by the system's resolver on threads of our own.
//!
//! The system's look-up blocks, for as long as it likes. tokio's threads for such work panic where the
//! system refuses one (a function may have used them up), and keep the process from ending while one of
//! them is stuck. These do neither.
//!
//! Invariants: a thread that cannot be had is an error of the look-up; a name is looked up by one thread
//! at a time however often it is asked for, so that one with a silent name server leaves the threads to
//! the others; the first thread stays, so that later look-ups need none. Nothing is cached: the system's
//! resolver has the rules for that.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::dns::Name;
use tokio::sync::oneshot;
use tower_service::Service;

/// The primary, Firehose, S3 and a proxy.
const MOST_THREADS: usize = 4;
/// Names that wait for a thread; there are no more than hosts are configured.
const MOST_NAMES: usize = 64;
/// getaddrinfo and its modules want some ten KiB.
const STACK_BYTES: usize = 512 * 1024;

/// A name has no address that we know of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NoAddress;

impl fmt::Display for NoAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name could not be resolved")
    }
}

impl std::error::Error for NoAddress {}

type Addresses = Result<Vec<SocketAddr>, NoAddress>;
type LookUp = dyn Fn(&str) -> Addresses + Send + Sync;
type Spawn = dyn Fn(Box<dyn FnOnce() + Send>) -> bool + Send + Sync;

/// Looks names up.
#[derive(Clone)]
pub(super) struct Resolver(Arc<Inner>);

struct Inner {
    look_up: Box<LookUp>,
    spawn: Box<Spawn>,
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    /// Names that no thread has taken up yet.
    queue: VecDeque<String>,
    /// Who waits for a name, which is queued or being looked up.
    waiting: HashMap<String, Vec<oneshot::Sender<Addresses>>>,
    threads: usize,
    idle: usize,
}

impl Default for Resolver {
    fn default() -> Self {
        Self::with(
            |name| match (name, 0).to_socket_addrs() {
                Ok(addresses) => Ok(addresses.collect()),
                // What the system says of it may quote the name.
                Err(_) => Err(NoAddress),
            },
            |work| {
                let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
                builder.name("resolver".to_owned()).spawn(work).is_ok()
            },
        )
    }
}

impl Resolver {
    fn with(
        look_up: impl Fn(&str) -> Addresses + Send + Sync + 'static,
        spawn: impl Fn(Box<dyn FnOnce() + Send>) -> bool + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            look_up: Box::new(look_up),
            spawn: Box::new(spawn),
            state: Mutex::default(),
            work: Condvar::new(),
        }))
    }

    async fn resolve(self, name: String) -> Addresses {
        let answer = self.ask(&name)?;
        // A thread that ended without an answer has taken the sender with it.
        answer.await.unwrap_or(Err(NoAddress))
    }

    /// Has a thread look the name up, unless one does so already.
    fn ask(&self, name: &str) -> Result<oneshot::Receiver<Addresses>, NoAddress> {
        let (sender, receiver) = oneshot::channel();
        let mut state = self.0.state();
        if let Some(waiting) = state.waiting.get_mut(name) {
            waiting.retain(|sender| !sender.is_closed());
            waiting.push(sender);
            return Ok(receiver);
        }
        if state.queue.len() >= MOST_NAMES {
            return Err(NoAddress);
        }
        state.queue.push_back(name.to_owned());
        state.waiting.insert(name.to_owned(), vec![sender]);
        if state.idle >= state.queue.len() {
            self.0.work.notify_one();
            return Ok(receiver);
        }
        if state.threads < MOST_THREADS {
            let inner = self.0.clone();
            if (self.0.spawn)(Box::new(move || inner.work())) {
                state.threads += 1;
                return Ok(receiver);
            }
        }
        if state.threads > 0 {
            // One of those there are will come to it.
            return Ok(receiver);
        }
        state.queue.retain(|queued| queued != name);
        state.waiting.remove(name);
        Err(NoAddress)
    }
}

impl Inner {
    /// What a thread does: one name after the other. All but the last idle one end.
    fn work(&self) {
        let mut state = self.state();
        loop {
            if let Some(name) = state.queue.pop_front() {
                let is_wanted = |sender: &oneshot::Sender<_>| !sender.is_closed();
                if state
                    .waiting
                    .get(&name)
                    .is_some_and(|it| it.iter().any(is_wanted))
                {
                    drop(state);
                    let addresses = (self.look_up)(&name);
                    state = self.state();
                    for sender in state.waiting.remove(&name).into_iter().flatten() {
                        // A caller that no longer waits has no use for it.
                        drop(sender.send(addresses.clone()));
                    }
                } else {
                    state.waiting.remove(&name);
                }
            } else if state.idle > 0 {
                state.threads -= 1;
                return;
            } else {
                state.idle += 1;
                state = self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
                state.idle -= 1;
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Resolver")
    }
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = NoAddress;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NoAddress>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoAddress>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolving = self.clone().resolve(name.as_str().to_owned());
        Box::pin(async move { resolving.await.map(Vec::into_iter) })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    fn address() -> SocketAddr {
        ([192, 0, 2, 1], 0).into()
    }

    type Spawned = Arc<AtomicUsize>;

    /// Threads as long as `left` allows, and how many there are.
    fn threads(left: usize) -> (Spawned, Box<Spawn>) {
        let spawned = Arc::new(AtomicUsize::new(0));
        let counting = spawned.clone();
        let spawn = move |work: Box<dyn FnOnce() + Send>| {
            if counting.fetch_add(1, Ordering::Relaxed) >= left {
                counting.fetch_sub(1, Ordering::Relaxed);
                return false;
            }
            std::thread::spawn(work);
            true
        };
        (spawned, Box::new(spawn))
    }

    /// A look-up that says when it began and ends when it is let go; by name.
    fn gated() -> (Receiver<String>, Sender<()>, impl Fn(&str) -> Addresses) {
        let (began, beginnings) = channel();
        let (let_go, gate) = channel();
        let (began, gate) = (Mutex::new(began), Mutex::new(gate));
        let look_up = move |name: &str| {
            let began = began.lock().expect("no one panics").clone();
            began.send(name.to_owned()).map_err(|_| NoAddress)?;
            if name.starts_with("hangs") {
                let gate: std::sync::MutexGuard<'_, Receiver<()>> =
                    gate.lock().expect("no one panics");
                gate.recv().map_err(|_| NoAddress)?;
            }
            Ok(vec![address()])
        };
        (beginnings, let_go, look_up)
    }

    #[tokio::test]
    async fn a_name_is_looked_up_and_the_thread_stays_for_the_next() {
        let (spawned, spawn) = threads(1);
        let resolver = Resolver::with(
            |name| {
                if name == "known" {
                    Ok(vec![address()])
                } else {
                    Err(NoAddress)
                }
            },
            spawn,
        );
        for _ in 0..10 {
            assert_eq!(
                resolver.clone().resolve("known".to_owned()).await,
                Ok(vec![address()])
            );
            assert_eq!(
                resolver.clone().resolve("unknown".to_owned()).await,
                Err(NoAddress)
            );
        }
        assert_eq!(spawned.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn where_no_thread_can_be_had_the_look_up_fails_and_is_forgotten() {
        let resolver = Resolver::with(|_| Ok(vec![address()]), |_| false);
        for _ in 0..2 * MOST_NAMES {
            assert_eq!(
                resolver.clone().resolve("name".to_owned()).await,
                Err(NoAddress)
            );
        }
        let state = resolver.0.state();
        assert!(state.queue.is_empty() && state.waiting.is_empty());
    }

    #[tokio::test]
    async fn a_name_that_hangs_takes_one_thread_however_often_it_is_asked_for() {
        let (spawned, spawn) = threads(2);
        let (beginnings, let_go, look_up) = gated();
        let resolver = Resolver::with(look_up, spawn);
        let hanging: Vec<_> = (0..100)
            .map(|_| resolver.ask("hangs").expect("it is queued"))
            .collect();
        assert_eq!(beginnings.recv().as_deref(), Ok("hangs"));
        // Given up by all but one.
        let mut hanging = hanging.into_iter();
        let last = hanging.next_back().expect("there are a hundred");
        drop(hanging);
        assert_eq!(
            resolver.clone().resolve("other".to_owned()).await,
            Ok(vec![address()])
        );
        assert_eq!(spawned.load(Ordering::Relaxed), 2);
        let_go.send(()).expect("it waits");
        assert_eq!(last.await, Ok(Ok(vec![address()])));
        assert_eq!(
            beginnings.iter().take(1).collect::<Vec<_>>(),
            ["other"],
            "and nothing twice"
        );
    }

    #[tokio::test]
    async fn without_a_further_thread_a_name_waits_for_one_that_is_there() {
        let (_, spawn) = threads(1);
        let (beginnings, let_go, look_up) = gated();
        let resolver = Resolver::with(look_up, spawn);
        let first = resolver.ask("hangs").expect("it is queued");
        assert_eq!(beginnings.recv().as_deref(), Ok("hangs"));
        let given_up = resolver.ask("given up").expect("it is queued");
        let second = resolver.ask("second").expect("it is queued");
        drop(given_up);
        let_go.send(()).expect("it waits");
        assert_eq!(first.await, Ok(Ok(vec![address()])));
        assert_eq!(second.await, Ok(Ok(vec![address()])));
        assert_eq!(
            beginnings.recv().as_deref(),
            Ok("second"),
            "and not the one given up"
        );
    }
}
