//! Lambda: invokes, delivers telemetry, freezes, resets and kills; and holds the extension to its time.

mod backlog;
mod telemetry;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Duration;

use backstop_delivery::DropReason;
use tempfile::TempDir;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use backlog::Waiting;

use super::life::Life;
use super::rules::{self, Totals as Account};
use super::steps::{Deadline, End, Invocation, Output, RuntimeDone, Setup, Step, Tampering};
use super::tampering::{perform, tear};
use super::world::{Number, World};
use crate::lifecycle::api::Event;

/// The function's time-out.
const FUNCTION_TIMEOUT: Duration = Duration::from_secs(3);
/// What Lambda gives at shutdown before it kills.
pub(super) const SHUTDOWN: Duration = Duration::from_secs(2);
/// The resolution of tokio's timer, twice: one at either end.
const TICK: Duration = Duration::from_millis(2);
/// What is posted later than this after SHUTDOWN may come too late for a sink.
const IN_TIME: Duration = Duration::from_millis(600);

/// The environment, over all runs of the extension in it.
#[expect(
    clippy::struct_excessive_bools,
    reason = "facts that rules ask for one by one"
)]
pub(super) struct Lambda {
    setup: Setup,
    tmp: TempDir,
    pub(super) world: World,
    life: Life,
    next_number: Number,
    /// Of the invocation at hand.
    current: Vec<Number>,
    /// It is known to have failed.
    has_failed: bool,
    /// A post of it was refused.
    was_refused: bool,
    /// The end of an invocation was not reported in time in this run: the extension may no longer expect it.
    was_unheard: bool,
    next_request: u64,
    account: Account,
    /// How far the platform's clock is ahead of the extension's.
    ahead_ms: i64,
    /// The `platform.runtimeDone` of an earlier invocation, to be posted in the next one.
    late_runtime_done: Option<String>,
    /// What Lambda has to post when the extension gets to it.
    backlog: VecDeque<Waiting>,
    /// Since that was last empty a clock was set, or an end was told under an id that nobody knows: what is old looks
    /// like that of another clock.
    is_old_unknown: bool,
    /// How far the clocks were apart, at the most, in an invocation of this run of which telemetry was read late: its
    /// start perhaps after its end.
    apart_behind: Duration,
    /// No sink has been anything but well.
    are_sinks_well: bool,
    /// `/next` was once held until the deadline in this run: it must never be again.
    was_hold_useless: bool,
    /// The function has done something to `/tmp`, and the extension has had no reason to look since.
    is_tampered: bool,
    /// It has done so in this run, or before it.
    was_tampered: bool,
}

impl Lambda {
    pub(super) fn new(setup: &Setup) -> Self {
        let tmp = tempfile::tempdir_in(memory()).unwrap();
        let world = World::new(setup);
        let life = Life::start(setup, &world, tmp.path().join("backstop"));
        Self {
            setup: setup.clone(),
            tmp,
            world,
            life,
            next_number: 0,
            current: Vec::new(),
            has_failed: false,
            was_refused: false,
            was_unheard: false,
            next_request: 0,
            account: Account::default(),
            ahead_ms: setup.ahead_ms,
            late_runtime_done: None,
            backlog: VecDeque::new(),
            is_old_unknown: false,
            apart_behind: Duration::ZERO,
            are_sinks_well: true,
            was_hold_useless: false,
            is_tampered: false,
            was_tampered: false,
        }
    }

    fn directory(&self) -> PathBuf {
        self.tmp.path().join("backstop")
    }

