//! Compares error rates before and after a wave, by `CloudWatch`'s counts of invocations and
//! errors.
//!
//! Counts of a wave are compared as a whole: most functions are invoked too seldom to be judged by
//! themselves. Those that rose most are reported.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDataResult, MetricStat};
use serde::Serialize;

use crate::aws::Failure;
use crate::fleet::{Fleet, Place, Site};
use crate::plan::Planned;

/// Queries per call; each function needs two.
const QUERIES: usize = 500;
const PERIOD_SECONDS: u64 = 60;
/// Functions that are reported.
const TOLD: usize = 5;

/// The time window, in whole minutes since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    start: u64,
    end: u64,
}

/// What a function was asked to do, and failed to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Counts {
    pub(super) invocations: f64,
    pub(super) errors: f64,
}

/// By place and name.
pub(super) type ByFunction<'a> = BTreeMap<(&'a Place, &'a str), Counts>;

/// A function that fails more often than before.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rise {
    /// The account and region.
    #[serde(flatten)]
    pub place: Place,
    pub name: String,
    /// How many of a hundred invocations failed before.
    pub before: f64,
    pub after: f64,
}

/// What became of a wave's errors.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Finding {
    /// Nobody invoked any of the functions: nothing is known.
    Unseen,
    /// They fail no more than is allowed.
    Fine,
    /// They do; those that rose most.
    Risen {
        before: f64,
        after: f64,
        rises: Vec<Rise>,
    },
}

impl Window {
    /// As long as a bake, before this moment.
    pub(super) fn before(now: SystemTime, bake: Duration) -> Self {
        let end = seconds(now) / PERIOD_SECONDS;
        let start = end.saturating_sub(minutes(bake));
        Self { start, end }
    }

    /// The last part of a bake that ends at this moment: nothing from before it, where it takes a minute.
    pub(super) fn after(now: SystemTime, bake: Duration) -> Self {
        let end = seconds(now).div_ceil(PERIOD_SECONDS);
        let start = end.saturating_sub(minutes(bake));
        Self { start, end }
    }
}

fn seconds(at: SystemTime) -> u64 {
    at.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

fn minutes(bake: Duration) -> u64 {
    (bake.as_secs() / PERIOD_SECONDS).max(1)
}

fn instant(minute: u64) -> DateTime {
    DateTime::from(UNIX_EPOCH + Duration::from_secs(minute * PERIOD_SECONDS))
}

/// Compares, in points of a hundred.
pub(super) fn compare(before: &ByFunction<'_>, after: &ByFunction<'_>, most: f64) -> Finding {
    let (all_before, all_after) = (sum(before.values()), sum(after.values()));
    if all_after.invocations <= 0.0 {
        return Finding::Unseen;
    }
    if all_after.percent() <= all_before.percent() + most {
        return Finding::Fine;
    }
    let rises = after.iter().map(|((place, name), counts)| Rise {
        place: (*place).clone(),
        name: (*name).to_owned(),
        before: before.get(&(*place, *name)).map_or(0.0, Counts::percent),
        after: counts.percent(),
    });
    let mut rises: Vec<Rise> = rises.filter(|it| it.after > it.before).collect();
    rises.sort_by(|one, other| (other.after - other.before).total_cmp(&(one.after - one.before)));
    rises.truncate(TOLD);
    Finding::Risen {
        before: all_before.percent(),
        after: all_after.percent(),
        rises,
    }
}

fn sum<'a>(counts: impl Iterator<Item = &'a Counts>) -> Counts {
    counts.fold(Counts::default(), |sum, it| Counts {
        invocations: sum.invocations + it.invocations,
        errors: sum.errors + it.errors,
    })
}

impl Counts {
    fn percent(&self) -> f64 {
        if self.invocations > 0.0 {
            100.0 * self.errors / self.invocations
        } else {
            0.0
        }
    }
}

/// Asks for all functions of a wave.
pub(super) async fn count<'a>(
    fleet: &Fleet,
    functions: &[&'a Planned],
    window: Window,
) -> Result<ByFunction<'a>, Failure> {
    let mut by_place: BTreeMap<&Place, Vec<&'a Planned>> = BTreeMap::new();
    for planned in functions {
        by_place.entry(&planned.place).or_default().push(planned);
    }
    let mut counts = BTreeMap::new();
    for (place, functions) in by_place {
        let site = fleet.site(place)?;
        for some in functions.chunks(QUERIES / 2) {
            count_some(site, some, window, &mut counts).await?;
        }
    }
    Ok(counts)
}

