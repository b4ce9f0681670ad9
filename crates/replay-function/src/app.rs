//! What the forms of an invocation share: the clients, the primary, the state, and the work on objects.
//!
//! Invariants: the primary's secrets are read once an environment and again after a refusal; objects that are
//! wanted in different ways never share a replay; an object outside of the archive is never read. Must not:
//! know what an invocation looks like.

use std::time::Duration;

use anyhow::Context as _;
use backstop_archive::{Filter, root};
use backstop_common::time::now_ms;
use backstop_config::ProcessEnvironment;
use backstop_replay::archive::{Archive, ArchiveOptions, Denied, Listed, Location};
use backstop_replay::queue::{Depth, Order, Queue, Wanted};
use backstop_replay::{
    Begin, Checkpoint, CheckpointStore, Left, Options, Outcome, Replayer, Selection, Subject,
    Summary, Target,
};
use futures_util::{StreamExt as _, stream};
use tokio::sync::{Mutex, OnceCell, watch};

use crate::aws::Clients;
use crate::settings::Settings;
use crate::state::State;

/// Stored bytes of an object that has a checkpoint: it may take longer than one invocation.
const LARGE: u64 = 32 * 1024 * 1024;
/// What is left of an invocation's time once no further request begins.
const RESERVE: Duration = Duration::from_secs(8);

/// Objects that are tried where AWS denies one.
const SAMPLES: usize = 4;

/// What the probe and messages cannot do without.
pub(crate) const NO_QUEUE: &str = "BACKSTOP_REPLAY_QUEUE_URL is not set: set it to the URL of the queue of \
    objects. Only batches of a Distributed Map need none";

/// Becomes true shortly before the invocation ends.
pub(crate) type Stop = watch::Receiver<bool>;

/// What an environment keeps from one invocation to the next.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) settings: Settings,
    pub(crate) clients: Clients,
    pub(crate) queue: Option<Queue>,
    pub(crate) dead_letters: Option<Queue>,
    target: Mutex<Option<Target>>,
    state: OnceCell<State>,
    depth: OnceCell<Depth>,
}

/// What became of one object.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) outcome: Outcome,
    pub(crate) summary: Summary,
}

impl App {
    /// With valid settings.
    pub(crate) fn new(settings: Settings) -> Self {
        let clients = Clients::new(&settings.aws, &settings.archive.region, &ProcessEnvironment);
        let queue = |url: &Option<String>| {
            let url = url.as_deref()?;
            Some(Queue::new(clients.sqs.clone(), url))
        };
        Self {
            queue: queue(&settings.queue_url),
            dead_letters: queue(&settings.dead_letter_url),
            settings,
            clients,
            target: Mutex::default(),
            state: OnceCell::new(),
            depth: OnceCell::new(),
        }
    }

    /// What is remembered between invocations.
    pub(crate) async fn state(&self) -> anyhow::Result<&State> {
        let open = || {
            State::open(
                &self.clients.s3,
                &self.settings.archive.bucket,
                &self.settings.state_prefix,
                self.settings.archive.kms_key_id.clone(),
            )
        };
        self.state.get_or_try_init(open).await
    }

    /// What does not change of the queue.
    pub(crate) async fn queue_facts(&self) -> anyhow::Result<&Depth> {
        let ask = || async {
            let queue = self.queue.as_ref();
            let queue = queue.context(NO_QUEUE)?;
            queue.depth().await
        };
        self.depth.get_or_try_init(ask).await
    }

    pub(crate) fn archive(&self) -> Archive {
        let archive = &self.settings.archive;
        let location = Location {
            bucket: archive.bucket.clone(),
            // With the version folder it is never taken for an object, which would be listed alone.
            prefix: root(archive.prefix.trim_matches('/')),
        };
        let options = ArchiveOptions {
            expected_owner: archive.expected_bucket_owner.clone(),
            requester_pays: false,
        };
        Archive::in_bucket(self.clients.s3.clone(), location, options)
    }

    /// The primary, and whether it was known before.
    async fn target(&self) -> anyhow::Result<(Target, bool)> {
        let mut known = self.target.lock().await;
        if let Some(target) = &*known {
            return Ok((target.clone(), true));
        }
        let mut target = Target::of_environment(&ProcessEnvironment)?;
        if target.has_references() {
            let function = Some(self.settings.function.as_str());
            target = Box::pin(target.with_secrets(&self.clients.shared, function)).await?;
        }
        *known = Some(target.clone());
        Ok((target, false))
    }

