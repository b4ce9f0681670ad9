//! The Telemetry API's subscription: what an extension asks for, held against the platform's rules.
//!
//! Invariant: what Lambda refuses is refused here, with a `ValidationError`. Must not be lenient
//! with a value that happens to be harmless on loopback.

use std::net::{Ipv4Addr, SocketAddr};

use http::Uri;
use serde::Deserialize;

use super::InitializationType;

const SCHEMAS: [&str; 3] = ["2022-07-01", "2022-12-13", "2025-01-29"];
const NEWEST_SCHEMA: &str = "2025-01-29";
const TYPES: [&str; 3] = ["platform", "function", "extension"];
const RESERVED_PORT: u16 = 9001;

/// How the simulated platform treats the Telemetry API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TelemetryMode {
    /// As Lambda does.
    #[default]
    Supported,
    /// A platform that does not know schema 2025-01-29 yet: 400.
    OldSchemaOnly,
    /// A local emulator without the API: 202, and no events ever.
    NotSupported,
}

/// An accepted subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    pub schema_version: String,
    /// As given, without repetitions.
    pub types: Vec<String>,
    /// The most events in a batch.
    pub max_items: usize,
    /// The size in bytes at which a batch is sent.
    pub max_bytes: usize,
    /// The age in milliseconds at which a batch is sent.
    pub timeout_ms: u64,
    /// The destination as given.
    pub destination: String,
    /// The same on loopback.
    pub listener: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Request {
    schema_version: String,
    types: Vec<String>,
    #[serde(default)]
    buffering: Buffering,
    destination: Destination,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Buffering {
    max_items: usize,
    max_bytes: usize,
    timeout_ms: u64,
}

impl Default for Buffering {
    fn default() -> Self {
        Self {
            max_items: 10_000,
            max_bytes: 262_144,
            timeout_ms: 1_000,
        }
    }
}

#[derive(Deserialize)]
struct Destination {
    protocol: String,
    #[serde(rename = "URI", alias = "uri")]
    uri: String,
}

/// Reads the body of a subscription; the error is the message for the client.
pub(super) fn parse(
    body: &[u8],
    mode: TelemetryMode,
    initialization: InitializationType,
) -> Result<Subscription, String> {
    let request: Request = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let old_only = mode == TelemetryMode::OldSchemaOnly;
    let schema = request.schema_version.as_str();
    let new_only = initialization == InitializationType::ManagedInstances;
    let known = SCHEMAS.contains(&schema)
        && !(old_only && schema == NEWEST_SCHEMA)
        && !(new_only && schema != NEWEST_SCHEMA);
    if !known {
        return Err(format!("schemaVersion {schema} is not supported"));
    }
    let mut types: Vec<String> = Vec::new();
    for kind in request.types {
        if !TYPES.contains(&kind.as_str()) {
            return Err(format!("type {kind} is not one of {TYPES:?}"));
        }
        if !types.contains(&kind) {
            types.push(kind);
        }
    }
    if types.is_empty() {
        return Err("types must not be empty".to_owned());
    }
    let Buffering {
        max_items,
        max_bytes,
        timeout_ms,
    } = request.buffering;
    within("maxItems", max_items, 1_000, 10_000)?;
    within("maxBytes", max_bytes, 262_144, 1_048_576)?;
    within("timeoutMs", timeout_ms, 25, 30_000)?;
    let destination = request.destination.uri;
    if request.destination.protocol != "HTTP" {
        return Err(format!(
            "protocol {} is not simulated",
            request.destination.protocol
        ));
    }
    let listener = loopback(&destination)?;
    Ok(Subscription {
        schema_version: request.schema_version,
        types,
        max_items,
        max_bytes,
        timeout_ms,
        destination,
        listener,
    })
}

fn within<T: Copy + PartialOrd + std::fmt::Display>(
    name: &str,
    value: T,
    least: T,
    most: T,
) -> Result<(), String> {
    if value < least || value > most {
        return Err(format!("{name} {value} is not between {least} and {most}"));
    }
    Ok(())
}

/// The destination inside the environment, which here is this machine's loopback.
fn loopback(destination: &str) -> Result<String, String> {
    let invalid = |why: &str| format!("destination URI {destination} {why}");
    let uri: Uri = destination.parse().map_err(|_| invalid("is not a URI"))?;
    if uri.scheme_str() != Some("http") {
        return Err(invalid("must be http"));
    }
    if !matches!(uri.host(), Some("sandbox.localdomain" | "sandbox")) {
        return Err(invalid("must name the host sandbox.localdomain"));
    }
    match uri.port_u16() {
        None => Err(invalid("has no port")),
        Some(RESERVED_PORT) => Err(invalid("names a reserved port")),
        Some(port) => {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            let path = uri
                .path_and_query()
                .map_or("/", http::uri::PathAndQuery::as_str);
            Ok(format!("http://{address}{path}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn valid() -> Value {
        json!({
            "schemaVersion": "2025-01-29",
            "types": ["platform", "function", "extension"],
            "buffering": { "maxItems": 1000, "maxBytes": 262_144, "timeoutMs": 25 },
            "destination": { "protocol": "HTTP", "URI": "http://sandbox.localdomain:4243/in" },
        })
    }

    fn subscribe(change: impl FnOnce(&mut Value)) -> Result<Subscription, String> {
        let mut body = valid();
        change(&mut body);
        let body = body.to_string();
        parse(
            body.as_bytes(),
            TelemetryMode::Supported,
            InitializationType::OnDemand,
        )
    }

    #[test]
    fn a_valid_subscription_is_rewritten_to_loopback() {
        let subscription = subscribe(|_| ()).ok();
        assert_eq!(
            subscription
                .map(|subscription| subscription.listener)
                .as_deref(),
            Some("http://127.0.0.1:4243/in")
        );
    }

    #[test]
    fn values_out_of_range_are_refused() {
        let uri = "/destination/URI";
        let changes = [
            ("schemaVersion", "/schemaVersion", json!("2021-01-01")),
            ("types must not be empty", "/types", json!([])),
            ("type x", "/types", json!(["x"])),
            ("maxItems 999", "/buffering/maxItems", json!(999)),
            ("maxItems 10001", "/buffering/maxItems", json!(10_001)),
            ("maxBytes 262143", "/buffering/maxBytes", json!(262_143)),
            ("timeoutMs 24", "/buffering/timeoutMs", json!(24)),
            ("timeoutMs 30001", "/buffering/timeoutMs", json!(30_001)),
            ("protocol", "/destination/protocol", json!("TCP")),
            (
                "must be http",
                uri,
                json!("https://sandbox.localdomain:4243"),
            ),
            ("must name the host", uri, json!("http://example.com:4243")),
            ("has no port", uri, json!("http://sandbox.localdomain")),
            ("reserved", uri, json!("http://sandbox:9001")),
        ];
        for (expected, field, value) in changes {
            let error = subscribe(|body| {
                if let Some(old) = body.pointer_mut(field) {
                    *old = value;
                }
            })
            .err();
            assert!(
                error.as_ref().is_some_and(|error| error.contains(expected)),
                "{expected}: {error:?}"
            );
        }
    }

    #[test]
    fn the_schema_depends_on_the_platform() {
        let with = |schema: &str, mode, initialization| {
            let mut body = valid();
            body["schemaVersion"] = json!(schema);
            parse(body.to_string().as_bytes(), mode, initialization).is_ok()
        };
        let (on_demand, managed) = (
            InitializationType::OnDemand,
            InitializationType::ManagedInstances,
        );
        assert!(with("2022-12-13", TelemetryMode::OldSchemaOnly, on_demand));
        assert!(!with("2025-01-29", TelemetryMode::OldSchemaOnly, on_demand));
        assert!(with("2025-01-29", TelemetryMode::Supported, managed));
        assert!(!with("2022-12-13", TelemetryMode::Supported, managed));
    }

    #[test]
    fn missing_buffering_has_the_documented_defaults() {
        let subscription = subscribe(|body| {
            body.as_object_mut().map(|body| body.remove("buffering"));
        });
        assert_eq!(
            subscription.map(|it| (it.max_items, it.max_bytes, it.timeout_ms)),
            Ok((10_000, 262_144, 1_000))
        );
    }
}
