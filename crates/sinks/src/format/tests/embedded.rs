//! Lines in the embedded metric format.

use super::signals::{histograms, metrics_of, number, sums, text};
use super::*;

#[test]
fn lines_in_the_embedded_metric_format_become_metrics_with_dimensions_and_units() {
    let line = r#"{"_aws":{"Timestamp":1767225600456,"CloudWatchMetrics":[{"Namespace":"Shop","Dimensions":[["Route","Stage"],["Stage"],[]],"Metrics":[{"Name":"Latency","Unit":"Milliseconds"},{"Name":"Orders","Unit":"Count"},{"Name":"Sizes ü","Unit":"Kilobytes/Second"},{"Name":"Absent"}]}]},"Route":"/buy","Stage":"prod","Latency":12.5,"Orders":3,"Sizes ü":[1,2,6],"user":"u-1"}"#;
    let text_line = serde_json::to_string(&format!("{line}\n")).expect("a text");
    // The copy of a line that stays a log is of the type of derived points.
    for (is_json, kind, record) in [
        (false, "function", line),
        (true, "function", line),
        (false, "function", &text_line),
        (false, backstop_archive::METRICS, line),
        (true, backstop_archive::METRICS, &text_line),
    ] {
        let fragments = [event(kind, record)];
        let (metrics, _) = metrics_of(is_json, &fragments);
        let shown: Vec<String> = (metrics.iter())
            .map(|metric| format!("{} {}", metric.name, metric.unit))
            .collect();
        assert_eq!(
            shown,
            ["Shop.Latency ms", "Shop.Orders 1", "Shop.Sizes__ kBy/s"]
        );
        let latency = histograms(&metrics[0]);
        let sets: Vec<usize> = latency.iter().map(|point| point.attributes.len()).collect();
        assert_eq!(sets, [2, 1, 0], "a point for each set of dimensions");
        assert_eq!(
            text(&latency[0].attributes, "Route").as_deref(),
            Some("/buy")
        );
        assert_eq!(latency[0].time_unix_nano, 1_767_225_600_456_000_000);
        assert!(
            latency[0].bucket_counts.is_empty(),
            "nobody knows its bounds"
        );
        assert!((number(&sums(&metrics[1])[0]) - 3.0).abs() < 1e-9);
        let sizes = &histograms(&metrics[2])[0];
        assert_eq!((sizes.count, sizes.sum), (3, Some(9.0)));
        assert_eq!((sizes.min, sizes.max), (Some(1.0), Some(6.0)));
    }
}

