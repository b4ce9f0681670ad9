//! Bodies out of records: as many as one request may hold, joined as the format wants it.
//!
//! Invariants: no body is larger than its format's limits; every record that is covered is either in the
//! body or unfit; the same records make the same bytes.

use std::time::Duration;

use backstop_delivery::Unfit;
use bytes::Bytes;

use super::Context;
use super::log::{Line, Log, Scratch};
use super::plain::plain;
use super::resource::Attributes;
use crate::codec::{Item, Output, Packing};

/// How much a receiver takes, in bytes before compression.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// Records in one request.
    pub(super) records: usize,
    /// Bytes of one request.
    pub(super) bytes: usize,
    /// Bytes of one record.
    pub(super) record_bytes: usize,
    /// The age of a record.
    pub(super) age: Option<Duration>,
}

/// What stands around records in a body.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Frame {
    pub(super) open: &'static str,
    pub(super) between: &'static str,
    pub(super) close: &'static str,
    /// Records of one resource, and division, are wrapped together, with this between them.
    pub(super) group: Option<&'static str>,
}

/// A format that writes logs, one by one.
pub(super) trait Logs {
    fn limits(&self) -> Limits;

    fn frame(&self) -> Frame {
        Frame::default()
    }

    /// What is read in place of a record: its text and its resource. What the function posted by OTLP reads as a line
    /// of JSON.
    fn plain(&self, line: &Line<'_>, resource: &[u8]) -> Option<(String, Bytes)> {
        plain(line, resource)
    }

    /// What is written of a resource with each of its records.
    fn write_resource(&self, _resource: &Attributes, _out: &mut Vec<u8>) {}

    /// Writes one record. `written` is what [`Logs::write_resource`] made of its resource.
    fn write_log(&self, log: &Log<'_>, resource: &Attributes, written: &[u8], out: &mut Vec<u8>);

    /// What divides the records of one resource into groups, where something does.
    fn division(&self, _log: &Log<'_>, _context: Context) -> Option<String> {
        None
    }

    /// Writes the records of one resource and division, where they are grouped.
    fn wrap(&self, _resource: &Attributes, _division: Option<&str>, logs: &[u8], out: &mut Output) {
        out.append(logs);
    }
}

/// What was made of the first records.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Written {
    /// The number of records that are in the body or unfit: the first ones.
    pub(crate) covers: usize,
    /// Those of them that the receiver would never take.
    pub(crate) unfit: Vec<(usize, Unfit)>,
}

/// Writes the whole lines of records, which have no limits of their own.
pub(super) fn lines(items: &[Item<'_>], frame: Frame, out: &mut Output) -> Written {
    out.bytes().extend_from_slice(frame.open.as_bytes());
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.bytes().extend_from_slice(frame.between.as_bytes());
        }
        item.write_line(out);
        out.written();
    }
    out.bytes().extend_from_slice(frame.close.as_bytes());
    Written {
        covers: items.len(),
        unfit: Vec::new(),
    }
}

