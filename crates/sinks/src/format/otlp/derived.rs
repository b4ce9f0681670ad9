//! Bodies of metrics and spans: those that were derived, and what the function posted.

use std::collections::HashMap;

use backstop_delivery::{Signal, Unfit};
use bytes::Bytes;

use super::{Otlp, datadog, metrics, spans, wrap_received};
use crate::codec::{Item, Output};
use crate::format::Context;
use crate::format::assemble::{Logs as _, Written};
use crate::format::log::{INVOCATION_ID, Line, Scratch};
use crate::format::points;
use crate::format::resource::Attributes;
use crate::otlp::{ReceivedItem, Shape};

impl Otlp {
    /// Writes what as many records hold as one request may: points are added up, spans and what the function posted
    /// stay as they are.
    pub(super) fn write_derived(
        &self,
        items: &[Item<'_>],
        context: Context,
        out: &mut Output,
    ) -> Written {
        let mut written = Written::default();
        let mut groups = Groups::default();
        let mut size = 0;
        let mut scratch = Scratch::default();
        for (index, item) in items.iter().enumerate() {
            let line = scratch.line(item);
            written.covers = index + 1;
            let Some((origin, held)) = self.held(&line, context) else {
                written.unfit.push((index, Unfit::NoIntake));
                continue;
            };
            let known = groups.find(&item.resource, &origin);
            let around = match known {
                Some(_) => 0,
                None => 2 * item.resource.len() + origin.most_bytes() + 1024,
            };
            let length = held.most_bytes();
            if length + around > self.most_bytes {
                written.unfit.push((index, Unfit::TooLarge));
                continue;
            }
            if size + length + around > self.most_bytes {
                written.covers = index;
                break;
            }
            size += length + around;
            let place = known.unwrap_or_else(|| groups.add(&item.resource, origin));
            if let Some(group) = groups.all.get_mut(place) {
                group.add(held, self.is_json);
            }
        }
        self.write_groups(groups.all, out);
        written
    }

    /// What a record holds, and of which origin it is; `None` where what the function posted cannot be read.
    fn held<'a>(&self, line: &'a Line<'_>, context: Context) -> Option<(Origin, Held<'a>)> {
        let kind = line.kind.as_deref().unwrap_or_default();
        let Some(shape) = Shape::of_kind(kind) else {
            let held = match self.signal {
                Signal::Metric | Signal::PostedMetric => {
                    Held::Points(points::observations(line, context.now))
                }
                Signal::Log | Signal::Span => {
                    // In protobuf they are shorter than in JSON.
                    let size = line.record.map_or(0, |record| record.get().len());
                    let mut written = Vec::with_capacity(size);
                    spans::write(line, self.is_json, &mut written);
                    Held::Item(written)
                }
            };
            return Some((Origin::Derived, held));
        };
        let item = ReceivedItem::of(kind, line.record?.get())?;
        if self.is_datadog && datadog::is_refused(item.item) {
            return None;
        }
        let mut written = Vec::new();
        let added = [(
            INVOCATION_ID,
            line.request_id.as_deref().unwrap_or_default(),
        )];
        item.write(&added, self.is_json, &mut written);
        Some((Origin::Received(shape, item.around), Held::Item(written)))
    }

    fn write_groups(&self, groups: Vec<Group<'_>>, out: &mut Output) {
        let frame = self.frame();
        out.bytes().extend_from_slice(frame.open.as_bytes());
        let mut is_first = true;
        for group in groups {
            let resource = Attributes::of(group.text);
            let (origin, items) = group.written(self.is_json);
            if items.is_empty() {
                continue;
            }
            if !std::mem::take(&mut is_first) {
                out.bytes().extend_from_slice(frame.between.as_bytes());
            }
            match &origin {
                Origin::Derived => self.wrap(&resource, None, &items, out),
                Origin::Received(shape, around) => {
                    wrap_received(shape, around, &resource, (&items, self.is_json), out);
                }
            }
            out.written();
        }
        out.bytes().extend_from_slice(frame.close.as_bytes());
    }
}

/// Where a record comes from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Origin {
    Derived,
    /// The function posted it: what stands around it.
    Received(&'static Shape, String),
}

