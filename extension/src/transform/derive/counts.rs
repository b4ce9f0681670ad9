//! The extension's own counts as a record of points, which goes the way of all derived metrics.

use backstop_archive::METRICS;
use backstop_delivery::Signal;

use super::Derived;
use super::write::{Metrics, fragment};
use crate::metrics::{Kind, Part, Point};

/// A record of these points, as of `time`.
pub(crate) fn of_counts(time: &str, points: &[Point]) -> Derived {
    let mut metrics = Metrics::default();
    for point in points {
        // A state is a histogram: a gauge would keep that of one environment only.
        let (kind, unit) = match point.kind {
            Kind::Count => ("sum", "{record}"),
            Kind::Milliseconds => ("sum", "ms"),
            Kind::Level => ("histogram", "1"),
        };
        let attribute = match point.part {
            Part::Whole => None,
            Part::Sink(sink) => Some(("sink", sink)),
            Part::Reason(reason) => Some(("reason", reason)),
        };
        let name = format!("backstop.{}", point.name);
        metrics.whole((&name, kind, unit), attribute, point.value);
    }
    let fragment = fragment(time, METRICS, None, |out| {
        out.push_str("\"metrics\":[");
        out.push_str(metrics.text());
        out.push(']');
    });
    Derived {
        signal: Signal::Metric,
        fragment,
    }
}
