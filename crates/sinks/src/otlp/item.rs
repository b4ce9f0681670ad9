//! A received item on its way to a primary that takes OTLP.
//!
//! What the function's SDK says of its resource is kept. What Backstop knows of the function is added where the SDK
//! does not say it; a `service.name` that begins with `unknown_service`, which SDKs set where nobody chose a name,
//! gives way.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Shape;
use super::schema::{RESOURCE, SCOPE};
use super::write::{Strictness, protobuf};
use crate::codec::Output;
use crate::wire::{Message as _, field_of};

/// An item, taken out of its record.
#[derive(Debug)]
pub(crate) struct Received<'a> {
    pub(crate) shape: &'static Shape,
    /// The request without the item: items with the same may stand together.
    pub(crate) around: String,
    pub(crate) item: &'a RawValue,
}

#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow, alias = "resourceMetrics", alias = "resourceSpans")]
    #[serde(rename = "resourceLogs")]
    groups: Vec<Group<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group<'a> {
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    #[serde(borrow, alias = "scopeMetrics", alias = "scopeSpans")]
    #[serde(rename = "scopeLogs")]
    scopes: Vec<Scope<'a>>,
    #[serde(borrow)]
    schema_url: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Scope<'a> {
    #[serde(borrow, rename = "scope")]
    name: Option<&'a RawValue>,
    #[serde(borrow, alias = "metrics", alias = "spans")]
    #[serde(rename = "logRecords")]
    items: Vec<&'a RawValue>,
    #[serde(borrow)]
    schema_url: Option<&'a RawValue>,
}

/// What stands around items, as [`Received::around`] has it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Around<'a> {
    #[serde(borrow)]
    resource: Option<&'a RawValue>,
    resource_schema: Option<String>,
    #[serde(borrow)]
    scope: Option<&'a RawValue>,
    scope_schema: Option<String>,
}

impl<'a> Received<'a> {
    /// The item of a record; `None` where it is not one, or not alone.
    pub(crate) fn of(kind: &str, record: &'a str) -> Option<Self> {
        let shape = Shape::of_kind(kind)?;
        let request: Request<'a> = serde_json::from_str(record).ok()?;
        let [group] = &request.groups[..] else {
            return None;
        };
        let [scope] = &group.scopes[..] else {
            return None;
        };
        let [item] = scope.items[..] else {
            return None;
        };
        let is_object = item.get().starts_with('{');
        let text = |value: Option<&'a RawValue>| value.map_or("null", RawValue::get);
        let around = format!(
            r#"{{"resource":{},"resource_schema":{},"scope":{},"scope_schema":{}}}"#,
            text(group.resource),
            text(group.schema_url),
            text(scope.name),
            text(scope.schema_url),
        );
        is_object.then_some(Self {
            shape,
            around,
            item,
        })
    }

    /// Writes it as an element of its scope's list, with attributes that it does not have.
    pub(crate) fn write(&self, added: &[(&str, &str)], is_json: bool, out: &mut Vec<u8>) {
        let text = self.item.get();
        let is_new = |(name, value): &&(&str, &str)| {
            !value.is_empty() && !text.contains(&format!("\"{name}\""))
        };
        let added = added.iter().filter(is_new);
        if !is_json {
            out.message(2, |out| {
                _ = protobuf(self.shape.item, text.as_bytes(), Strictness::Lenient, out);
                if let Some(number) = self.shape.attributes {
                    for (name, value) in added {
                        out.message(number, |pair| {
                            pair.string(1, name);
                            pair.message(2, |any| any.string(1, value));
                        });
                    }
                }
            });
            return;
        }
        let pairs: Vec<String> = added
            .filter(|_| self.shape.attributes.is_some())
            .map(|(name, value)| json!({"key": name, "value": {"stringValue": value}}).to_string())
            .collect();
        out.extend_from_slice(with_attributes(text, &pairs.join(",")).as_bytes());
    }
}

/// Where a part of a text begins in it.
fn place(part: &str, text: &str) -> usize {
    part.as_ptr().addr() - text.as_ptr().addr()
}

/// The text of an object with attributes, with more of them; the rest of it stays as it is.
fn with_attributes<'a>(object: &'a str, pairs: &str) -> Cow<'a, str> {
    #[derive(Deserialize)]
    struct Known<'a> {
        #[serde(borrow)]
        attributes: Option<&'a RawValue>,
    }
    if pairs.is_empty() {
        return Cow::Borrowed(object);
    }
    let known: Option<Known<'_>> = serde_json::from_str(object).ok();
    let known = known.and_then(|it| it.attributes).map(RawValue::get);
    let known = known.filter(|it| it.starts_with('['));
    let (before, after) = object.split_at(known.map_or(1, |list| place(list, object) + 1));
    let is_last = after.trim_start().starts_with([']', '}']);
    let comma = if is_last { "" } else { "," };
    Cow::Owned(match known {
        Some(_) => format!("{before}{pairs}{comma}{after}"),
        None => format!("{before}\"attributes\":[{pairs}]{comma}{after}"),
    })
}

