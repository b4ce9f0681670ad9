//! Metrics at Datadog: what arrives of each observation.

use backstop_delivery::Unfit;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn distributions(options: FormatOptions) -> Box<dyn Format> {
    let primary = primary(Name::Datadog, options);
    let endpoint = primary
        .endpoint(SignalName::Metrics)
        .expect("it has metrics");
    assert!(endpoint.url.ends_with("/api/v1/distribution_points"));
    of(&primary, &endpoint, Signal::Metric)
}

fn derived(metrics: &Value) -> String {
    let record = json!({"start": "2026-01-01T00:00:00.000Z", "metrics": metrics});
    event("derived.metrics", &record.to_string())
}

/// A metric, its tags that are not the function's, and its values.
type Series = (String, Vec<String>, Vec<f64>);

fn sent(fragments: &[String]) -> (Vec<Series>, Written) {
    let format = distributions(FormatOptions::default());
    let (body, written) = body(&*format, &items(fragments), Compression::Gzip);
    let body: Value = serde_json::from_slice(&body).expect("it is JSON");
    let series = body["series"].as_array().expect("there are series");
    let of_function = [
        "function_arn:",
        "functionname:",
        "region:",
        "account_id:",
        "aws_account:",
        "executedversion:",
        "resource:",
        "service:",
        "team:",
    ];
    let series = series.iter().map(|one| {
        assert_eq!(one["type"], "distribution");
        let tags: Vec<String> = serde_json::from_value(one["tags"].clone()).expect("tags");
        assert!(tags.contains(&"functionname:orders".to_owned()), "{tags:?}");
        assert!(tags.contains(&"team:blue_ \"sky\"".to_owned()), "{tags:?}");
        let is_own = |tag: &String| !of_function.iter().any(|start| tag.starts_with(start));
        let points: Vec<(u64, Vec<f64>)> =
            serde_json::from_value(one["points"].clone()).expect("points");
        let values = points.into_iter().flat_map(|(second, values)| {
            assert_eq!(second, 1_767_225_600, "the time of the event");
            values
        });
        let metric = one["metric"].as_str().expect("a name").to_owned();
        (
            metric,
            tags.into_iter().filter(is_own).collect(),
            values.collect(),
        )
    });
    (series.collect(), written)
}

#[test]
fn derived_metrics_have_datadogs_names_and_units() {
    let one = |name: &str, value: f64| json!([{"name": name, "kind": "histogram", "unit": "", "value": value}]);
    let timeout = json!([
        {"name": "faas.timeouts", "kind": "sum", "unit": "{timeout}", "value": 1},
        {"name": "faas.invoke_duration", "kind": "histogram", "unit": "s", "value": 3.0},
    ]);
    let failed = json!([
        {"name": "faas.errors", "kind": "sum", "unit": "", "value": 1, "attributes": {"error.type": "A,B"}},
    ]);
    let none: &[&str] = &[];
    for (metrics, expected) in [
        (
            one("faas.invocations", 1.0),
            vec![("invocations", none, 1.0)],
        ),
        (
            timeout,
            vec![
                ("errors", none, 1.0),
                ("timeouts", none, 1.0),
                ("runtime_duration", none, 3_000.0),
                ("invocations", none, 1.0),
            ],
        ),
        // An initialization that failed is no invocation.
        (failed, vec![("errors", &["error.type:A_B"], 1.0)]),
        (
            one("faas.init_duration", 0.4),
            vec![("init_duration", none, 0.4)],
        ),
        (
            one("faas.mem_usage", 128.0 * 1_048_576.0),
            vec![("max_memory_used", none, 128.0)],
        ),
        (
            one("aws.lambda.billed_duration", 0.1),
            vec![("billed_duration", none, 0.1)],
        ),
        (
            one("aws.lambda.response_latency", 0.25),
            vec![("response_latency", none, 250.0)],
        ),
    ] {
        let (series, written) = sent(&[derived(&metrics)]);
        let expected: Vec<_> = expected
            .iter()
            .map(|(name, tags, value)| {
                let tags = tags.iter().map(|it| (*it).to_owned()).collect();
                (format!("aws.lambda.enhanced.{name}"), tags, vec![*value])
            })
            .collect();
        assert_eq!(series, expected, "{metrics}");
        assert_eq!((written.covers, written.unfit), (1, Vec::new()));
    }
    let (series, _) = sent(&[derived(&one("faas.coldstarts", 1.0))]);
    assert_eq!(series[0].0, "faas.coldstarts", "Datadog has no such metric");
}

