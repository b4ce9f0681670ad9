//! What can happen.

mod random;

use std::time::Duration;

use crate::pipeline::TransformStage;
use backstop_config::{
    FlushStrategy, Level, NamedPattern, Redaction, Routing, SampleKeep, SampleSettings,
    TransformSettings,
};
use backstop_scripted_sink::SinkBehaviour;

use super::parameter::Parameter;
pub(super) use random::{setup, step};

/// How the function is configured.
#[derive(Debug, Clone)]
pub(super) struct Setup {
    pub(super) strategy: FlushStrategy,
    pub(super) max_added: u64,
    pub(super) interval: u64,
    pub(super) buffer_max_bytes: usize,
    /// Which of primary, Firehose and S3 there are; never none.
    pub(super) sinks: [bool; 3],
    pub(super) has_spool: bool,
    /// How far the platform's clock is ahead of the extension's, in milliseconds.
    pub(super) ahead_ms: i64,
    /// What is posted during each shutdown.
    pub(super) at_shutdown: Vec<Output>,
    pub(super) shutdown_deadline: Deadline,
    /// The most records that one request to the primary has room for.
    pub(super) room: usize,
    /// The primary never takes one record in this number.
    pub(super) unfit_every: u64,
    pub(super) metrics: Metrics,
    pub(super) transforms: Rewriting,
    pub(super) routing: Routing,
    /// The function posts every second output by OTLP.
    pub(super) posts: bool,
    /// Where the transforms and the route are.
    pub(super) parameter: Parameter,
}

/// Whether a line with this number is in the embedded metric format where any is.
pub(super) fn may_be_metric(number: u64) -> bool {
    number.is_multiple_of(3)
}

/// What becomes of lines in the embedded metric format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Metrics {
    /// There are none.
    None,
    /// They are metrics, which have a link of their own to the primary.
    Moved,
    /// They stay logs, and a record is derived from each.
    Copied,
}

/// What is done to records before they are buffered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a dimension")]
pub(super) struct Rewriting {
    /// Lines of level DEBUG are dropped.
    pub(super) filters: bool,
    /// Each line has a [`SECRET`].
    pub(super) redacts: bool,
    /// The archive has the original of what was redacted.
    pub(super) keeps_originals: bool,
    /// No invocation is kept but those that fail.
    pub(super) samples: bool,
    /// Repeats of a line become one.
    pub(super) joins: bool,
    /// Lines are counted by their patterns.
    pub(super) counts: bool,
}

/// What no sink and no file may ever have.
pub(super) const SECRET: &str = "someone@example.com";

/// One thing that happens.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A sink changes its ways.
    Sink(usize, SinkBehaviour),
    Invoke(Invocation),
    /// The wall clock is set by this number of seconds.
    ClockJump(i64),
    /// The extension's clock is set by this number of milliseconds, and the platform's is not.
    ClockSkew(i64),
    /// The environment was restored from a snapshot.
    Restore,
    /// Lambda resets the environment: SHUTDOWN, and a new process with the same `/tmp`.
    Reset,
    /// What the function left running does something to `/tmp`.
    Tamper(Tampering),
}

/// What a function does to the files in `/tmp`, which are its own as well.
#[derive(Debug, Clone, Copy)]
pub(super) enum Tampering {
    /// It empties `/tmp`, as many do.
    Empty,
    /// It moves everything there somewhere else.
    Move,
    /// It removes or cuts what looks large.
    RemoveSpool,
    CutSpool,
    /// Only the counts.
    RemoveLedger,
}

#[derive(Debug, Clone)]
pub(super) struct Invocation {
    /// What the function writes.
    pub(super) output: Vec<Output>,
    /// What it does to `/tmp`, and before which output; after all of them where there are not so many.
    pub(super) tampers: Option<(usize, Tampering)>,
    /// How long the handler goes on after that.
    pub(super) rest: u64,
    /// What each body takes to be read once the handler has ended; 0: all of them are read as they come.
    pub(super) backlog: u64,
    /// How late the report of the runtime's end is.
    pub(super) runtime_done_late: u64,
    /// How long the environment is frozen afterwards.
    pub(super) gap: u64,
    /// Connections do not survive that freeze.
    pub(super) freeze_breaks: bool,
    pub(super) end: End,
    pub(super) runtime_done: RuntimeDone,
    pub(super) deadline: Deadline,
    /// The extension's clock is set by this number of milliseconds while the handler runs.
    pub(super) clock_skew: i64,
}

/// How the platform says that the runtime is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RuntimeDone {
    Once,
    /// Not at all.
    Never,
    /// While the next invocation runs.
    Late,
    /// Before the extension hears of the INVOKE.
    Before,
    /// Under an id that no INVOKE has named.
    Foreign,
    Twice,
}

/// What Lambda says of an event's deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deadline {
    Right,
    Missing,
    Past,
}

/// How an invocation ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    Done,
    /// The handler never ends: Lambda resets the environment.
    TimesOut,
    /// The process is killed this number of milliseconds after the beginning; this many bytes of the spool's
    /// tail never reached it.
    Killed(u64, u64),
    /// The same while the environment is frozen.
    KilledInFreeze,
}

/// A telemetry request with function records.
#[derive(Debug, Clone)]
pub(super) struct Output {
    pub(super) after: u64,
    pub(super) records: u64,
    pub(super) level: &'static str,
    /// Bytes of padding in each.
    pub(super) padding: usize,
}

impl Output {
    /// A line when it is too late for any.
    pub(super) const LAST: Self = Self {
        after: 0,
        records: 1,
        level: "ERROR",
        padding: 0,
    };
}

impl Setup {
    /// Whether an invocation leaves nothing behind while the sinks are well: it is held until all is sent,
    /// with time enough for that.
    pub(super) fn leaves_nothing(&self) -> bool {
        self.strategy == FlushStrategy::End && self.max_added >= 500
    }

    /// The transforms, as the extension would have them.
    pub(super) fn transforms(&self) -> TransformStage {
        let settings = TransformSettings {
            min_level: self.transforms.filters.then_some(Level::Info),
            redact: if self.transforms.redacts {
                vec![Redaction::Named(NamedPattern::Email)]
            } else {
                Vec::new()
            },
            archives_originals: self.transforms.keeps_originals,
            dedupe: self.transforms.joins,
            insights: self.transforms.counts,
            sample: self.transforms.samples.then(|| SampleSettings {
                millionths: 0,
                keep: SampleKeep {
                    error: true,
                    timeout: true,
                    ..SampleKeep::default()
                },
            }),
            ..TransformSettings::default()
        };
        TransformStage::new(&settings, &mut Vec::new())
    }

    /// Whether the function writes this line in the embedded metric format.
    pub(super) fn embeds(&self, number: u64) -> bool {
        self.metrics != Metrics::None && !self.transforms.joins && may_be_metric(number)
    }

    /// Whether the function posts this output, and does not write it.
    pub(super) fn is_posted(&self, output: &Output) -> bool {
        self.posts && output.after % 2 == 1
    }

    pub(super) fn max_added(&self) -> Duration {
        Duration::from_millis(self.max_added)
    }
}