/// Writes an element of the request's list, of which the items are written already. `known` is what Backstop knows of
/// the function, as attributes of OTLP's JSON.
pub(crate) fn wrap(
    shape: &Shape,
    around: &str,
    known: &[(&str, Value)],
    items: &[u8],
    is_json: bool,
    out: &mut Output,
) {
    let around: Around<'_> = serde_json::from_str(around).unwrap_or_default();
    let object = |value: Option<&'_ RawValue>| -> Option<String> {
        let text = value?.get();
        text.starts_with('{').then(|| text.to_owned())
    };
    let resource = object(around.resource).unwrap_or_else(|| "{}".to_owned());
    let resource = merged(resource, known);
    let scope = object(around.scope);
    if !is_json {
        let described = |message, text: &str| {
            let mut described = Vec::new();
            described.message(1, |out| {
                _ = protobuf(message, text.as_bytes(), Strictness::Lenient, out);
            });
            described
        };
        let url = |url: Option<String>| {
            let mut written = Vec::new();
            if let Some(url) = url {
                written.string(3, &url);
            }
            written
        };
        let resource = described(&RESOURCE, &resource);
        let scope = scope.map_or_else(Vec::new, |text| described(&SCOPE, &text));
        let (scope_url, url) = (url(around.scope_schema), url(around.resource_schema));
        // The lengths are known before anything is written: the items may be megabytes, and are not moved.
        let scoped = scope.len() + items.len() + scope_url.len();
        let head = out.bytes();
        head.message_of(1, resource.len() + field_of(scoped) + url.len());
        head.extend_from_slice(&resource);
        head.message_of(2, scoped);
        head.extend_from_slice(&scope);
        out.append(items);
        out.bytes().extend(scope_url.iter().chain(&url));
        return;
    }
    let [_, scopes, list] = shape.names;
    let head = out.bytes();
    let mut text = |text: &str| head.extend_from_slice(text.as_bytes());
    text(&format!(r#"{{"resource":{resource},"{scopes}":[{{"#));
    if let Some(scope) = scope {
        text(&format!(r#""scope":{scope},"#));
    }
    text(&format!(r#""{list}":["#));
    out.append(items);
    let url = |url: Option<String>| {
        url.map_or_else(String::new, |it| format!(r#","schemaUrl":{}"#, json!(it)))
    };
    let end = format!(
        "]{}}}]{}}}",
        url(around.scope_schema),
        url(around.resource_schema)
    );
    out.bytes().extend_from_slice(end.as_bytes());
}

/// Whether an SDK names the service so because nobody did.
pub(crate) fn is_unnamed(name: &str, value: &Value) -> bool {
    let text = value.as_str().unwrap_or_default();
    name == "service.name" && text.starts_with("unknown_service")
}

/// The resource with what is known beside it. Its text is changed and not a tree of it, so that every number stays as
/// it is.
fn merged(mut resource: String, known: &[(&str, Value)]) -> String {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Pairs<'a> {
        #[serde(borrow)]
        attributes: Vec<&'a RawValue>,
    }
    let known: Vec<(&str, String)> = known
        .iter()
        .map(|(name, value)| (*name, json!({"key": name, "value": value}).to_string()))
        .collect();
    let mut said: Vec<String> = Vec::new();
    let mut unnamed = None;
    let pairs: Pairs<'_> = serde_json::from_str(&resource).unwrap_or_default();
    for text in pairs.attributes.into_iter().map(RawValue::get) {
        let pair: Value = serde_json::from_str(text).unwrap_or_default();
        let name = pair["key"].as_str().unwrap_or_default();
        let own = known.iter().find(|(known, _)| *known == name);
        if let Some((_, own)) = own
            && is_unnamed(name, &pair["value"]["stringValue"])
        {
            let start = place(text, &resource);
            unnamed = Some((start..start + text.len(), own));
        }
        said.push(name.to_owned());
    }
    if let Some((range, own)) = unnamed {
        resource.replace_range(range, own);
    }
    let new = known
        .iter()
        .filter(|(name, _)| !said.iter().any(|it| it == name));
    let new: Vec<&str> = new.map(|(_, pair)| &**pair).collect();
    with_attributes(&resource, &new.join(",")).into_owned()
}
