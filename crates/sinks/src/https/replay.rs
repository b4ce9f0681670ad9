//! The primary as a replay sees it: one sink for each signal that it gets.
//!
//! Invariant: a body holds records of one signal, which the caller asks for once a record.

use backstop_config::{Format, Primary};
use backstop_delivery::{Answer, Cause, Signal, Unfit};
use bytes::Bytes;

use super::{Framed, HttpsSink, endpoint};
use crate::codec::{LineEncoder, Resource};
use crate::format::{Classifier, advice};
use crate::http::SharedHttp;

/// Posts lines of the archive, each to where its signal goes.
#[derive(Debug)]
pub struct ReplaySink {
    classifier: Classifier,
    sinks: [Option<HttpsSink>; Signal::ALL.len()],
    formats: [Option<Format>; Signal::ALL.len()],
}

impl ReplaySink {
    /// A sink of this primary.
    pub fn new(http: &SharedHttp, primary: &Primary) -> Self {
        // Archived lines are already encoded; there is no resource to add.
        let lines = LineEncoder::new(Resource::default());
        let sink = |signal| HttpsSink::of(http.clone(), primary, signal, lines.clone());
        Self {
            classifier: Classifier::of(Some(primary)),
            sinks: Signal::ALL.map(sink),
            formats: Signal::ALL.map(|signal| Some(endpoint(primary, signal)?.format)),
        }
    }

    /// What a line of this type and with this record is. Records that are in this order share requests.
    pub fn signal(&self, kind: &str, record: &str, line: &str) -> Signal {
        self.classifier.of_members(kind, record, line)
    }

    /// As many of these lines of a signal, without the reason why they are there, as one body may hold.
    pub fn frame(&self, signal: Signal, lines: &[&str]) -> Framed {
        match self.sink(signal) {
            Some(sink) => sink.frame(lines),
            None => Framed {
                body: Bytes::new(),
                signal,
                records: 0,
                covers: lines.len(),
                unfit: (0..lines.len()).map(|at| (at, Unfit::NoIntake)).collect(),
            },
        }
    }

    /// Posts what was framed under an idempotency key.
    pub async fn post(&self, signal: Signal, key: &str, body: Bytes, records: usize) -> Answer {
        match self.sink(signal) {
            Some(sink) => sink.post(key, body, records).await,
            None => Answer::None(backstop_delivery::Failure::NotSent),
        }
    }

    /// What to do about an answer to records of this signal, where their format has words of its own for it.
    pub fn advice(&self, signal: Signal, cause: Cause) -> Option<&'static str> {
        advice((*self.formats.get(place(signal)?)?)?, cause)
    }

    fn sink(&self, signal: Signal) -> Option<&HttpsSink> {
        self.sinks.get(place(signal)?)?.as_ref()
    }
}

fn place(signal: Signal) -> Option<usize> {
    Signal::ALL.iter().position(|known| *known == signal)
}
