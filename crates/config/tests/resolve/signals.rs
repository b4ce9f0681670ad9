//! Which signal is delivered where.

use backstop_config::SignalName;

use crate::{URL, primary_with, resolve};

/// What is delivered where, by format, signals and the other address: names and addresses, and the errors.
fn endpoints(variables: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
    let (settings, errors) = resolve(variables);
    let primary = settings.primary.expect("there is a primary");
    let signals = [SignalName::Logs, SignalName::Metrics, SignalName::Traces];
    let shown = signals.iter().filter_map(|signal| {
        let endpoint = primary.endpoint(*signal)?;
        let format = endpoint.format.as_str();
        Some(format!("{} {format} {}", signal.as_str(), endpoint.url))
    });
    (shown.collect(), errors)
}

#[test]
fn each_signal_goes_where_its_format_or_the_other_address_takes_it() {
    let format = |name| ("BACKSTOP_PRIMARY_FORMAT", name);
    let otlp = ("BACKSTOP_OTLP_URL", "https://otlp.example.com/x/v1/traces");
    let eu = ("BACKSTOP_PRIMARY_URL", "eu");
    for (variables, expected) in [
        (
            vec![URL],
            vec!["logs ndjson https://intake.example.com/logs"],
        ),
        (
            vec![URL, ("BACKSTOP_SIGNALS", "metrics")],
            vec!["metrics ndjson https://intake.example.com/logs"],
        ),
        (
            vec![URL, format("otlp")],
            vec![
                "logs otlp https://intake.example.com/logs/v1/logs",
                "metrics otlp https://intake.example.com/logs/v1/metrics",
                "traces otlp https://intake.example.com/logs/v1/traces",
            ],
        ),
        (
            vec![URL, format("otlp"), ("BACKSTOP_SIGNALS", "traces,logs")],
            vec![
                "logs otlp https://intake.example.com/logs/v1/logs",
                "traces otlp https://intake.example.com/logs/v1/traces",
            ],
        ),
        (
            vec![
                (
                    "BACKSTOP_PRIMARY_URL",
                    "https://vl.example.com/insert/opentelemetry",
                ),
                format("otlp"),
            ],
            vec!["logs otlp https://vl.example.com/insert/opentelemetry/v1/logs"],
        ),
        (
            vec![URL, format("splunk"), otlp],
            vec![
                "logs splunk https://intake.example.com/logs/services/collector/event",
                "metrics otlp https://otlp.example.com/x/v1/metrics",
                "traces otlp https://otlp.example.com/x/v1/traces",
            ],
        ),
        (
            vec![eu, format("newrelic")],
            vec![
                "logs newrelic https://log-api.eu.newrelic.com/log/v1",
                "metrics otlp https://otlp.eu01.nr-data.net/v1/metrics",
                "traces otlp https://otlp.eu01.nr-data.net/v1/traces",
            ],
        ),
        (
            vec![URL, format("newrelic")],
            vec!["logs newrelic https://intake.example.com/logs/log/v1"],
        ),
    ] {
        assert_eq!(
            endpoints(&variables),
            (expected.iter().map(|it| (*it).to_owned()).collect(), vec![])
        );
    }
}

#[test]
fn only_datadog_takes_what_the_function_posts_elsewhere_than_other_metrics() {
    let format = |name| ("BACKSTOP_PRIMARY_FORMAT", name);
    let posted = |variables: &[(&str, &str)]| {
        let primary = resolve(variables).0.primary.expect("there is a primary");
        primary
            .posted_metrics()
            .map(|it| format!("{} {}", it.format.as_str(), it.url))
    };
    let site = ("BACKSTOP_PRIMARY_URL", "datadoghq.eu");
    let datadog = format("datadog");
    let otlp = ("BACKSTOP_OTLP_URL", "https://otlp.example.com");
    let expected = "otlp https://otlp.datadoghq.eu/v1/metrics";
    assert_eq!(posted(&[site, datadog]).as_deref(), Some(expected));
    let relay = "otlp https://intake.example.com/logs/v1/metrics";
    let signals = |names| ("BACKSTOP_SIGNALS", names);
    assert_eq!(
        posted(&[URL, datadog, signals("logs,metrics")]).as_deref(),
        Some(relay)
    );
    for none in [
        vec![site, datadog, signals("logs")],
        vec![site, datadog, otlp],
        vec![URL, datadog],
        vec![URL, format("otlp")],
    ] {
        assert_eq!(posted(&none), None, "{none:?}");
    }
}

#[test]
fn a_signal_without_an_intake_and_an_address_that_is_none_are_named_with_what_to_do() {
    let loki = ("BACKSTOP_PRIMARY_FORMAT", "loki");
    let (shown, errors) = endpoints(&[URL, loki, ("BACKSTOP_SIGNALS", "logs,metrics")]);
    assert_eq!(
        shown,
        ["logs loki https://intake.example.com/logs/loki/api/v1/push"]
    );
    assert_eq!(
        errors,
        [
            "BACKSTOP_SIGNALS names metrics, which the format loki does not take: set BACKSTOP_OTLP_URL to where they go, or take metrics out; metrics are not delivered"
        ]
    );
    let (_, errors) = endpoints(&[URL, ("BACKSTOP_SIGNALS", "logs,events")]);
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].contains("events") && errors[0].contains("the default is used"),
        "{errors:?}"
    );
    for wrong in [
        "http://otlp.example.com",
        "otlp.example.com",
        "https://u:p@otlp.example.com",
    ] {
        let (primary, errors) = primary_with("BACKSTOP_OTLP_URL", wrong);
        assert_eq!((primary, errors.len()), (None, 1), "{wrong}: {errors:?}");
        assert!(errors[0].starts_with("BACKSTOP_OTLP_URL"), "{errors:?}");
        assert!(!errors[0].contains("u:p"), "{errors:?}");
    }
}
