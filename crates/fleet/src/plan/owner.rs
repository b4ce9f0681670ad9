//! Detects who else manages a function, and other vendors' extensions on it.

use std::collections::BTreeMap;

use super::Reason;
use crate::change::LayerArn;

/// Names of tags, in lower case and without separators, whose value names a tool.
const TOOL_TAGS: [&str; 6] = [
    "managedby",
    "provisioner",
    "provisionedby",
    "createdby",
    "deployedby",
    "iac",
];

/// What other vendors' extensions are called; parts of layer names, in lower case.
const OTHERS: [(&str, &str); 13] = [
    ("datadog-extension", "Datadog"),
    ("newrelic", "New Relic"),
    ("dynatrace", "Dynatrace"),
    ("elastic-apm-extension", "Elastic"),
    ("lumigo", "Lumigo"),
    ("aws-otel", "the AWS distribution of OpenTelemetry"),
    ("opentelemetry-collector", "the OpenTelemetry collector"),
    ("honeycomb-lambda-extension", "Honeycomb"),
    ("sumologic", "Sumo Logic"),
    ("coralogix", "Coralogix"),
    ("splunk", "Splunk"),
    ("axiom", "Axiom"),
    ("logzio", "Logz.io"),
];

/// What manages the function, by its tags, and in which words they say so.
pub fn manager(tags: &BTreeMap<String, String>) -> Option<(Reason, String)> {
    let stack = tags
        .get("aws:cloudformation:stack-name")
        .or_else(|| tags.get("aws:cloudformation:stack-id"));
    if let Some(stack) = stack {
        return Some((Reason::ManagedByCfn, format!("stack {stack}")));
    }
    let says_so = |key: &str, value: &str| {
        let key: String = (key.chars())
            .filter(|one| one.is_alphanumeric())
            .collect::<String>()
            .to_lowercase();
        let value = value.to_lowercase();
        let is_tool = ["terraform", "opentofu", "tofu"]
            .iter()
            .any(|tool| value.contains(tool));
        let is_yes = !matches!(value.as_str(), "false" | "no" | "0");
        (TOOL_TAGS.contains(&key.as_str()) && is_tool)
            || (key.starts_with("terraform") && is_yes)
            || (key.starts_with("opentofu") && is_yes)
    };
    (tags.iter())
        .find(|(key, value)| says_so(key, value))
        .map(|(key, value)| (Reason::ManagedByTerraform, format!("tag {key}={value}")))
}

/// The vendor of a layer that sends telemetry as well.
pub fn other_extension(layers: &[String]) -> Option<&'static str> {
    layers.iter().find_map(|arn| {
        let name = LayerArn::parse(arn)?.name.to_lowercase();
        let found = OTHERS.iter().find(|(part, _)| name.contains(part));
        found.map(|(_, vendor)| *vendor)
    })
}

/// Whether the runtime is built on Amazon Linux 1.
/// (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html>)
pub fn is_too_old(runtime: &str) -> bool {
    matches!(
        runtime,
        "provided"
            | "go1.x"
            | "java8"
            | "nodejs"
            | "nodejs4.3"
            | "nodejs4.3-edge"
            | "nodejs6.10"
            | "nodejs8.10"
            | "python2.7"
            | "python3.6"
            | "python3.7"
            | "ruby2.5"
            | "dotnetcore1.0"
            | "dotnetcore2.0"
            | "dotnetcore2.1"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_say_who_manages_a_function() {
        for (key, value, expected) in [
            (
                "aws:cloudformation:stack-name",
                "shop",
                Some(Reason::ManagedByCfn),
            ),
            ("ManagedBy", "Terraform", Some(Reason::ManagedByTerraform)),
            (
                "managed-by",
                "opentofu/1.9",
                Some(Reason::ManagedByTerraform),
            ),
            ("terraform", "true", Some(Reason::ManagedByTerraform)),
            ("Terraform", "false", None),
            (
                "terraform:workspace",
                "prod",
                Some(Reason::ManagedByTerraform),
            ),
            ("managed-by", "the platform team", None),
            ("team", "terraforming", None),
        ] {
            let tags = BTreeMap::from([(key.to_owned(), value.to_owned())]);
            let found = manager(&tags).map(|(reason, _)| reason);
            assert_eq!(found, expected, "{key}={value}");
        }
    }

    #[test]
    fn other_vendors_layers_are_known() {
        let arn = |name: &str| {
            vec![format!(
                "arn:aws:lambda:eu-west-1:464622532012:layer:{name}:65"
            )]
        };
        assert_eq!(
            other_extension(&arn("Datadog-Extension-ARM")),
            Some("Datadog")
        );
        assert_eq!(
            other_extension(&arn("NewRelicNodeJS22X")),
            Some("New Relic")
        );
        assert_eq!(other_extension(&arn("pandas")), None);
    }
}