    /// Reads the primary's secrets again at the next use.
    pub(crate) async fn forget_target(&self) {
        *self.target.lock().await = None;
    }

    /// Why the primary takes no records at all, as far as one of this function's own shows it.
    pub(crate) async fn ask(&self) -> Result<(), String> {
        let target = self.target().await;
        let (target, _) = target.map_err(|error| format!("{error:#}"))?;
        target.ask(&self.settings.function).await
    }

    /// Whether AWS lets this function read other objects of the archive than these: then what it denies is of
    /// these, such as the key that encrypts them, and not of the role.
    pub(crate) async fn reads_others(&self, keys: &[&str]) -> bool {
        let archive = self.archive();
        let mut listing = archive.list(&Filter::default());
        while let Ok(Some(page)) = listing.next().await {
            let others = page.objects.iter();
            let others: Vec<&Listed> = others
                .filter(|it| !it.is_frozen && !keys.contains(&it.key.as_str()))
                .collect();
            // From all over the page: neighbours are of one function, and may have one key.
            let step = others.len().div_ceil(SAMPLES).max(1);
            for other in others.iter().step_by(step) {
                if archive.open(other).await.is_ok() {
                    return true;
                }
            }
            if !others.is_empty() {
                return false;
            }
        }
        false
    }

    /// Marks an object whose records were all sent; the error is what AWS still denies.
    pub(crate) async fn mark(&self, order: &Order) -> Result<(), String> {
        let target = self.target().await;
        let (target, _) = target.map_err(|error| format!("{error:#}"))?;
        let (archive, object) = (self.archive(), order.object());
        // It may have tags of others.
        let marked = archive.mark(&object, 1, target.digest(), self.settings.after);
        match marked.await {
            Err(error) if error.is::<Denied>() => Err(format!("{error:#}")),
            // Anything else is of this object: its message says so when it comes again.
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// Replays objects, and says what became of each, in their order. An error is of the primary's
    /// configuration or secrets: nothing was sent.
    pub(crate) async fn replay(&self, orders: &[Order], stop: &Stop) -> anyhow::Result<Vec<Done>> {
        let (target, was_known) = self.target().await?;
        let mut done = self.attempt(orders, &target, stop).await;
        let is_halted = |it: &Done| matches!(it.outcome, Outcome::Left(Left::Halted(_)));
        if !done.iter().any(is_halted) {
            return Ok(done);
        }
        self.forget_target().await;
        if !was_known || !target.has_references() {
            return Ok(done);
        }
        // The token may have been rotated since it was read. Where it cannot be read, what was done stays done.
        let Ok((target, _)) = self.target().await else {
            return Ok(done);
        };
        let left: Vec<usize> = (0..done.len()).filter(|at| is_halted(&done[*at])).collect();
        let again: Vec<Order> = left.iter().map(|at| orders[*at].clone()).collect();
        for (at, mut second) in left
            .into_iter()
            .zip(self.attempt(&again, &target, stop).await)
        {
            let first = std::mem::take(&mut done[at].summary);
            // The same records: what failed is not counted twice.
            second.summary.sent += first.sent;
            second.summary.sent_bytes += first.sent_bytes;
            done[at] = second;
        }
        if done.iter().any(is_halted) {
            self.forget_target().await;
        }
        Ok(done)
    }

    async fn attempt(&self, orders: &[Order], target: &Target, stop: &Stop) -> Vec<Done> {
        let mut done: Vec<Option<Done>> = orders.iter().map(|_| None).collect();
        let mut groups: Vec<(&Wanted, Vec<usize>)> = Vec::new();
        for (at, order) in orders.iter().enumerate() {
            if let Some(reason) = self.refused(order) {
                done[at] = Some(poison(reason));
            } else if order.bytes > LARGE || order.is_continued {
                done[at] = Some(self.large(order, target, stop).await);
            } else if let Some((_, group)) = groups.iter_mut().find(|it| *it.0 == order.wanted) {
                group.push(at);
            } else {
                groups.push((&order.wanted, vec![at]));
            }
        }
        for (wanted, group) in groups {
            let replayer = match self.replayer(wanted, target, stop, None) {
                Ok(replayer) => replayer,
                Err(reason) => {
                    for at in group {
                        done[at] = Some(poison(reason.clone()));
                    }
                    continue;
                }
            };
            let replayer = &replayer;
            let results = stream::iter(group).map(|at| async move {
                let (outcome, summary) = replayer.object(orders[at].object()).await;
                (at, Done { outcome, summary })
            });
            let results = results.buffer_unordered(self.settings.concurrency);
            let results: Vec<(usize, Done)> = results.collect().await;
            for (at, result) in results {
                done[at] = Some(result);
            }
        }
        done.into_iter().flatten().collect()
    }

    /// Why an object is not one for this function.
    fn refused(&self, order: &Order) -> Option<String> {
        let archive = self.archive();
        let is_of_archive =
            order.bucket == self.settings.archive.bucket && archive.holds(&order.key);
        (!is_of_archive).then(|| {
            format!(
                "the object is not part of the archive that this function replays, {}: send it to \
                 another function",
                archive.shown()
            )
        })
    }

    fn replayer(
        &self,
        wanted: &Wanted,
        target: &Target,
        stop: &Stop,
        checkpoint: Option<Checkpoint>,
    ) -> Result<Replayer, String> {
        let selection = Selection {
            archive: self.archive(),
            filter: wanted.filter()?,
        };
        let options = Options {
            batch_records: self.settings.batch_records,
            rates: self.settings.rates.clone(),
            after: self.settings.after,
            include_replayed: wanted.include_replayed,
            include_mirrored: wanted.include_mirrored,
            checkpoint,
            stop: Some(stop.clone()),
            ..Options::default()
        };
        Replayer::new(selection, target.clone(), options).map_err(|error| format!("{error:#}"))
    }

    /// An object that may take more than one invocation: what is acknowledged is written down.
    async fn large(&self, order: &Order, target: &Target, stop: &Stop) -> Done {
        let subject = Subject {
            target: target.shown_url().to_owned(),
            target_digest: target.digest().to_owned(),
            selection: order.subject(),
        };
        let store = CheckpointStore::Bucket {
            client: self.clients.s3.clone(),
            bucket: self.settings.archive.bucket.clone(),
            prefix: format!(
                "{}/checkpoints/{}",
                self.settings.state_prefix,
                subject.digest()
            ),
            alive: None,
        };
        let failed = |reason: String| Done {
            outcome: Outcome::Left(Left::Failed(reason)),
            summary: Summary::default(),
        };
        let checkpoint = match Checkpoint::open(&store, &subject, Begin::Continue).await {
            Ok(checkpoint) => checkpoint,
            // Another environment has it, as a rule: the message came twice.
            Err(error) => return failed(format!("{error:#}")),
        };
        let replayer = match self.replayer(&order.wanted, target, stop, Some(checkpoint)) {
            Ok(replayer) => replayer,
            Err(reason) => return poison(reason),
        };
        let (outcome, summary) = replayer.object(order.object()).await;
        let is_left = matches!(outcome, Outcome::Left(_));
        replayer.end(!is_left).await;
        Done { outcome, summary }
    }
}

pub(crate) fn poison(reason: String) -> Done {
    Done {
        outcome: Outcome::Poison(reason),
        summary: Summary::default(),
    }
}

/// What is left until a deadline, in milliseconds since 1970; none where there is none.
fn left(deadline: u64) -> Option<Duration> {
    let now = u64::try_from(now_ms()).unwrap_or_default();
    (deadline > 0).then(|| Duration::from_millis(deadline.saturating_sub(now)))
}

/// Becomes true in time before a deadline, in milliseconds since 1970; never where there is none.
pub(crate) fn stop_before(deadline: u64, most: Option<Duration>) -> Stop {
    let end = left(deadline).map(|left| left.saturating_sub(RESERVE.min(left / 3)));
    stop_after([end, most].into_iter().flatten().min())
}

/// Becomes true half-way to a deadline.
pub(crate) fn stop_half_way(deadline: u64) -> Stop {
    stop_after(left(deadline).map(|left| left / 2))
}

fn stop_after(left: Option<Duration>) -> Stop {
    let (sender, stop) = watch::channel(false);
    let Some(left) = left else {
        return stop;
    };
    tokio::spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(left) => {
                sender.send_replace(true);
            }
            // Nobody listens any more.
            () = sender.closed() => {}
        }
    });
    stop
}
