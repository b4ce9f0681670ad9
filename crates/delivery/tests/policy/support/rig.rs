//! A chain and everything around it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use backstop_delivery::{
    Batch, BreakerState, Chain, ChainParts, Clock, Diverted, Jitter, LinkSettings, Notice,
    Observer, Phase, Role, SharedLedger, Signal, SinkName, Unfit, Wall, Window, WindowControl,
    WindowView,
};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::SinkBehaviour;
use super::sink::{Call, Kept, Script, ScriptedSink, SecretRead};

/// Wall time that runs with tokio's paused clock.
#[derive(Debug)]
pub(crate) struct PausedClock(Instant);

impl Clock for PausedClock {
    fn wall(&self) -> Wall {
        Wall(Duration::from_secs(1_700_000_000) + self.0.elapsed())
    }
}

/// Remembers each notice.
#[derive(Debug, Default)]
struct NoticeRecorder(Mutex<Vec<Notice>>);

impl Observer for NoticeRecorder {
    fn notice(&self, notice: Notice) {
        self.0.lock().unwrap().push(notice);
    }
}

/// A chain and everything around it.
pub(crate) struct Rig {
    pub(crate) chain: Arc<Chain>,
    pub(crate) ledger: SharedLedger,
    pub(crate) window: WindowControl,
    pub(crate) view: WindowView,
    scripts: BTreeMap<SinkName, Arc<Mutex<Script>>>,
    notices: Arc<NoticeRecorder>,
}

impl Rig {
    pub(crate) fn new(sinks: &[(SinkName, Role)]) -> Self {
        let any: Vec<_> = sinks
            .iter()
            .map(|&(name, role)| (name, role, None))
            .collect();
        Self::of_signals(&any)
    }

    /// Sinks that take one signal, or each.
    pub(crate) fn of_signals(sinks: &[(SinkName, Role, Option<Signal>)]) -> Self {
        let notices = Arc::<NoticeRecorder>::default();
        let ledger = SharedLedger::default();
        let mut scripts = BTreeMap::new();
        let links = sinks
            .iter()
            .map(|&(name, role, signal)| {
                let script = Arc::<Mutex<Script>>::default();
                scripts.insert(name, script.clone());
                LinkSettings {
                    sink: Box::new(ScriptedSink {
                        name,
                        script,
                        born: Instant::now(),
                    }),
                    role,
                    signal,
                    timeout: Duration::from_secs(5),
                }
            })
            .collect();
        let chain = Chain::new(ChainParts {
            links,
            ledger: ledger.clone(),
            clock: Arc::new(PausedClock(Instant::now())),
            observer: notices.clone(),
            jitter: Jitter::none(),
        });
        let start = Window {
            ends: Instant::now(),
            phase: Phase::Handler,
            epoch: 0,
        };
        let (window, view) = WindowControl::new(start);
        Self {
            chain: Arc::new(chain),
            ledger,
            window,
            view,
            scripts,
            notices,
        }
    }

    pub(crate) fn say(&self, sink: SinkName, say: SinkBehaviour) {
        self.script(sink).lock().unwrap().always = Some(say);
    }

    /// From now on the sink takes and refuses records in parts of this size.
    pub(crate) fn split(&self, sink: SinkName, records: usize) {
        self.scripts[&sink].lock().unwrap().records_in_a_part = Some(records);
    }

    /// From now on one request has room for this number of records.
    pub(crate) fn cap(&self, sink: SinkName, records: usize) {
        self.script(sink).lock().unwrap().most = Some(records);
    }

    /// From now on the sink would never take these.
    pub(crate) fn unfit(&self, sink: SinkName, records: &[(u64, Unfit)]) {
        self.script(sink).lock().unwrap().unfit = records.iter().copied().collect();
    }

    /// The sink needs a secret, of which its store says this in turn.
    pub(crate) fn keep<const N: usize>(&self, sink: SinkName, gives: [SecretRead; N]) {
        self.script(sink).lock().unwrap().kept = Some(Kept {
            in_turn: gives.into(),
            ..Kept::default()
        });
    }

    /// How often the secret was read.
    pub(crate) fn reads(&self, sink: SinkName) -> usize {
        let script = self.script(sink).lock().unwrap();
        script.kept.as_ref().map_or(0, |kept| kept.reads)
    }

    pub(crate) fn say_in_turn<const N: usize>(&self, sink: SinkName, says: [SinkBehaviour; N]) {
        self.script(sink).lock().unwrap().in_turn.extend(says);
    }

    pub(crate) async fn flush(
        &self,
        batches: Vec<Batch>,
        phase: Phase,
        window: Duration,
    ) -> Vec<Batch> {
        self.start_flush(batches, phase, window).await.unwrap()
    }

    /// Counts what is new as received, and flushes.
    pub(crate) fn start_flush(
        &self,
        batches: Vec<Batch>,
        phase: Phase,
        window: Duration,
    ) -> JoinHandle<Vec<Batch>> {
        let records: usize = batches.iter().map(Batch::len).sum();
        let pending = self.ledger.lock().pending();
        self.ledger
            .lock()
            .receive((records as u64).saturating_sub(pending));
        self.window.set(phase, Instant::now() + window);
        let (chain, view) = (self.chain.clone(), self.view.clone());
        tokio::spawn(async move { chain.flush(batches, &view).await })
    }

    pub(crate) async fn advance(&self, duration: Duration) {
        sleep(duration).await;
    }

    fn script(&self, sink: SinkName) -> &Arc<Mutex<Script>> {
        &self.scripts[&sink]
    }

    pub(crate) fn recorded(&self, sink: SinkName) -> Vec<Call> {
        self.script(sink).lock().unwrap().calls.clone()
    }

    pub(crate) fn resets(&self, sink: SinkName) -> usize {
        self.script(sink).lock().unwrap().resets
    }

    pub(crate) fn notices(&self) -> Vec<Notice> {
        self.notices.0.lock().unwrap().clone()
    }

    pub(crate) fn calls(&self, sink: SinkName) -> usize {
        self.recorded(sink).len()
    }

    pub(crate) fn ids(&self, sink: SinkName) -> Vec<String> {
        self.recorded(sink)
            .into_iter()
            .map(|call| call.id)
            .collect()
    }

    pub(crate) fn sequences(&self, sink: SinkName) -> Vec<Vec<u64>> {
        self.recorded(sink)
            .into_iter()
            .map(|call| call.sequences)
            .collect()
    }

    /// Why the records of each request are there, in their order.
    pub(crate) fn diverted(&self, sink: SinkName) -> Vec<Diverted> {
        let calls = self.recorded(sink);
        calls.iter().filter_map(|call| call.diverted).collect()
    }

    pub(crate) fn last_diverted(&self, sink: SinkName) -> Option<Diverted> {
        self.recorded(sink).last()?.diverted
    }

    pub(crate) fn breaker(&self, sink: SinkName) -> BreakerState {
        self.chain
            .breakers()
            .into_iter()
            .find(|(name, _)| *name == sink)
            .unwrap()
            .1
    }

    /// The ledger says exactly this, and adds up.
    #[track_caller]
    pub(crate) fn assert_delivered(&self, expected: &[(SinkName, u64)]) {
        let ledger = self.ledger.lock();
        for sink in [SinkName::Https, SinkName::Firehose, SinkName::S3] {
            let wanted = expected
                .iter()
                .find(|(name, _)| *name == sink)
                .map_or(0, |(_, count)| *count);
            assert_eq!(ledger.delivered(sink), wanted, "{sink}: {}", ledger.line());
        }
        assert!(ledger.adds_up(ledger.pending()), "{}", ledger.line());
    }
}
