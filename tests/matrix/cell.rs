//! The table: what goes wrong, where, and when.

use std::fmt;

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

/// The sink in trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultySink {
    /// The fallbacks are well.
    Primary,
    /// The primary is down for the whole run, S3 is well.
    Firehose,
    /// Every other sink is down for the whole run, or not configured.
    S3,
}

/// When it is in trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FaultTime {
    /// From the first request to the end.
    Always,
    /// During some invocations in the middle.
    MidRun,
    /// After the last invocation, with everything still to be sent.
    AtShutdown,
}

/// One case.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Cell {
    pub(crate) trouble: SinkFault,
    pub(crate) place: FaultySink,
    pub(crate) moment: FaultTime,
    /// The vendor whose intake is the primary; without, it takes lines of JSON.
    pub(crate) format: Option<Dialect>,
}

const PLACES: [FaultySink; 3] = [FaultySink::Primary, FaultySink::Firehose, FaultySink::S3];
const MOMENTS: [FaultTime; 3] = [FaultTime::Always, FaultTime::MidRun, FaultTime::AtShutdown];
const STATUSES: [u16; 21] = [
    302, 307, 400, 401, 402, 403, 404, 407, 408, 409, 410, 413, 415, 421, 422, 425, 429, 500, 502,
    503, 504,
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
            [FaultTime::MidRun, FaultTime::AtShutdown].map(|moment| Cell {
                trouble: SinkFault::Fault(fault),
                place: FaultySink::Primary,
                moment,
                format: Some(dialect),
            })
        })
    })
}

/// Every cell there is.
pub(crate) fn all() -> impl Iterator<Item = Cell> {
    let statuses = STATUSES.map(Fault::Status);
    let faults = FAULTS.into_iter().chain(statuses).map(SinkFault::Fault);
    let troubles = faults.chain([
        SinkFault::UnknownName,
        SinkFault::SilentName,
        SinkFault::RefusedRecords,
    ]);
    let cells = troubles.flat_map(|trouble| {
        PLACES.into_iter().flat_map(move |place| {
            MOMENTS.map(|moment| Cell {
                trouble,
                place,
                moment,
                format: None,
            })
        })
    });
    cells.filter(|cell| cell.exists()).chain(of_formats())
}

impl Cell {
    fn exists(self) -> bool {
        match self.trouble {
            SinkFault::Fault(_) => true,
            SinkFault::UnknownName => self.moment == FaultTime::Always,
            SinkFault::SilentName => self.moment == FaultTime::Always && Shim::new().is_some(),
            // Neither the primary's format nor S3 knows a partial success.
            SinkFault::RefusedRecords => self.place == FaultySink::Firehose,
        }
    }

    /// Whether no sink is well at the end. What is lost then must be counted.
    pub(crate) fn may_lose(self) -> bool {
        self.place == FaultySink::S3 && self.moment != FaultTime::MidRun
    }

    /// Whether the sink may take records without the extension hearing that it did.
    pub(crate) fn may_take_unheard(self) -> bool {
        matches!(
            self.trouble,
            SinkFault::Fault(
                Fault::ResetAfterBody
                    | Fault::HangAfterHead(200)
                    | Fault::ShortBody(200)
                    | Fault::EndlessBody(200)
                    | Fault::Drip
            )
        )
    }

    /// Whether requests reach the sink while it is in trouble.
    pub(crate) fn is_asked(self) -> bool {
        match self.trouble {
            SinkFault::Fault(fault) => !matches!(
                fault,
                Fault::Refuse | Fault::Tls | Fault::ExpiredCertificate
            ),
            SinkFault::UnknownName | SinkFault::SilentName => false,
            SinkFault::RefusedRecords => true,
        }
    }

    /// Whether servers must speak TLS for the trouble to show.
    pub(crate) fn needs_tls(self) -> bool {
        matches!(
            self.trouble,
            SinkFault::Fault(Fault::Tls | Fault::ExpiredCertificate)
        )
    }

    /// Whether a request must be long: to be refused in parts, or cut off in the middle.
    pub(crate) fn needs_long_lines(self) -> bool {
        matches!(
            self.trouble,
            SinkFault::RefusedRecords | SinkFault::Fault(Fault::ResetInBody)
        )
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(dialect) = self.format {
            write!(formatter, "{}: ", dialect.name())?;
        }
        match self.trouble {
            SinkFault::Fault(Fault::StatusWithRetryAfter(status, _)) => {
                write!(formatter, "{status} with Retry-After")?;
            }
            SinkFault::Fault(fault) => write!(formatter, "{fault}")?,
            SinkFault::UnknownName => formatter.write_str("unknown name")?,
            SinkFault::SilentName => formatter.write_str("silent name")?,
            SinkFault::RefusedRecords => formatter.write_str("refused records")?,
        }
        let place = match self.place {
            FaultySink::Primary => "primary",
            FaultySink::Firehose => "firehose",
            FaultySink::S3 => "s3",
        };
        let moment = match self.moment {
            FaultTime::Always => "always",
            FaultTime::MidRun => "mid-run",
            FaultTime::AtShutdown => "at shutdown",
        };
        write!(formatter, ", {place}, {moment}")
    }
}