async fn count_some<'a>(
    site: &Site,
    functions: &[&'a Planned],
    window: Window,
    counts: &mut ByFunction<'a>,
) -> Result<(), Failure> {
    let what = format!("counting errors in {}", site.place);
    let queries = functions.iter().enumerate().flat_map(|(number, planned)| {
        [("i", "Invocations"), ("e", "Errors")]
            .map(|(prefix, metric)| query(&format!("{prefix}{number}"), metric, &planned.name))
    });
    let client = aws_sdk_cloudwatch::Client::new(&site.config);
    let mut pages = client
        .get_metric_data()
        .set_metric_data_queries(Some(queries.collect()))
        .start_time(instant(window.start))
        .end_time(instant(window.end))
        .into_paginator()
        .send();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Failure::of(&what, &error))?;
        for result in page.metric_data_results() {
            let id = result.id().unwrap_or_default();
            let number = id.get(1..).and_then(|it| it.parse::<usize>().ok());
            let Some(planned) = number.and_then(|it| functions.get(it)) else {
                continue;
            };
            let sum: f64 = result.values().iter().sum();
            let counts = counts
                .entry((&planned.place, planned.name.as_str()))
                .or_default();
            if id.starts_with('i') {
                counts.invocations += sum;
            } else {
                counts.errors += sum;
            }
        }
    }
    Ok(())
}

/// How often a function was invoked in the last hours.
pub async fn invocations(site: &Site, function: &str, hours: u64) -> Result<f64, Failure> {
    let what = format!("counting invocations in {}", site.place);
    let window = Window::after(SystemTime::now(), Duration::from_hours(hours));
    let client = aws_sdk_cloudwatch::Client::new(&site.config);
    let mut pages = client
        .get_metric_data()
        .metric_data_queries(query("i0", "Invocations", function))
        .start_time(instant(window.start))
        .end_time(instant(window.end))
        .into_paginator()
        .send();
    let mut sum = 0.0;
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| Failure::of(&what, &error))?;
        let values = page
            .metric_data_results()
            .iter()
            .flat_map(MetricDataResult::values);
        sum += values.sum::<f64>();
    }
    Ok(sum)
}

fn query(id: &str, metric: &str, function: &str) -> MetricDataQuery {
    let dimension = Dimension::builder()
        .name("FunctionName")
        .value(function)
        .build();
    let metric = Metric::builder()
        .namespace("AWS/Lambda")
        .metric_name(metric)
        .dimensions(dimension)
        .build();
    let stat = MetricStat::builder()
        .metric(metric)
        .period(60)
        .stat("Sum")
        .build();
    MetricDataQuery::builder().id(id).metric_stat(stat).build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            account: "111122223333".to_owned(),
            region: "eu-west-1".to_owned(),
        }
    }

    fn by_function<'a>(place: &'a Place, counts: &[(&'a str, f64, f64)]) -> ByFunction<'a> {
        let counts = counts.iter().map(|(name, invocations, errors)| {
            let counts = Counts {
                invocations: *invocations,
                errors: *errors,
            };
            ((place, *name), counts)
        });
        counts.collect()
    }

    #[test]
    fn a_wave_is_compared_as_a_whole_and_the_worst_are_told() {
        let place = place();
        let before = by_function(&place, &[("a", 100.0, 1.0), ("b", 100.0, 0.0)]);
        let after = by_function(
            &place,
            &[("a", 100.0, 2.0), ("b", 100.0, 9.0), ("c", 0.0, 0.0)],
        );
        // From 0.5 to 5.5 of a hundred.
        assert_eq!(compare(&before, &after, 5.0), Finding::Fine);
        let Finding::Risen {
            before,
            after,
            rises,
        } = compare(&before, &after, 4.9)
        else {
            panic!("the rate rose");
        };
        assert!((before - 0.5).abs() < 1e-9 && (after - 5.5).abs() < 1e-9);
        let names: Vec<&str> = rises.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["b", "a"]);
    }

    #[test]
    fn what_nobody_invokes_says_nothing_and_what_nobody_invoked_before_has_no_errors() {
        let place = place();
        let none = ByFunction::new();
        let failing = by_function(&place, &[("a", 10.0, 10.0)]);
        assert_eq!(compare(&failing, &none, 0.0), Finding::Unseen);
        assert!(matches!(
            compare(&none, &failing, 50.0),
            Finding::Risen { .. }
        ));
        assert_eq!(compare(&failing, &failing, 0.0), Finding::Fine);
    }

    #[test]
    fn both_windows_are_equally_long_and_on_either_side_of_the_wave() {
        let begun = UNIX_EPOCH + Duration::from_secs(10_030);
        let bake = Duration::from_mins(5);
        let before = Window::before(begun, bake);
        let ended = begun + Duration::from_secs(45);
        let after = Window::after(ended + bake, bake);
        assert_eq!(before.end - before.start, 5);
        assert_eq!(after.end - after.start, 5);
        assert!(before.end * 60 <= 10_030);
        assert!(after.start * 60 >= 10_075, "{after:?}");
        // CloudWatch knows no less than a minute.
        let short = Window::after(begun, Duration::from_millis(1));
        assert_eq!(short.end - short.start, 1);
    }
}
