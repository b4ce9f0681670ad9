//! Records on their way to a body, taken apart one after the other.

use std::borrow::Cow;

use backstop_delivery::{EnvironmentId, RecordId};
use backstop_json::Decimal;

use super::Line;
use crate::codec::{Item, Source};

/// What lines borrow that is not in their records. It is used again, as there are many.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// The id of a live record.
    id: String,
    environment: Option<EnvironmentId>,
    /// How much of the id is of the environment.
    prefix: usize,
    /// A JSON object with the record's members.
    text: String,
}

impl Scratch {
    /// Takes a record apart.
    pub(crate) fn line<'s>(&'s mut self, item: &'s Item<'_>) -> Line<'s> {
        match item.source() {
            Source::Live { id, members } => {
                self.set(id);
                let Self { id, text, .. } = self;
                let id = || Cow::Borrowed(&**id);
                if let [Ok(received), Ok(added)] = members.map(std::str::from_utf8)
                    && let Some(line) = Line::live(id(), received, added)
                {
                    return line;
                }
                text.clear();
                text.push('{');
                // What is decoded is UTF-8.
                text.extend(members.map(String::from_utf8_lossy));
                text.push('}');
                Line::parse(text, Some(id()))
            }
            Source::Archived(line) => Line::parse(line, None),
        }
    }

    fn set(&mut self, id: RecordId) {
        if self.environment == Some(id.environment) {
            self.id.truncate(self.prefix);
            self.id.push_str(&Decimal::of(id.sequence));
            return;
        }
        self.id = id.to_string();
        self.prefix = self.id.rfind('-').map_or(0, |at| at + 1);
        self.environment = Some(id.environment);
    }
}
