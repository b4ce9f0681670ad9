//! `datadog`: the intake of logs, in the shape that Datadog's own Lambda extension sends
//! (<https://docs.datadoghq.com/api/latest/logs/#send-logs>), and that of metrics.

mod distributions;

use std::time::Duration;

use backstop_config::Primary;

use super::answers::{DATADOG, Row};
use super::assemble::{Frame, Limits, Logs, Written, logs};
use super::log::{Level, Log, TYPE, UID};
use super::resource::Attributes;
use super::text::Object;
use super::{Context, Format};
use crate::codec::{Item, Output};
pub(super) use distributions::Distributions;

/// Logs that are older are dropped on arrival.
const MAX_AGE: Duration = Duration::from_hours(18);

/// The log format.
#[derive(Debug)]
pub(super) struct Datadog {
    age: Option<Duration>,
}

impl Datadog {
    pub(super) fn new(primary: &Primary) -> Self {
        Self {
            age: super::age(&primary.options, MAX_AGE),
        }
    }
}

impl Format for Datadog {
    fn content_type(&self) -> &'static str {
        "application/json"
    }

    fn write(&self, items: &[Item<'_>], context: Context, out: &mut Output) -> Written {
        logs(self, items, context, out)
    }

    fn answers(&self) -> &'static [Row] {
        DATADOG
    }
}

impl Logs for Datadog {
    fn limits(&self) -> Limits {
        Limits {
            records: 1_000,
            bytes: 4_250_000,
            // A longer one is cut on arrival, without a word.
            record_bytes: 1_000_000,
            age: self.age,
        }
    }

    fn frame(&self) -> Frame {
        Frame {
            open: "[",
            between: ",",
            close: "]",
            group: None,
        }
    }

    /// What is the same in each entry of a resource.
    fn write_resource(&self, resource: &Attributes, out: &mut Vec<u8>) {
        let arn = resource.or_empty("cloud.resource_id");
        let mut entry = Object::inside(out);
        let host = if arn.is_empty() {
            resource.or_empty("faas.name")
        } else {
            arn
        };
        entry.some("hostname", Some(host));
        entry.some("service", resource.text("service.name"));
        entry.text("ddsource", "lambda");
        let tags = pairs(resource, arn);
        let tags = tags.iter().map(|(name, value)| pair(name, value));
        entry.text("ddtags", &tags.collect::<Vec<_>>().join(","));
    }

    fn write_log(&self, log: &Log<'_>, resource: &Attributes, written: &[u8], out: &mut Vec<u8>) {
        let arn = resource.text("cloud.resource_id").unwrap_or_default();
        let mut entry = Object::open(out);
        entry.object("message", |message| {
            message.text("message", log.text());
            message.object("lambda", |lambda| {
                lambda.some("arn", Some(arn));
                lambda.some("request_id", log.request_id.as_deref());
            });
            message.number("timestamp", log.time.milliseconds());
            message.text("status", log.level.unwrap_or(Level::Info).lower());
            message.some(UID, Some(&log.id));
            message.some(TYPE, Some(&log.kind));
            message.some("trace_id", log.trace_id.as_deref());
            message.some("span_id", log.span_id.as_deref());
            if let Some(record) = log.object().filter(|_| log.is_platform()) {
                message.raw("record", |out| {
                    out.extend_from_slice(record.get().as_bytes());
                });
            }
        });
        entry.members(written);
        entry.close();
    }
}

/// One tag. A comma would end it, so it is an underscore in a value.
fn pair(name: &str, value: &str) -> String {
    format!("{name}:{}", value.replace(',', "_"))
}

/// The tags of a function, but for its service.
fn pairs<'a>(resource: &'a Attributes, arn: &str) -> Vec<(&'a str, String)> {
    let text = |name| resource.or_empty(name).to_owned();
    let mut tags: Vec<(&str, String)> = vec![
        ("function_arn", arn.to_lowercase()),
        ("functionname", text("faas.name").to_lowercase()),
        ("region", text("cloud.region")),
        ("account_id", text("cloud.account.id")),
        ("aws_account", text("cloud.account.id")),
        (
            "executedversion",
            text("faas.version").trim_start_matches('$').to_owned(),
        ),
        ("resource", text("faas.name")),
        ("faas.instance", text("faas.instance")),
    ];
    tags.extend(resource.tags().filter(|(name, _)| *name != "service"));
    tags.retain(|(_, value)| !value.is_empty());
    tags
}
