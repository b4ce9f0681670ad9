//! Whether an object is one that strict parsers refuse: a name twice in one object, or nesting beyond reason.
//!
//! RFC 8259 lets a name repeat; Elasticsearch and `OpenSearch` refuse the document, and flattened objects deeper
//! than 20.

use std::borrow::Cow;
use std::collections::BTreeSet;

use backstop_json::Json;

const DEEPEST: usize = 20;
/// Names that are compared one with the other; more are put in order.
const FEW: usize = 16;

/// Whether it has any.
pub(super) fn has(object: Json<'_>) -> bool {
    is_refused(object, DEEPEST)
}

/// `levels` may follow.
fn is_refused(value: Json<'_>, levels: usize) -> bool {
    let is_inner = |value: Json<'_>| match value.get().as_bytes().first() {
        _ if levels == 0 => true,
        Some(b'{' | b'[') => is_refused(value, levels - 1),
        _ => false,
    };
    if !value.is_object() {
        return value.items().any(is_inner);
    }
    let mut few: [Cow<'_, str>; FEW] = Default::default();
    let mut more = BTreeSet::new();
    for (count, (name, value)) in value.members().enumerate() {
        let known = few.get(..count.min(FEW)).unwrap_or_default();
        if known.contains(&name) || is_inner(value) {
            return true;
        }
        match few.get_mut(count) {
            Some(place) => *place = name,
            None if !more.insert(name) => return true,
            None => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_twice_in_one_object_is_found_at_any_depth_and_so_is_what_is_too_deep() {
        let deep = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        let many = |members: usize| {
            let members = (0..members).map(|it| format!("\"{it}\":0,"));
            members.collect::<String>()
        };
        for (text, expected) in [
            (
                r#"{"a":1,"b":{"a":2},"c":[{"a":3},{"a":4}]}"#.to_owned(),
                false,
            ),
            (r#"{"a":1,"a":1}"#.to_owned(), true),
            (r#"{"a":1,"\u0061":1}"#.to_owned(), true),
            (format!("{{{}\"20\":1}}", many(20)), false),
            (format!("{{{}\"3\":1}}", many(20)), true),
            (format!("{{{}\"19\":1}}", many(20)), true),
            (r#"{"b":[{"a":1,"x":{"y":1,"y":2}}]}"#.to_owned(), true),
            (format!(r#"{{"a":{}}}"#, deep(19)), false),
            (format!(r#"{{"a":{}}}"#, deep(21)), true),
        ] {
            let object = Json::of(&text).expect("it is JSON");
            assert_eq!(has(object), expected, "{text}");
        }
    }
}