#[test]
fn what_it_has_no_form_for_or_is_too_old_is_not_sent() {
    let fine = json!([{"name": "a", "kind": "sum", "unit": "", "value": 1}]);
    let (_, written) = sent(&[
        derived(&json!([])),
        derived(&fine),
        event("function", "\"a line\""),
        // What the function posts by OTLP may be in buckets, and has another address.
        event(
            "otlp.metrics",
            r#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{"name":"a","gauge":{"dataPoints":[{"asInt":"1"}]}}]}]}]}"#,
        ),
    ]);
    let unfit = [0, 2, 3].map(|at| (at, Unfit::NoIntake)).to_vec();
    assert_eq!(written, Written { covers: 4, unfit });

    let late = Context {
        now: Wall::from_rfc3339("2026-01-01T01:00:01Z").expect("it is a time"),
        is_replay: true,
    };
    for (hours, unfit) in [
        (None, vec![(0, Unfit::TooOld)]),
        (Some(0), vec![]),
        (Some(2), vec![]),
    ] {
        let options = FormatOptions {
            max_age_hours: hours,
            ..FormatOptions::default()
        };
        let fragments = [derived(&fine)];
        let (_, written) = body_in(
            late,
            &*distributions(options),
            &items(&fragments),
            Compression::None,
        );
        assert_eq!(written, Written { covers: 1, unfit });
    }
}

#[test]
fn what_the_function_posts_is_another_signal_at_datadog_and_has_its_own_headers() {
    let posted = event("otlp.metrics", r#"{"resourceMetrics":[]}"#);
    let own = derived(&json!([]));
    let signal_of = |primary: &Primary, fragment: &str| {
        let classifier = Classifier::of(Some(primary));
        let signal = classifier.of_fragment(fragment.as_bytes());
        assert_eq!(classifier.of_line(&format!("{{{fragment}}}")), signal);
        signal
    };
    let datadog = primary(Name::Datadog, FormatOptions::default());
    assert_eq!(signal_of(&datadog, &posted), Signal::PostedMetric);
    assert_eq!(signal_of(&datadog, &own), Signal::Metric);
    assert_eq!(
        Classifier::of(Some(&datadog)).of_posted(Signal::Metric),
        Signal::PostedMetric
    );
    let otlp = Primary {
        otlp_url: Some("https://otlp.datadoghq.eu/v1/logs".to_owned()),
        ..datadog.clone()
    };
    assert_eq!(
        signal_of(&otlp, &posted),
        Signal::Metric,
        "there is one address for both"
    );
    assert_eq!(otlp.posted_metrics(), None);

    let endpoint = datadog.posted_metrics().expect("it has an address");
    let names = |format: &dyn Format| {
        let headers = format.headers("key").into_iter();
        let shown = headers.map(|(name, _)| name.as_str().to_owned());
        shown.collect::<Vec<_>>()
    };
    let format = of(&datadog, &endpoint, Signal::PostedMetric);
    assert_eq!(names(&*format), ["dd-otel-metric-config"]);
    for (signal, name, headers) in [
        (
            Signal::Metric,
            SignalName::Metrics,
            vec!["dd-otel-metric-config"],
        ),
        (
            Signal::Span,
            SignalName::Traces,
            vec!["dd-otlp-source", "compute_stats"],
        ),
    ] {
        let endpoint = otlp.endpoint(name).expect("it has an address");
        assert_eq!(names(&*of(&otlp, &endpoint, signal)), headers);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// No body is beyond the bound, no value is lost, and one that is too large is named.
    #[test]
    fn every_value_is_in_one_body_or_another(
        sizes in prop::collection::vec(prop_oneof![1_usize..20, 300_usize..1_000], 1..12),
        name_length in 1_usize..300,
    ) {
        let fragments: Vec<String> = sizes.iter().enumerate().map(|(at, size)| {
            let name = format!("{at}{}", "m".repeat(name_length));
            let metrics: Vec<Value> = (0..*size)
                .map(|value| json!({"name": name, "kind": "sum", "unit": "", "value": value}))
                .collect();
            derived(&metrics.into())
        }).collect();
        let items = items(&fragments);
        let format = distributions(FormatOptions::default());
        let (mut at, mut values) = (0, 0);
        while at < items.len() {
            let (body, written) = body(&*format, &items[at..], Compression::None);
            prop_assert!(body.len() <= 500_000, "{} bytes", body.len());
            prop_assert!(written.covers > 0);
            let body: Value = serde_json::from_slice(&body).expect("it is JSON");
            for one in body["series"].as_array().expect("series") {
                for point in one["points"].as_array().expect("points") {
                    values += point[1].as_array().expect("values").len();
                }
            }
            values += written.unfit.iter().map(|(unfit, _)| sizes[at + unfit]).sum::<usize>();
            at += written.covers;
        }
        prop_assert_eq!(values, sizes.iter().sum::<usize>());
    }
}
