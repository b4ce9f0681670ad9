//! Layers and variables, before and after: case by case. `primary` has those of another primary, `undo` those of
//! undoing and detaching, `any` the properties.

use super::*;

mod any;
mod primary;
mod undo;

const OURS: &str = "arn:aws:lambda:eu-west-1:111122223333:layer:backstop-extension-arm64-0-1-0:3";
const OLDER: &str = "arn:aws:lambda:eu-west-1:111122223333:layer:backstop-extension-arm64-0-0-9:7";

fn theirs(name: &str) -> String {
    format!("arn:aws:lambda:eu-west-1:444455556666:layer:{name}:1")
}

fn config(layers: &[&str], variables: &[(&str, &str)]) -> Config {
    Config {
        layers: layers.iter().map(|it| (*it).to_owned()).collect(),
        variables: (variables.iter())
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    }
}

fn attach(variables: &[(&str, &str)]) -> Attach {
    Attach {
        layer: OURS.to_owned(),
        variables: config(&[], variables).variables,
        ..Attach::default()
    }
}

fn change(live: &Config, wanted: &Wanted) -> Change {
    Change::between(live, &wanted.config, None, |name, _| {
        name == "BACKSTOP_PRIMARY_TOKEN"
    })
}

#[test]
fn a_layer_takes_its_predecessors_place_and_the_order_stays() {
    let (zeta, alpha) = (theirs("zeta"), theirs("alpha"));
    let live = config(&[&zeta, OLDER, &alpha], &[]);
    let wanted = attach(&[]).on(&live).config;
    assert_eq!(wanted.layers, [zeta.as_str(), OURS, alpha.as_str()]);
    let again = attach(&[]).on(&wanted).config;
    assert_eq!(again, wanted);
    let first = attach(&[]).on(&config(&[&zeta, &alpha], &[])).config;
    assert_eq!(first.layers, [zeta.as_str(), alpha.as_str(), OURS]);
}

#[test]
fn what_someone_else_set_is_kept() {
    let live = config(&[], &[("BACKSTOP_TAGS", "a=b"), ("OTHER", "1")]);
    let mut intent = attach(&[("BACKSTOP_TAGS", "c=d"), ("BACKSTOP_S3_BUCKET", "bucket")]);
    let wanted = intent.on(&live);
    assert_eq!(wanted.kept, ["BACKSTOP_TAGS"]);
    assert_eq!(
        wanted.config.variables,
        config(
            &[],
            &[
                ("BACKSTOP_S3_BUCKET", "bucket"),
                ("BACKSTOP_TAGS", "a=b"),
                ("OTHER", "1")
            ]
        )
        .variables
    );
    // Ours, as far as is known, and so it may be changed.
    intent.base = Variables::from_iter([("BACKSTOP_TAGS".to_owned(), Some(Stored::plain("a=b")))]);
    assert!(intent.on(&live).kept.is_empty());
    // Ours was removed by someone: that is a change too.
    intent.base = Variables::from_iter([("BACKSTOP_TAGS".to_owned(), Some(Stored::plain("x=y")))]);
    assert_eq!(intent.on(&config(&[], &[])).kept, ["BACKSTOP_TAGS"]);
    intent.overwrite.insert("BACKSTOP_TAGS".to_owned());
    assert!(intent.on(&live).kept.is_empty());
}

#[test]
fn a_change_of_layers_alone_is_written_with_objects() {
    let change = Change {
        before: Part::default(),
        after: Part {
            layers: vec![OURS.to_owned()],
            variables: Variables::new(),
        },
    };
    let written = serde_json::to_value(change.sealed(|_, _| false)).expect("it is data");
    let expected = serde_json::json!({
        "before": { "layers": [], "variables": {} },
        "after": { "layers": [OURS], "variables": {} },
    });
    assert_eq!(written, expected);
    // Written by others, in any order.
    let unsorted = r#"{"layers":[],"variables":{"B":null,"A":null}}"#;
    let read: Part = serde_json::from_str(unsorted).expect("it is one");
    assert_eq!(read.variables.keys().collect::<Vec<_>>(), ["A", "B"]);
}

#[test]
fn limits_are_exact_to_the_byte() {
    let live = config(&[], &[]);
    // {"K":"…"} is eight bytes more than the value.
    for (length, breaks) in [(4088, None), (4089, Some(Violation::Environment(4097)))] {
        let wanted = config(&[], &[("K", &"v".repeat(length))]);
        assert_eq!(violation(&live, &wanted, "r"), breaks, "{length}");
    }
    let five: Vec<String> = (0..5).map(|it| theirs(&format!("l{it}"))).collect();
    let mut full = Config {
        layers: five,
        ..Config::default()
    };
    let live = full.clone();
    assert_eq!(
        violation(&live, &attach(&[]).on(&live).config, "r"),
        Some(Violation::Layers(6))
    );
    // Variables alone do not send the layers, and fit.
    full.variables.insert("K".to_owned(), "v".repeat(4080));
    assert_eq!(violation(&live, &full, "r"), None);
    let mut both = full.clone();
    both.layers = (0..5)
        .map(|it| theirs(&format!("{}{it}", "long".repeat(40))))
        .collect();
    assert!(matches!(
        violation(&live, &both, "r"),
        Some(Violation::Request(_))
    ));
}
