//! The table: what goes wrong, where, when, and in which flush strategy.

use std::fmt;
use std::time::Duration;

use backstop_simulator::{Dialect, Fault};
use backstop_tests::shim::Shim;

/// What is wrong with a sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SinkFault {
    /// Its server plays this fault.
    Fault(Fault),
    /// Its name does not resolve. A name is settled at the start, so this is for the whole run.
    UnknownName,
    /// Its name is looked up without an answer, for the whole run.
    SilentName,
    /// It takes calls and refuses some of their records, which only Firehose can.
    RefusedRecords,
}

/// The sink at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultySink {
    /// The fallbacks are healthy.
    Primary,
    /// The primary is down for the whole run, S3 is healthy.
    Firehose,
    /// Every other sink is down for the whole run, or not configured.
    S3,
}

/// When it is at fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultTime {
    /// From the first request to the end.
    Always,
    /// During some invocations in the middle.
    MidRun,
    /// After the last invocation, with everything still to be sent.
    AtShutdown,
}

impl FaultTime {
    /// The flush strategy in which the fault matters most then.
    fn strategy(self) -> &'static str {
        match self {
            Self::Always => "auto",
            Self::MidRun => "end",
            // Nothing goes out before its time.
            Self::AtShutdown => "periodic",
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) fault: SinkFault,
    pub(crate) sink: FaultySink,
    pub(crate) time: FaultTime,
    pub(crate) strategy: &'static str,
    /// The vendor whose intake is the primary; without, it takes lines of JSON.
    pub(crate) format: Option<Dialect>,
}

/// What the archive says of records that a primary never took.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Diverted {
    /// The reason of most of them.
    pub(crate) reason: &'static str,
    /// Reasons that others may have.
    pub(crate) also: &'static [&'static str],
    /// Whether some of them are dead letters; otherwise none is.
    pub(crate) is_dead: bool,
}

const SINKS: [FaultySink; 3] = [FaultySink::Primary, FaultySink::Firehose, FaultySink::S3];
const TIMES: [FaultTime; 3] = [FaultTime::Always, FaultTime::MidRun, FaultTime::AtShutdown];
/// The strategies besides `auto`, in which a primary that is at fault all the time is played as well.
const OTHER_STRATEGIES: [&str; 3] = ["end", "periodic", "continuous"];
/// Each status, and the reason for which the records of a primary that gives it are diverted.
const STATUSES: [(u16, &str); 21] = [
    (302, "redirected"),
    (307, "redirected"),
    (400, "rejected"),
    (401, "unauthorized"),
    (402, "payment_required"),
    (403, "unauthorized"),
    (404, "not_found"),
    (407, "unauthorized"),
    (408, "timeout"),
    (409, "conflict"),
    (410, "not_found"),
    (413, "too_large"),
    (415, "not_accepted"),
    (421, "not_accepted"),
    (422, "rejected"),
    (425, "throttled"),
    (429, "throttled"),
    (500, "server_error"),
    (502, "server_error"),
    (503, "server_error"),
    (504, "server_error"),
];
const FAULTS: [Fault; 16] = [
    Fault::Refuse,
    Fault::Tls,
    Fault::ExpiredCertificate,
    Fault::Reset,
    Fault::ResetInBody,
    Fault::ResetAfterBody,
    Fault::Hang,
    Fault::HangAfterHead(200),
    Fault::HangAfterHead(503),
    Fault::Drip,
    Fault::Interim,
    Fault::StatusWithRetryAfter(429, 30),
    Fault::ShortBody(200),
    Fault::ShortBody(503),
    Fault::EndlessBody(200),
    Fault::EndlessBody(500),
];

/// A limit that single records meet and whole batches do not, in compressed bytes.
const SOME_FIT: Fault = Fault::TooLarge { limit_bytes: 450 };
/// Faults whose effect depends on what is sent, which differs between the sinks.
const FAULTS_OF_PRIMARY: [Fault; 3] = [
    SOME_FIT,
    Fault::TooLarge { limit_bytes: 10 },
    Fault::Slow(Duration::from_millis(300)),
];

/// What the primary of each format goes through. The rest is the same whatever the format is.
const FAULTS_OF_FORMATS: [Fault; 7] = [
    Fault::Refuse,
    Fault::Hang,
    Fault::Reset,
    Fault::ResetAfterBody,
    Fault::Status(500),
    Fault::StatusWithRetryDate(429, 30),
    Fault::Page(200),
];

fn of_formats() -> impl Iterator<Item = Cell> {
    Dialect::ALL.into_iter().flat_map(|dialect| {
        FAULTS_OF_FORMATS.into_iter().flat_map(move |fault| {
            [FaultTime::MidRun, FaultTime::AtShutdown].map(|time| Cell {
                fault: SinkFault::Fault(fault),
                sink: FaultySink::Primary,
                time,
                strategy: time.strategy(),
                format: Some(dialect),
            })
        })
    })
}

/// Every cell there is.
pub(crate) fn all() -> impl Iterator<Item = Cell> {
    let statuses = STATUSES.map(|(code, _)| Fault::Status(code));
    let of_servers = FAULTS.into_iter().chain(FAULTS_OF_PRIMARY).chain(statuses);
    let faults = of_servers.map(SinkFault::Fault).chain([
        SinkFault::UnknownName,
        SinkFault::SilentName,
        SinkFault::RefusedRecords,
    ]);
    let cells = faults.flat_map(|fault| {
        let times = SINKS
            .into_iter()
            .flat_map(|sink| TIMES.map(|time| (sink, time, time.strategy())));
        let strategies =
            OTHER_STRATEGIES.map(|strategy| (FaultySink::Primary, FaultTime::Always, strategy));
        times
            .chain(strategies)
            .map(move |(sink, time, strategy)| Cell {
                fault,
                sink,
                time,
                strategy,
                format: None,
            })
    });
    cells.filter(|cell| cell.exists()).chain(of_formats())
}

