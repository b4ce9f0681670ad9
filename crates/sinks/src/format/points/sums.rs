//! Observations, added up.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::Duration;

use backstop_delivery::Wall;
use backstop_json::Fnv;

use super::{Kind, Metric, Observation, Point};

/// What is added up is within this span of time: a replay covers days, and a flush seldom more than this.
const SPAN: Duration = Duration::from_secs(10);

/// The points of one resource.
#[derive(Debug, Default)]
pub(in crate::format) struct Points {
    metrics: Vec<(Metric<'static>, Vec<Point>)>,
    /// Metrics by the hash of what they are; of two with the same hash the later one has the next number that is free.
    places: Places,
    /// The same of points, by their metric, attributes and span of time.
    series: Places,
    /// Where the metric of the last observation is. Records of one kind name their metrics in the same order.
    last: usize,
}

/// Places by a hash.
type Places = HashMap<u64, usize, BuildHasherDefault<Hashed>>;

/// What is a hash already is not hashed again.
#[derive(Debug, Default)]
struct Hashed(u64);

impl Hasher for Hashed {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = Fnv::of(bytes);
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// The place of what a hash is of, or the number under which it is to be noted.
fn find(places: &Places, mut hash: u64, is_it: impl Fn(usize) -> bool) -> Result<usize, u64> {
    while let Some(place) = places.get(&hash) {
        if is_it(*place) {
            return Ok(*place);
        }
        hash = hash.wrapping_add(1);
    }
    Err(hash)
}

impl Points {
    /// The place of a metric.
    fn place(&mut self, metric: &Metric<'_>) -> usize {
        let is_it = |at: usize| self.metrics.get(at).is_some_and(|it| it.0 == *metric);
        // After the last one the first comes again.
        let next = (self.last + 1) % self.metrics.len().max(1);
        if is_it(next) {
            return next;
        }
        match find(&self.places, Fnv::of(metric.name.as_bytes()), is_it) {
            Ok(place) => place,
            Err(hash) => {
                let metric = Metric {
                    name: metric.name.clone().into_owned().into(),
                    unit: metric.unit.clone().into_owned().into(),
                    kind: metric.kind,
                };
                self.metrics.push((metric, Vec::new()));
                self.places.insert(hash, self.metrics.len() - 1);
                self.metrics.len() - 1
            }
        }
    }

    /// Adds an observation up.
    pub(in crate::format) fn add(&mut self, observation: Observation<'_>) {
        let place = self.place(&observation.metric);
        self.last = place;
        let Observation {
            metric: _,
            mut attributes,
            values,
            start,
            time,
        } = observation;
        attributes.sort();
        attributes.dedup_by(|later, first| later.0 == first.0);
        let Some((metric, points)) = self.metrics.get_mut(place) else {
            return;
        };
        let span_of = |time: Wall| time.0.as_secs() / SPAN.as_secs();
        let span = span_of(time);
        let is_it = |at: usize| {
            let known: Option<&Point> = points.get(at);
            known.is_some_and(|it| span_of(it.time) == span && it.attributes == attributes)
        };
        let last = points.len().wrapping_sub(1);
        let at = if is_it(last) {
            last
        } else {
            let mut hash = Fnv::default();
            hash.add(&place.to_le_bytes());
            hash.add(&span.to_le_bytes());
            for (name, value) in &attributes {
                hash.add(name.as_bytes());
                hash.add(value.as_bytes());
            }
            match find(&self.series, hash.get(), is_it) {
                Ok(at) => at,
                Err(hash) => {
                    self.series.insert(hash, points.len());
                    points.len()
                }
            }
        };
        if at == points.len() {
            let buckets = match metric.kind {
                Kind::Histogram if !metric.bounds().is_empty() => metric.bounds().len() + 1,
                Kind::Histogram | Kind::Sum => 0,
            };
            let owned = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
            let attributes = attributes.into_iter();
            points.push(Point {
                attributes: attributes
                    .map(|(name, value)| (owned(name), owned(value)))
                    .collect(),
                start,
                time,
                count: 0,
                sum: 0.0,
                least: f64::INFINITY,
                greatest: f64::NEG_INFINITY,
                buckets: vec![0; buckets],
            });
        }
        let Some(point) = points.get_mut(at) else {
            return;
        };
        point.start = point.start.min(start);
        point.time = point.time.max(time);
        for value in values.iter().copied() {
            point.count += 1;
            point.sum += value;
            point.least = point.least.min(value);
            point.greatest = point.greatest.max(value);
            let bucket = metric.bounds().iter().take_while(|it| value > **it).count();
            if let Some(count) = point.buckets.get_mut(bucket) {
                *count += 1;
            }
        }
    }

    /// The metrics with their points, in the order in which they came.
    pub(in crate::format) fn metrics(&self) -> &[(Metric<'static>, Vec<Point>)] {
        &self.metrics
    }
}
