//! Readings compared with `serde_json`'s, and of what is no JSON.

use proptest::prelude::*;
use serde_json::Value;

use super::*;

/// The same value, by this module's reading.
fn tree(json: Json<'_>) -> Value {
    if let Some(text) = json.string() {
        return Value::String(text.into_owned());
    }
    match json.get().as_bytes().first() {
        Some(b'{') => {
            let members = json.members();
            Value::Object(
                members
                    .map(|(name, it)| (name.into_owned(), tree(it)))
                    .collect(),
            )
        }
        Some(b'[') => json.items().map(tree).collect(),
        _ => serde_json::from_str(json.get()).expect("it is a value"),
    }
}

fn value() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "[ -~]{0,20}",
        any::<String>(),
        "[\\x00-\\x1f\\\\\"{}\\[\\],:]{0,20}"
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        // Of these serde reads every digit.
        any::<i32>().prop_map(|it| Value::from(f64::from(it) / 8.0)),
        text.clone().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(text.clone(), inner, 0..5)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_value_is_read_as_serde_reads_it(value in value()) {
        for text in [value.to_string(), format!("{value:#}")] {
            prop_assert_eq!(tree(Json::of(&text).expect("it is a value")), value.clone());
        }
    }

    #[test]
    fn a_tree_is_the_value_and_keeps_every_digit_of_a_whole_number(value in value(), digits in "-?[1-9][0-9]{0,40}") {
        let text = format!("{{\"a\":[{value}, {digits}], \"b\" : {{\"c\":{digits} }} , \"d\":1}}");
        let tree = Json::of(&text).expect("it is a value").tree();
        let is_known = digits.parse::<i64>().is_ok() || digits.parse::<u64>().is_ok();
        let kept = if is_known {
            serde_json::from_str(&digits).expect("it is a number")
        } else {
            Value::from(digits)
        };
        prop_assert_eq!(&tree["a"][0], &value);
        prop_assert_eq!(&tree["a"][1], &kept);
        prop_assert_eq!(&tree["b"]["c"], &kept);
        prop_assert_eq!(&tree["d"], &Value::from(1));
    }

    #[test]
    fn a_string_is_read_as_serde_reads_it(inner in "([ -~]|\\\\[\"\\\\/bfnrtu]|\\\\u[0-9a-fA-F]{4}|\\\\ud8[0-9]{2}\\\\udc[0-9]{2}){0,12}") {
        let text = format!("\"{inner}\"");
        if let Some(json) = Json::of(&text) {
            let expected: Option<String> = serde_json::from_str(&text).ok();
            prop_assert_eq!(json.string().map(Cow::into_owned), expected);
        }
    }

    /// What is not valid comes to an end, and nothing panics.
    #[test]
    fn anything_ends(text in prop_oneof![any::<String>(), "[{}\\[\\]\",:\\\\u0-9a-f tn-]{0,40}"]) {
        let json = Json::valid(&text);
        prop_assert!(json.members().count() + json.items().count() <= 2 * text.len());
        prop_assert!(json.string().is_none_or(|it| it.len() <= text.len()));
        _ = json.tree();
        prop_assert!(json.number().is_none_or(f64::is_finite));
    }
}