/// Writes as many logs as one request may hold.
pub(super) fn logs(
    format: &impl Logs,
    items: &[Item<'_>],
    context: Context,
    out: &mut Output,
) -> Written {
    let now = context.now;
    let (limits, frame) = (format.limits(), format.frame());
    let mut body = Body {
        format,
        frame,
        groups: 0,
        group: Vec::with_capacity(frame.group.map_or(0, |_| {
            items
                .iter()
                .map(Item::record_size)
                .sum::<usize>()
                .min(limits.bytes)
        })),
        resource: Attributes::default(),
        resource_text: None,
        resource_written: Vec::new(),
        division: None,
        group_size: 0,
        out,
    };
    let ends = frame.open.len() + frame.close.len();
    body.out.bytes().extend_from_slice(frame.open.as_bytes());
    let mut written = Written::default();
    let mut size = ends;
    let mut records = 0;
    let mut scratch = Scratch::default();
    for (index, item) in items.iter().enumerate() {
        if records == limits.records {
            break;
        }
        let mut line = scratch.line(item);
        let plain = format.plain(&line, &item.resource);
        let mut resource = &item.resource;
        if let Some((text, its_own)) = &plain {
            line = Line::parse(text, Some(std::mem::take(&mut line.id)));
            resource = its_own;
        }
        let log = Log::of(&line, now);
        written.covers = index + 1;
        if limits.age.is_some_and(|age| now.since(log.time) > age) {
            written.unfit.push((index, Unfit::TooOld));
            continue;
        }
        body.begin_group(resource, format.division(&log, context));
        let around = if body.group.is_empty() {
            body.group_size
        } else {
            0
        };
        let place = body.place();
        let bytes = body.write(&log);
        let length = bytes + frame.between.len() + frame.group.map_or(0, str::len);
        let alone = ends + length + body.group_size;
        if bytes > limits.record_bytes || alone > limits.bytes {
            body.take_back(place);
            written.unfit.push((index, Unfit::TooLarge));
            continue;
        }
        if size + length + around > limits.bytes {
            body.take_back(place);
            written.covers = index;
            break;
        }
        size += length + around;
        records += 1;
        body.written();
    }
    body.end_group();
    body.out.bytes().extend_from_slice(frame.close.as_bytes());
    written
}

/// A body of logs in the making.
struct Body<'a, F> {
    format: &'a F,
    frame: Frame,
    /// What stands in the frame so far: groups, or records.
    groups: usize,
    group: Vec<u8>,
    resource: Attributes,
    resource_text: Option<Bytes>,
    /// See [`Logs::write_resource`].
    resource_written: Vec<u8>,
    division: Option<String>,
    /// What a group of this resource and division takes beside its records.
    group_size: usize,
    out: &'a mut Output,
}

impl<F: Logs> Body<'_, F> {
    /// The next record is of this resource and division, which may be those before it.
    fn begin_group(&mut self, resource: &Bytes, division: Option<String>) {
        /// The lengths of messages grow with the records in them: two levels, ten bytes at most each.
        const LENGTHS: usize = 20;
        let is_same = self.resource_text.as_ref() == Some(resource);
        if is_same && self.division == division {
            return;
        }
        self.end_group();
        if !is_same {
            self.resource = Attributes::of(resource);
            self.resource_text = Some(resource.clone());
            self.resource_written.clear();
            let written = &mut self.resource_written;
            self.format.write_resource(&self.resource, written);
        }
        self.division = division;
        if self.frame.group.is_some() {
            let mut empty = Output::new(Packing::None, 0);
            let division = self.division.as_deref();
            self.format.wrap(&self.resource, division, &[], &mut empty);
            self.group_size = empty.bytes().len() + LENGTHS;
        }
    }

    /// Where the next record begins, with what stands before it.
    fn place(&mut self) -> usize {
        self.target().len()
    }

    /// Where records are written.
    fn target(&mut self) -> &mut Vec<u8> {
        if self.frame.group.is_some() {
            &mut self.group
        } else {
            self.out.bytes()
        }
    }

    /// Writes a record at its place. Says how many bytes it takes.
    fn write(&mut self, log: &Log<'_>) -> usize {
        let (is_first, between, target) = match self.frame.group {
            Some(between) => (self.group.is_empty(), between, &mut self.group),
            None => (self.groups == 0, self.frame.between, self.out.bytes()),
        };
        if !is_first {
            target.extend_from_slice(between.as_bytes());
        }
        let start = target.len();
        let format = self.format;
        format.write_log(log, &self.resource, &self.resource_written, target);
        target.len() - start
    }

    /// The record that was written at this place is not in the body.
    fn take_back(&mut self, place: usize) {
        self.target().truncate(place);
    }

    /// The last record is in the body.
    fn written(&mut self) {
        if self.frame.group.is_none() {
            self.groups += 1;
            self.out.written();
        }
    }

    fn end_group(&mut self) {
        if !self.group.is_empty() {
            self.separate();
            let division = self.division.as_deref();
            self.format
                .wrap(&self.resource, division, &self.group, self.out);
            self.out.written();
            self.group.clear();
        }
    }

    fn separate(&mut self) {
        if self.groups > 0 {
            self.out
                .bytes()
                .extend_from_slice(self.frame.between.as_bytes());
        }
        self.groups += 1;
    }
}
