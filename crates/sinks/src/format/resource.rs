//! The resource's attributes, as every format gets them.

use std::borrow::Cow;

use backstop_json::Json;
use serde_json::Value;

/// What is said of the function that emitted a record.
#[derive(Debug, Clone, Default)]
pub(super) struct Attributes {
    /// By OpenTelemetry's names, in their order.
    pub(super) all: Vec<(String, Value)>,
}

impl Attributes {
    /// Of a resource as the archive has it, with what follows from it.
    pub(super) fn of(resource: &[u8]) -> Self {
        let text = std::str::from_utf8(resource).unwrap_or_default();
        let written = Json::of(text).map(Json::tree);
        let Value::Object(written) = written.unwrap_or_default() else {
            return Self::default();
        };
        let mut attributes = Self {
            all: written.into_iter().collect(),
        };
        attributes.add("cloud.platform", Some("aws_lambda".to_owned()));
        attributes.add("cloud.resource_id", attributes.arn());
        let service = attributes.text("service").or(attributes.text("faas.name"));
        attributes.add("service.name", service.map(str::to_owned));
        attributes
    }

    /// As OTLP has them. The id of the resource is the ARN of the version that runs, never of an alias
    /// (<https://opentelemetry.io/docs/specs/semconv/resource/cloud/>). `faas.id` is obsolete there, and New Relic's
    /// view of functions needs it.
    pub(super) fn in_otlp(&self) -> impl Iterator<Item = (&str, Cow<'_, Value>)> {
        let arn = self.arn().map(Value::String);
        let version = self.text("faas.version");
        let version = version.filter(|it| !matches!(*it, "" | "$LATEST"));
        let versioned = version.zip(arn.as_ref().and_then(Value::as_str));
        let versioned = versioned.map(|(version, arn)| Value::String(format!("{arn}:{version}")));
        let own = arn.clone();
        let all = self.all.iter().map(move |(name, value)| {
            let is_own = name == "cloud.resource_id" && own.as_ref() == Some(value);
            let versioned = versioned.clone().filter(|_| is_own);
            (
                name.as_str(),
                versioned.map_or(Cow::Borrowed(value), Cow::Owned),
            )
        });
        let id = arn.filter(|_| self.get("faas.id").is_none());
        all.chain(id.map(|arn| ("faas.id", Cow::Owned(arn))))
    }

    fn add(&mut self, name: &str, value: Option<String>) {
        if let Some(value) = value.filter(|value| !value.is_empty())
            && self.get(name).is_none()
        {
            self.all.push((name.to_owned(), Value::String(value)));
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        let mut all = self.all.iter();
        all.find(|(known, _)| known == name).map(|(_, value)| value)
    }

    /// An attribute that is a text.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    /// The same, empty where there is none.
    pub(super) fn or_empty(&self, name: &str) -> &str {
        self.text(name).unwrap_or_default()
    }

    /// The attribute as a text, whatever it is.
    pub(super) fn shown(value: &Value) -> String {
        match value {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }

    /// The function's ARN; none where a part of it is not known.
    pub(super) fn arn(&self) -> Option<String> {
        let region = self.text("cloud.region").filter(|it| !it.is_empty())?;
        let account = self.text("cloud.account.id").filter(|it| !it.is_empty())?;
        let name = self.text("faas.name").filter(|it| !it.is_empty())?;
        let partition = backstop_config::partition_of(region);
        Some(format!(
            "arn:{partition}:lambda:{region}:{account}:function:{name}"
        ))
    }

    /// The user's own attributes under names that are not `taken`: two names may become one, and a receiver
    /// refuses a member that is there twice.
    pub(super) fn tags_beside(
        &self,
        taken: &[&str],
        rename: impl Fn(&str) -> String,
    ) -> Vec<(String, String)> {
        let mut tags: Vec<(String, String)> = Vec::new();
        for (name, value) in self.tags() {
            let mut name = rename(name);
            while taken.contains(&name.as_str()) || tags.iter().any(|(known, _)| *known == name) {
                name.push('_');
            }
            tags.push((name, value));
        }
        tags
    }

    /// The user's own attributes.
    pub(super) fn tags(&self) -> impl Iterator<Item = (&str, String)> {
        let is_ours = |name: &str| {
            backstop_config::RESERVED_TAGS.contains(&name)
                || matches!(
                    name,
                    "cloud.platform" | "cloud.resource_id" | "service.name"
                )
        };
        let all = self.all.iter().filter(move |(name, _)| !is_ours(name));
        all.map(|(name, value)| (name.as_str(), Self::shown(value)))
    }
}