impl Origin {
    /// The most bytes that it takes in a body beside its items.
    fn most_bytes(&self) -> usize {
        match self {
            Self::Derived => 0,
            // A control character of a text takes no more bytes in JSON than it takes here.
            Self::Received(_, around) => around.len(),
        }
    }
}

/// What a record holds.
enum Held<'a> {
    Points(Vec<points::Observation<'a>>),
    /// Spans, or what the function posted, as it is in the body.
    Item(Vec<u8>),
}

impl Held<'_> {
    /// The most bytes that it takes in a body, in either encoding.
    fn most_bytes(&self) -> usize {
        match self {
            Self::Points(all) => all.iter().map(points::Observation::most_bytes).sum(),
            Self::Item(written) => written.len() + 1,
        }
    }
}

/// What is of one resource.
struct Group<'a> {
    text: &'a Bytes,
    origin: Origin,
    points: points::Points,
    items: Vec<u8>,
}

impl<'a> Group<'a> {
    fn of(resource: &'a Bytes, origin: Origin) -> Self {
        Self {
            text: resource,
            origin,
            points: points::Points::default(),
            items: Vec::new(),
        }
    }

    fn add(&mut self, held: Held<'_>, is_json: bool) {
        match held {
            Held::Item(written) if written.is_empty() => {}
            Held::Item(written) => {
                if is_json && !self.items.is_empty() {
                    self.items.push(b',');
                }
                self.items.extend(written);
            }
            Held::Points(all) => all.into_iter().for_each(|it| self.points.add(it)),
        }
    }

    /// Where it comes from, and its items as they are in the body. They may be megabytes, and are not copied.
    fn written(self, is_json: bool) -> (Origin, Vec<u8>) {
        let mut items = self.items;
        if is_json {
            metrics::write_json(&self.points, &mut items);
        } else {
            metrics::write(&self.points, &mut items);
        }
        (self.origin, items)
    }
}

/// The groups of a body, in the order in which they came.
#[derive(Default)]
struct Groups<'a> {
    all: Vec<Group<'a>>,
    /// As many records as there are may each be of a group of its own.
    places: HashMap<(&'a [u8], Origin), usize>,
}

impl<'a> Groups<'a> {
    fn find(&self, resource: &'a Bytes, origin: &Origin) -> Option<usize> {
        // Most are of the same group as the one before.
        let is_it = |group: &Group<'_>| group.text == resource && group.origin == *origin;
        if self.all.last().is_some_and(is_it) {
            return Some(self.all.len() - 1);
        }
        let key = (&**resource, origin.clone());
        self.places.get(&key).copied()
    }

    fn add(&mut self, resource: &'a Bytes, origin: Origin) -> usize {
        let place = self.all.len();
        self.places.insert((resource, origin.clone()), place);
        self.all.push(Group::of(resource, origin));
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_items_of_a_group_are_not_copied_into_the_body() {
        for is_json in [false, true] {
            let resource = Bytes::from_static(b"{}");
            let mut group = Group::of(&resource, Origin::Derived);
            group.add(Held::Item(vec![b' '; 4 * 1024 * 1024]), is_json);
            let (place, capacity) = (group.items.as_ptr(), group.items.capacity());
            let (_, items) = group.written(is_json);
            assert_eq!((items.as_ptr(), items.capacity()), (place, capacity));
        }
    }

    #[test]
    fn records_of_one_resource_and_origin_are_of_one_group_in_any_order() {
        let resources = ["{}", r#"{"a":"b"}"#].map(|it| Bytes::from_static(it.as_bytes()));
        let logs = Shape::of_kind(backstop_archive::OTLP_TRACES).expect("a shape");
        let origins = [
            Origin::Derived,
            Origin::Received(logs, "x".to_owned()),
            Origin::Received(logs, "y".to_owned()),
        ];
        let mut groups = Groups::default();
        for round in 0..2 {
            for (first, resource) in resources.iter().enumerate() {
                for (second, origin) in origins.iter().enumerate() {
                    let expected = 3 * first + second;
                    let known = groups.find(resource, origin);
                    assert_eq!(known, (round > 0).then_some(expected));
                    if known.is_none() {
                        assert_eq!(groups.add(resource, origin.clone()), expected);
                    }
                }
            }
        }
    }
}