#[test]
fn a_line_without_points_that_can_be_read_stays_a_log() {
    let primary = {
        let mut primary = primary(Name::Otlp, FormatOptions::default());
        primary.signals = backstop_config::Signals::of(SIGNALS);
        primary
    };
    let signals = Classifier::of(Some(&primary));
    let emf = |metrics: &str, value: &str| {
        format!(
            r#"{{"_aws":{{"Timestamp":1,"CloudWatchMetrics":[{{"Namespace":"N","Dimensions":[[]],"Metrics":{metrics}}}]}},"m":{value}}}"#
        )
    };
    let one = r#"[{"Name":"m"}]"#;
    // As many metrics in as many sets of dimensions, and one in a set of as many dimensions.
    let sets = |metrics: usize, sets: usize| {
        let metrics = vec![r#"{"Name":"m"}"#; metrics].join(",");
        emf(&format!("[{metrics}]"), "1")
            .replace("[[]]", &format!("[{}]", vec!["[]"; sets].join(",")))
    };
    let set_of = |names: usize| {
        emf(one, "1").replace("[[]]", &format!("[[{}]]", vec!["\"d\""; names].join(",")))
    };
    for (record, signal) in [
        (emf(one, "1"), Signal::Metric),
        (emf(one, "[1,2]"), Signal::Metric),
        (emf(one, "\"1\""), Signal::Log),
        (emf("[]", "1"), Signal::Log),
        (emf("7", "1"), Signal::Log),
        (sets(100, 30), Signal::Metric),
        // No part of it would be kept otherwise.
        (sets(100, 31), Signal::Log),
        // Each set repeats the values: this would be gigabytes.
        (
            sets(1, 3_000).replace(
                "\"m\":1}",
                &format!("\"m\":[{}]}}", vec!["1"; 100_000].join(",")),
            ),
            Signal::Log,
        ),
        (set_of(30), Signal::Metric),
        (set_of(31), Signal::Log),
    ] {
        let fragment = event("function", &record);
        assert_eq!(signals.of_fragment(fragment.as_bytes()), signal, "{record}");
        let line = &archived(&[fragment])[0];
        assert_eq!(signals.of_line(line), signal, "{record}");
    }
    let both = FormatOptions {
        keeps_emf_logs: true,
        ..FormatOptions::default()
    };
    let keeps = Classifier::of(Some(&Primary {
        options: both,
        ..primary
    }));
    let fragment = event("function", &emf(one, "1"));
    assert_eq!(keeps.of_fragment(fragment.as_bytes()), Signal::Log);
    assert!(keeps.copies_embedded(fragment.as_bytes()));
    let none = Classifier::of(None);
    assert_eq!(none.of_fragment(fragment.as_bytes()), Signal::Log);
}

#[test]
fn each_set_of_dimensions_of_a_full_line_makes_a_point() {
    let metrics = (0..100).map(|at| format!(r#"{{"Name":"m{at}"}}"#));
    let metrics = metrics.collect::<Vec<_>>().join(",");
    let sets = (0..30).map(|at| format!(r#"["d{at}"]"#));
    let sets = sets.collect::<Vec<_>>().join(",");
    let members = (0..100).map(|at| format!(r#""m{at}":{at},"d{at}":"{at}""#));
    let members = members.collect::<Vec<_>>().join(",");
    let record = format!(
        r#"{{"_aws":{{"Timestamp":1767225600000,"CloudWatchMetrics":[{{"Namespace":"N","Dimensions":[{sets}],"Metrics":[{metrics}]}}]}},{members}}}"#
    );
    let (metrics, _) = metrics_of(false, &[event("function", &record)]);
    let points = metrics.iter().map(|it| histograms(it).len());
    assert_eq!(points.collect::<Vec<_>>(), [30; 100]);
}

#[test]
fn a_line_in_the_embedded_metric_format_is_of_a_time_near_its_own() {
    const RECEIVED: u64 = 1_767_225_600_123;
    let day = 24 * 3600 * 1000;
    for (stated, time) in [
        (RECEIVED - 14 * day, RECEIVED - 14 * day),
        (RECEIVED - 14 * day - 1, RECEIVED),
        (RECEIVED + 600_000, RECEIVED + 600_000),
        (RECEIVED + 600_001, RECEIVED),
        // Seconds.
        (RECEIVED / 1000, RECEIVED),
        (u64::MAX, RECEIVED),
    ] {
        let record = format!(
            r#"{{"_aws":{{"Timestamp":{stated},"CloudWatchMetrics":[{{"Namespace":"N","Dimensions":[[]],"Metrics":[{{"Name":"m"}}]}}]}},"m":1}}"#
        );
        let (metrics, _) = metrics_of(false, &[event("function", &record)]);
        let time_of = histograms(&metrics[0])[0].time_unix_nano / 1_000_000;
        assert_eq!(time_of, time, "{stated}");
    }
}

/// The copy of a line that stays a log bears the type of derived metrics, and the line may have members like theirs.
#[test]
fn a_line_in_the_embedded_metric_format_makes_no_metric_of_backstops() {
    let forged = r#"[{"name":"faas.errors","kind":"sum","unit":"{error}","value":1000000}]"#;
    for at in ["first", "last"] {
        let directives = r#""_aws":{"Timestamp":1767225600000,"CloudWatchMetrics":[{"Namespace":"shop","Dimensions":[["user"]],"Metrics":[{"Name":"n"}]}]}"#;
        let rest = format!(r#""n":3,"user":18446744073709551616,"metrics":{forged}"#);
        let line = match at {
            "first" => format!("{{{directives},{rest}}}"),
            _ => format!("{{{rest},{directives}}}"),
        };
        for record in [line.clone(), serde_json::to_string(&line).expect("a text")] {
            let (metrics, _) = metrics_of(false, &[event("derived.metrics", &record)]);
            let names: Vec<&str> = metrics.iter().map(|it| it.name.as_str()).collect();
            assert_eq!(names, ["shop.n"], "{record}");
            let user = text(&histograms(&metrics[0])[0].attributes, "user");
            assert_eq!(user.as_deref(), Some("18446744073709551616"), "every digit");
        }
    }
}