    pub(super) async fn step(&mut self, step: &Step) {
        match step {
            Step::Sink(index, behaviour) => {
                self.are_sinks_well = false;
                self.world.set(*index, behaviour);
            }
            Step::ClockJump(seconds) => {
                self.is_old_unknown = true;
                self.world.shift_clock(seconds * 1000);
            }
            Step::ClockSkew(milliseconds) => self.skew_clocks(*milliseconds),
            Step::Restore => {
                let body = self.platform(
                    "platform.restoreStart",
                    r#""initializationType":"snap-start""#,
                );
                self.post(body);
            }
            Step::Reset => {
                self.shut_down("failure").await;
                self.restart();
            }
            Step::Tamper(tampering) => self.tamper(*tampering),
            Step::Invoke(invocation) => self.invoke_or_kill(invocation).await,
        }
        self.run_for(Duration::ZERO).await;
    }

    async fn invoke_or_kill(&mut self, invocation: &Invocation) {
        match invocation.end {
            // Without a spool nothing can be known of a run that was killed.
            End::Killed(at, torn) if self.setup.has_spool => {
                let at = Instant::now() + Duration::from_millis(at);
                tokio::select! {
                    biased;
                    () = sleep_until(at) => {}
                    () = self.invoke(invocation) => {}
                }
                self.kill(torn).await;
            }
            End::KilledInFreeze if self.setup.has_spool => {
                self.invoke(invocation).await;
                self.kill(0).await;
            }
            End::TimesOut => {
                self.invoke(invocation).await;
                self.shut_down("timeout").await;
                self.restart();
            }
            End::Done | End::Killed(..) | End::KilledInFreeze => self.invoke(invocation).await,
        }
    }

