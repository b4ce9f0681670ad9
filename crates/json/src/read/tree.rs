//! JSON as a tree that keeps every whole number.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::Json;

/// The most levels of arrays and objects, which is what `serde_json` reads.
const DEEPEST: usize = 127;

pub(super) fn of(value: Json<'_>) -> Value {
    if !value.is_nested() {
        return leaf(value);
    }
    nested(value, DEEPEST).map_or_else(|| text(value), |(tree, _)| tree)
}

fn text(value: Json<'_>) -> Value {
    Value::String(value.get().to_owned())
}

fn leaf(value: Json<'_>) -> Value {
    if let Some(inner) = value.inner() {
        // What is not the text of any string is taken as it stands.
        let read = value.string().map(Cow::into_owned);
        return Value::String(read.unwrap_or_else(|| inner.to_owned()));
    }
    match serde_json::from_str(value.get()) {
        Ok(Value::Number(number)) if value.is_integer() && number.is_f64() => {
            // A double has a zero below zero.
            if value.get() == "-0" {
                Value::Number(number)
            } else {
                text(value)
            }
        }
        Ok(read) => read,
        Err(_) => text(value),
    }
}

/// An array or an object, and how many bytes it takes: each is passed over once, however deep it is.
fn nested(value: Json<'_>, depth: usize) -> Option<(Value, usize)> {
    let depth = depth.checked_sub(1)?;
    if value.is_object() {
        let mut members = value.members();
        let mut map = Map::new();
        while let Some((name, value)) = members.open() {
            let tree = if value.is_nested() {
                let (tree, length) = nested(value, depth)?;
                members.passed(length);
                tree
            } else {
                leaf(members.pass()?)
            };
            map.insert(name.into_owned(), tree);
        }
        return Some((Value::Object(map), members.length()));
    }
    let mut items = value.items();
    let mut all = Vec::new();
    while let Some(value) = items.open() {
        if value.is_nested() {
            let (tree, length) = nested(value, depth)?;
            items.passed(length);
            all.push(tree);
        } else {
            all.push(leaf(items.pass()?));
        }
    }
    Some((Value::Array(all), items.length()))
}
