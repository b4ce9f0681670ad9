//! `newrelic`: the Log API (<https://docs.newrelic.com/docs/logs/log-api/introduction-log-api/>).
//!
//! Validation is asynchronous: a success says that the request was taken, and what is wrong with a record is
//! told by New Relic's own events (`NrIntegrationError`). So its limits are kept here.

use std::time::Duration;

use backstop_config::Primary;

use super::answers::{NEW_RELIC, Row};
use super::assemble::{Frame, Limits, Logs, Written, logs};
use super::log::{Level, Log};
use super::resource::Attributes;
use super::text::Object;
use super::{Context, Format};
use crate::codec::{Item, Output};

const MAX_AGE: Duration = Duration::from_hours(48);

/// The log format.
#[derive(Debug)]
pub(super) struct NewRelic {
    age: Option<Duration>,
}

impl NewRelic {
    pub(super) fn new(primary: &Primary) -> Self {
        Self {
            age: super::age(&primary.options, MAX_AGE),
        }
    }
}

impl Format for NewRelic {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn write(&self, items: &[Item<'_>], context: Context, out: &mut Output) -> Written {
        logs(self, items, context, out)
    }

    fn answers(&self) -> &'static [Row] {
        NEW_RELIC
    }
}

impl Logs for NewRelic {
    fn limits(&self) -> Limits {
        Limits {
            records: 10_000,
            // 1,000,000 before compression.
            bytes: 900_000,
            record_bytes: usize::MAX,
            age: self.age,
        }
    }

    fn frame(&self) -> Frame {
        Frame {
            open: "[",
            between: ",",
            close: "]",
            group: Some(","),
        }
    }

    fn write_log(&self, log: &Log<'_>, _: &Attributes, _: &[u8], out: &mut Vec<u8>) {
        let mut entry = Object::open(out);
        entry.number("timestamp", log.time.milliseconds());
        // An object in a message is taken apart into attributes there.
        entry.text("message", log.text());
        entry.object("attributes", |attributes| {
            for (name, value) in log.attributes() {
                attributes.text(name, value);
            }
            attributes.some("aws.lambda_request_id", log.request_id.as_deref());
            attributes.some("faas.execution", log.request_id.as_deref());
            attributes.some("level", log.level.map(Level::lower));
            attributes.some("trace.id", log.trace_id.as_deref());
            attributes.some("span.id", log.span_id.as_deref());
            if log.is_platform() {
                attributes.object("record", |record| {
                    for (name, value) in &log.fields {
                        member(record, name, value.get());
                    }
                });
            }
        });
        entry.close();
    }

    fn wrap(&self, resource: &Attributes, _division: Option<&str>, logs: &[u8], out: &mut Output) {
        let head = out.bytes();
        let mut group = Object::open(head);
        group.object("common", |common| {
            common.object("attributes", |attributes| {
                attributes.text("plugin", "backstop");
                attributes.some("faas.arn", resource.text("cloud.resource_id"));
                let is_said = |name: &str| matches!(name, "plugin" | "faas.arn");
                for (name, value) in resource.all.iter().filter(|(name, _)| !is_said(name)) {
                    member(attributes, name, &value.to_string());
                }
                for (name, value) in resource.tags().filter(|(name, _)| is_said(name)) {
                    attributes.own_text(&format!("{name}_"), &value);
                }
            });
        });
        group.raw("logs", |out| out.push(b'['));
        out.append(logs);
        out.bytes().extend_from_slice(b"]}");
    }
}

/// A member of a record or a resource. A log with an array among its attributes is dropped after the success, so a
/// value that may hold one is given as its JSON.
fn member(object: &mut Object<'_>, name: &str, value: &str) {
    if value.contains('[') && !value.starts_with('"') {
        object.own_text(name, value);
    } else {
        object.own(name, |out| out.extend_from_slice(value.as_bytes()));
    }
}