impl Cell {
    fn exists(self) -> bool {
        match self.fault {
            SinkFault::Fault(fault) if FAULTS_OF_PRIMARY.contains(&fault) => {
                self.sink == FaultySink::Primary && self.time != FaultTime::AtShutdown
            }
            SinkFault::Fault(_) => true,
            SinkFault::UnknownName => self.time == FaultTime::Always,
            SinkFault::SilentName => self.time == FaultTime::Always && Shim::new().is_some(),
            // Neither the primary's format nor S3 knows a partial success.
            SinkFault::RefusedRecords => self.sink == FaultySink::Firehose,
        }
    }

    /// What the archive must say; none where the primary may have taken some of the records, or no reason is
    /// promised.
    pub(crate) fn diverted(self) -> Option<Diverted> {
        const OPEN: &[&str] = &["breaker_open"];
        if self.sink != FaultySink::Primary || self.time != FaultTime::Always {
            return None;
        }
        let (reason, also) = match self.fault {
            SinkFault::UnknownName => ("dns", OPEN),
            SinkFault::Fault(Fault::Status(code) | Fault::StatusWithRetryAfter(code, _)) => {
                let (_, reason) = STATUSES.into_iter().find(|(status, _)| *status == code)?;
                (reason, OPEN)
            }
            SinkFault::Fault(Fault::TooLarge { .. })
                if self.fault != SinkFault::Fault(SOME_FIT) =>
            {
                ("too_large", OPEN)
            }
            SinkFault::Fault(Fault::Refuse) => ("refused", &["breaker_open", "reset"][..]),
            SinkFault::Fault(Fault::ExpiredCertificate) => ("tls", OPEN),
            SinkFault::Fault(Fault::Reset) => ("reset", OPEN),
            SinkFault::Fault(Fault::Hang) => ("timeout", &["breaker_open", "no_budget"][..]),
            SinkFault::Fault(_) | SinkFault::SilentName | SinkFault::RefusedRecords => return None,
        };
        let is_dead = matches!(reason, "rejected" | "too_large");
        let also = if is_dead { &[] } else { also };
        Some(Diverted {
            reason,
            also,
            is_dead,
        })
    }

    /// Whether the log must say once what to fix.
    pub(crate) fn needs_advice(self) -> bool {
        let is_settings = matches!(self.fault, SinkFault::Fault(Fault::Status(401 | 403 | 404)));
        is_settings && self.diverted().is_some()
    }

    /// Whether the primary takes some of the records although it is at fault all the time.
    pub(crate) fn takes_some(self) -> bool {
        let takes = [SOME_FIT, Fault::ResetAfterBody].map(SinkFault::Fault);
        self.sink == FaultySink::Primary && takes.contains(&self.fault)
    }

    /// Whether no sink is healthy at the end. What is lost then must be counted.
    pub(crate) fn may_lose(self) -> bool {
        self.sink == FaultySink::S3 && self.time != FaultTime::MidRun
    }

    /// Whether the sink may take records without the extension hearing that it did.
    pub(crate) fn may_take_unheard(self) -> bool {
        matches!(
            self.fault,
            SinkFault::Fault(
                Fault::ResetAfterBody
                    | Fault::HangAfterHead(200)
                    | Fault::ShortBody(200)
                    | Fault::EndlessBody(200)
                    | Fault::Drip
            )
        )
    }

    /// Whether the primary takes each request and never says so.
    pub(crate) fn is_always_unheard(self) -> bool {
        self.fault == SinkFault::Fault(Fault::ResetAfterBody)
            && self.sink == FaultySink::Primary
            && self.time == FaultTime::Always
    }

    /// Whether requests reach the sink while it is in fault.
    pub(crate) fn is_asked(self) -> bool {
        match self.fault {
            SinkFault::Fault(fault) => !matches!(
                fault,
                Fault::Refuse | Fault::Tls | Fault::ExpiredCertificate
            ),
            SinkFault::UnknownName | SinkFault::SilentName => false,
            SinkFault::RefusedRecords => true,
        }
    }

    /// Whether servers must speak TLS for the fault to show.
    pub(crate) fn needs_tls(self) -> bool {
        matches!(
            self.fault,
            SinkFault::Fault(Fault::Tls | Fault::ExpiredCertificate)
        )
    }

    /// Whether a request must be long: to be refused in parts, or cut off in the middle.
    pub(crate) fn needs_long_lines(self) -> bool {
        matches!(
            self.fault,
            SinkFault::RefusedRecords | SinkFault::Fault(Fault::ResetInBody)
        )
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(dialect) = self.format {
            write!(formatter, "{}: ", dialect.name())?;
        }
        match self.fault {
            SinkFault::Fault(Fault::StatusWithRetryAfter(status, _)) => {
                write!(formatter, "{status} with Retry-After")?;
            }
            SinkFault::Fault(fault) => write!(formatter, "{fault}")?,
            SinkFault::UnknownName => formatter.write_str("unknown name")?,
            SinkFault::SilentName => formatter.write_str("silent name")?,
            SinkFault::RefusedRecords => formatter.write_str("refused records")?,
        }
        let sink = match self.sink {
            FaultySink::Primary => "primary",
            FaultySink::Firehose => "firehose",
            FaultySink::S3 => "s3",
        };
        let time = match self.time {
            FaultTime::Always => "always",
            FaultTime::MidRun => "mid-run",
            FaultTime::AtShutdown => "at shutdown",
        };
        write!(formatter, ", {sink}, {time}, {}", self.strategy)
    }
}
