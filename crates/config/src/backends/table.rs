//! Every backend with a name, as data.
//!
//! Invariant: in the order of the alphabet; each option is used in an address, a header or before a token, and
//! each `{name}` there is an option. A fact is what the backend's own documentation says.

use super::{Backend, BackendOption, Rule};
use crate::format::Format;

const fn required(name: &'static str, rule: Rule, meaning: &'static str) -> BackendOption {
    BackendOption {
        name,
        rule,
        is_required: true,
        default: None,
        meaning,
    }
}

const fn with_default(
    name: &'static str,
    rule: Rule,
    default: &'static str,
    meaning: &'static str,
) -> BackendOption {
    BackendOption {
        name,
        rule,
        is_required: false,
        default: Some(default),
        meaning,
    }
}

const fn backend(
    name: &'static str,
    title: &'static str,
    format: Format,
    url: &'static str,
) -> Backend {
    Backend {
        name,
        title,
        format,
        url,
        headers: &[],
        token_header: None,
        token_prefix: "",
        needs_token: true,
        options: &[],
    }
}

/// Every backend with a name, in the order of the alphabet.
pub static BACKENDS: &[Backend] = &[
    Backend {
        headers: &[("x-axiom-dataset", "{dataset}")],
        options: &[
            required("dataset", Rule::Name, "the dataset that records go to"),
            with_default(
                "domain",
                Rule::Domain,
                "api.axiom.co",
                "the domain of your edge deployment",
            ),
        ],
        ..backend("axiom", "Axiom", Format::Otlp, "https://{domain}")
    },
    Backend {
        options: &[required(
            "host",
            Rule::Host,
            "the ingesting host of the source",
        )],
        ..backend(
            "better-stack",
            "Better Stack",
            Format::Ndjson,
            "https://{host}",
        )
    },
    Backend {
        headers: &[
            ("x-aws-log-group", "{log_group}"),
            ("x-aws-log-stream", "{log_stream}"),
        ],
        options: &[
            required("region", Rule::Name, "the region of the log group"),
            required("log_group", Rule::Path, "an existing log group"),
            required(
                "log_stream",
                Rule::Path,
                "an existing log stream in the group",
            ),
        ],
        ..backend(
            "cloudwatch",
            "CloudWatch Logs",
            Format::Otlp,
            "https://logs.{region}.amazonaws.com",
        )
    },
    Backend {
        options: &[required(
            "site",
            Rule::Domain,
            "the site, such as `datadoghq.eu`",
        )],
        ..backend(
            "datadog",
            "Datadog",
            Format::Datadog,
            "https://http-intake.logs.{site}",
        )
    },
    Backend {
        needs_token: false,
        options: &[required("host", Rule::Host, "the host of the cluster")],
        ..backend(
            "elastic",
            "Elasticsearch",
            Format::Elastic,
            "https://{host}",
        )
    },
    Backend {
        options: &[required("host", Rule::Host, "the host of the gateway")],
        ..backend(
            "gateway",
            "Backstop's gateway",
            Format::Otlp,
            "https://{host}",
        )
    },
    Backend {
        token_prefix: "{instance}:",
        options: &[
            required(
                "zone",
                Rule::Name,
                "the zone of the stack, such as `prod-eu-west-0`",
            ),
            required(
                "instance",
                Rule::Number,
                "the instance id of the stack's OTLP endpoint",
            ),
        ],
        ..backend(
            "grafana-cloud",
            "Grafana Cloud",
            Format::Otlp,
            "https://otlp-gateway-{zone}.grafana.net/otlp",
        )
    },
    Backend {
        headers: &[("x-honeycomb-dataset", "{dataset}")],
        token_header: Some("x-honeycomb-team"),
        options: &[
            with_default(
                "region",
                Rule::Words(&[("us", "api.honeycomb.io"), ("eu", "api.eu1.honeycomb.io")]),
                "us",
                "where your team is",
            ),
            BackendOption {
                name: "dataset",
                rule: Rule::Name,
                is_required: false,
                default: None,
                meaning: "the dataset, for a Classic environment; other environments name it after the service",
            },
        ],
        ..backend("honeycomb", "Honeycomb", Format::Otlp, "https://{region}")
    },
    Backend {
        needs_token: false,
        options: &[required("host", Rule::Host, "the host of Loki")],
        ..backend("loki", "Grafana Loki", Format::Loki, "https://{host}")
    },
    Backend {
        options: &[with_default(
            "region",
            Rule::Words(&[
                ("us", "log-api.newrelic.com"),
                ("eu", "log-api.eu.newrelic.com"),
                ("gov", "gov-log-api.newrelic.com"),
            ]),
            "us",
            "where your account is",
        )],
        ..backend(
            "newrelic",
            "New Relic",
            Format::NewRelic,
            "https://{region}",
        )
    },
    Backend {
        needs_token: false,
        options: &[required("host", Rule::Host, "the host of the cluster")],
        ..backend(
            "opensearch",
            "OpenSearch",
            Format::Elastic,
            "https://{host}",
        )
    },
    Backend {
        options: &[required(
            "host",
            Rule::Host,
            "the host of the HTTP Event Collector, with its port",
        )],
        ..backend(
            "splunk",
            "Splunk Enterprise",
            Format::Splunk,
            "https://{host}",
        )
    },
    Backend {
        options: &[required(
            "stack",
            Rule::Name,
            "the name of the stack, on AWS",
        )],
        ..backend(
            "splunk-cloud",
            "Splunk Cloud Platform",
            Format::Splunk,
            "https://http-inputs-{stack}.splunkcloud.com",
        )
    },
    Backend {
        needs_token: false,
        options: &[required("host", Rule::Host, "the host of VictoriaLogs")],
        ..backend(
            "victorialogs",
            "VictoriaLogs",
            Format::Otlp,
            "https://{host}/insert/opentelemetry",
        )
    },
];