    async fn invoke(&mut self, invocation: &Invocation) {
        self.life.script.ready().await;
        self.invocation_is_over();
        self.next_request += 1;
        let request_id = format!("request-{}", self.next_request);
        let request = format!(r#""requestId":"{request_id}""#);
        let deadline = Instant::now() + FUNCTION_TIMEOUT;
        let deadline_ms = self.deadline_ms(invocation.deadline, FUNCTION_TIMEOUT);
        self.was_refused = false;
        let was_carried = !self.backlog.is_empty();
        self.is_old_unknown &= was_carried;
        let comes_first = invocation.runtime_done == RuntimeDone::Before;
        if comes_first {
            self.run_function(invocation, &request).await;
            let runtime_done = self.platform("platform.runtimeDone", &request);
            self.post(runtime_done);
            self.run_for(Duration::ZERO).await;
        }
        // What is this little may as well be the time that INVOKE took.
        let ahead = [self.ahead_ms, self.ahead_ms - invocation.clock_skew];
        let are_close = ahead.iter().any(|ahead| (1..=500).contains(&ahead.abs()));
        let invoked = Instant::now();
        self.life.script.send(Event::Invoke {
            request_id: request_id.clone(),
            deadline_ms,
        });
        let mut alive = invoked;
        if comes_first {
            self.run_for(Duration::ZERO).await;
        } else {
            alive = self.run_function(invocation, &request).await;
        }
        if invocation.end == End::TimesOut {
            sleep_until(deadline).await;
            self.has_failed |= !comes_first;
            return;
        }
        let done = Instant::now();
        let was_behind = !self.backlog.is_empty();
        self.note_clocks(was_behind, ahead);
        self.post_runtime_done(invocation, &request).await;
        if was_behind {
            alive = self.catch_up(invocation).await;
        }
        let is_far = was_behind && self.is_far(was_carried, [invoked, done, alive]);
        let longest = FUNCTION_TIMEOUT * 3 + self.error_of_timeout();
        let ready = timeout(longest, self.life.script.ready())
            .await
            .expect("never ready again");
        let late = Duration::from_millis(invocation.runtime_done_late);
        match invocation.runtime_done {
            RuntimeDone::Once | RuntimeDone::Twice | RuntimeDone::Foreign | RuntimeDone::Before => {
                let agree = self.clocks_agree();
                let most = match was_behind {
                    true => self.most_behind(invocation) + late,
                    false if agree => self.setup.max_added().max(late),
                    false => self.setup.max_added() + late,
                };
                let added = ready.saturating_duration_since(done);
                // Until the start was read, old telemetry looks like that of another clock.
                let is_old_unknown = !agree || self.is_old_unknown;
                assert!(
                    added <= most + TICK || (was_behind && is_old_unknown),
                    "added {added:?}, at most {most:?}"
                );
                // Each request takes its time: in so small ones nobody gets through a burst.
                let is_narrow = self.setup.room != usize::MAX;
                // An event under another id says nothing of the records that wait for the decision on this one.
                let is_decided = !self.setup.transforms.samples
                    || invocation.runtime_done != RuntimeDone::Foreign;
                // Without a deadline, or an end to expect, the hold follows signs of life, and a post that is refused
                // is none.
                let is_bounded = invocation.deadline == Deadline::Right && !self.was_unheard;
                let is_heard = is_bounded || !self.was_refused;
                let is_known = self.setup.parameter.is_well();
                let is_easy =
                    !is_far && !are_close && !is_narrow && is_decided && is_heard && is_known;
                if self.are_sinks_well && self.setup.leaves_nothing() && is_easy {
                    rules::nothing_is_pending(&self.life.ledger.lock());
                }
            }
            RuntimeDone::Never | RuntimeDone::Late => {
                self.was_unheard = true;
                let most = self.setup.max_added();
                let held = ready.saturating_duration_since(alive);
                let is_bounded = held <= most + TICK;
                let latest = deadline + self.error_of_timeout();
                assert!(ready <= latest, "held over the function's timeout");
                assert!(
                    is_bounded || !self.was_hold_useless,
                    "held {held:?} again without an event, at most {most:?}"
                );
                let to_the_end = ready + Duration::from_millis(100) >= deadline;
                self.was_hold_useless |= !is_bounded && to_the_end;
            }
        }
        self.report(invocation, &request).await;
    }

    /// The records since the last call were of one invocation.
    fn invocation_is_over(&mut self) {
        let numbers = std::mem::take(&mut self.current);
        if std::mem::take(&mut self.has_failed) {
            self.account.precious.extend(numbers);
        }
    }

    fn tamper_at(&mut self, invocation: &Invocation, moments: std::ops::RangeInclusive<usize>) {
        match invocation.tampers {
            Some((at, tampering)) if moments.contains(&at) => self.tamper(tampering),
            _ => {}
        }
    }

    fn tamper(&mut self, tampering: Tampering) {
        let directory = self.directory();
        self.is_tampered |= directory.exists();
        self.was_tampered |= directory.exists();
        perform(tampering, &directory);
    }

    /// Wall time goes on, and nothing else.
    fn freeze(&mut self, gap: u64, breaks: bool) {
        self.life.check_task();
        self.check_spool();
        self.world.shift_clock(i64::try_from(gap).unwrap());
        if breaks {
            self.world.break_connections();
        }
    }

    /// Once the extension is ready, a freeze may come.
    fn check_spool(&self) {
        if self.setup.has_spool && !self.is_tampered {
            rules::nothing_waits_in_memory_only(&self.life.ledger, &self.directory(), &self.world);
        }
    }

    async fn shut_down(&mut self, reason: &str) {
        self.invocation_is_over();
        let sent = Instant::now();
        self.life.script.send(Event::Shutdown {
            shutdown_reason: reason.to_owned(),
            deadline_ms: self.deadline_ms(self.setup.shutdown_deadline, SHUTDOWN),
        });
        self.post_backlog();
        let mut last_taken = sent;
        for output in self.setup.at_shutdown.clone() {
            let after = Duration::from_millis(output.after);
            if timeout(after, &mut self.life.task).await.is_ok() {
                break;
            }
            if !self.has_failed {
                // An invocation that has ended is decided: an error keeps what comes after it.
                self.current.clear();
            }
            if self.write(&output) {
                last_taken = Instant::now();
            }
        }
        if !self.life.task.is_finished() {
            let ended = timeout(SHUTDOWN + FUNCTION_TIMEOUT, &mut self.life.task).await;
            ended.expect("killed at shutdown").unwrap();
        }
        self.invocation_is_over();
        assert!(!self.write(&Output::LAST), "taken when nobody was left");
        let is_known = self.setup.parameter.is_well();
        if self.world.has_usable_sink(&self.setup) && is_known && last_taken <= sent + IN_TIME {
            rules::nothing_is_given_up(&self.life.ledger.lock());
        }
        self.account.close(&self.life.ledger.lock());
    }

    async fn kill(&mut self, torn: u64) {
        self.invocation_is_over();
        self.life.check_task();
        self.life.task.abort();
        drop((&mut self.life.task).await);
        yield_now().await;
        self.world.forget();
        // Acknowledged, and not yet looked at: the one moment in which a kill leaves no trace.
        while let Some(body) = self.life.inbox.pop() {
            for number in self.numbers_in(&String::from_utf8_lossy(&body)) {
                self.account.emitted.remove(&number);
            }
        }
        while let Some(posted) = self.life.inbox.pop_posted() {
            for fragment in posted.fragments {
                for number in self.numbers_in(&String::from_utf8_lossy(&fragment)) {
                    self.account.emitted.remove(&number);
                }
            }
        }
        if torn > 0 {
            tear(&self.directory().join("spool"), torn);
        }
        // What is counted as lost by a kill may be at a sink: the files that would have told are gone.
        self.account.is_blind |= self.was_tampered;
        if std::mem::take(&mut self.is_tampered) {
            self.account
                .destroyed(&self.life.ledger.lock(), &self.directory(), &self.world);
        }
        self.account.kills += 1;
        self.restart();
    }

    fn restart(&mut self) {
        self.is_tampered = false;
        self.life = Life::start(&self.setup, &self.world, self.directory());
        self.late_runtime_done = None;
        self.backlog.clear();
        self.apart_behind = Duration::ZERO;
        self.was_hold_useless = false;
        self.was_unheard = false;
    }

    /// The extension's clock is set, and the platform's is not.
    fn skew_clocks(&mut self, milliseconds: i64) {
        self.is_old_unknown |= milliseconds != 0;
        self.world.shift_clock(milliseconds);
        self.ahead_ms -= milliseconds;
    }

    /// `ahead` is how far the platform's clock may have been ahead.
    fn note_clocks(&mut self, was_behind: bool, ahead: [i64; 2]) {
        if was_behind {
            let apart = ahead.map(i64::unsigned_abs).into_iter().max();
            let apart = Duration::from_millis(apart.unwrap_or_default());
            self.apart_behind = self.apart_behind.max(apart);
        }
    }

    /// A timeout that no start has told in time is known by the extension's clock alone, by as much as that differed.
    fn error_of_timeout(&self) -> Duration {
        self.apart_behind
    }

    fn clocks_agree(&self) -> bool {
        self.ahead_ms == 0
    }

    /// The environment ends for good, and every rule must hold.
    /// Says how many records the last shutdown gave up.
    pub(super) async fn end(mut self) -> u64 {
        let reason = if self.next_number.is_multiple_of(2) {
            "spindown"
        } else {
            "failure"
        };
        self.shut_down(reason).await;
        let given_up = self.life.ledger.lock().dropped(DropReason::Shutdown);
        // What still was under way at the other end comes to rest.
        sleep(Duration::from_secs(10)).await;
        let directory = self.directory();
        rules::every_record_is_accounted_for(
            &self.setup,
            &mut self.account,
            &self.world,
            &directory,
        );
        given_up
    }

    async fn run_for(&self, duration: Duration) {
        sleep(duration).await;
        for _ in 0..8 {
            yield_now().await;
        }
        self.life.check_task();
    }
}

/// A directory in memory, where there is one: a disk would take most of the time.
fn memory() -> PathBuf {
    let shared = Path::new("/dev/shm");
    if shared.is_dir() {
        shared.to_owned()
    } else {
        std::env::temp_dir()
    }
}
