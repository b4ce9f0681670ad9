//! Layers and variables, before and after: case by case. `any` has the properties.

use super::*;

mod any;

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
fn another_primary_does_not_get_what_belongs_to_the_one_before() {
    const URL: &str = "BACKSTOP_PRIMARY_URL";
    const FORMAT: &str = "BACKSTOP_PRIMARY_FORMAT";
    const TOKEN: &str = "BACKSTOP_PRIMARY_TOKEN";
    const HEADERS: &str = "BACKSTOP_PRIMARY_HEADERS";
    const OPTIONS: &str = "BACKSTOP_PRIMARY_OPTIONS";
    let there = [
        (URL, "https://a.example/logs"),
        (FORMAT, "loki"),
        (TOKEN, "hunter2"),
        (HEADERS, "x-key=hunter2"),
        (OPTIONS, "labels=team"),
    ];
    let base: Variables = (there.iter())
        .map(|(name, value)| ((*name).to_owned(), Some(Stored::digest(value))))
        .collect();
    let stays = |intent: &Attach| {
        let wanted = intent.on(&config(&[], &there));
        let left = [TOKEN, HEADERS, OPTIONS];
        let left = left.map(|name| wanted.config.variables.get(name).cloned());
        (left.map(|it| it.is_some()), wanted.kept)
    };
    for (url, format, expected) in [
        ("https://A.example/other", "loki", [true, true, true]),
        ("https://a.example/logs", "otlp", [true, true, false]),
        ("https://b.example/logs", "loki", [false, false, true]),
        ("datadoghq.eu", "datadog", [false, false, false]),
    ] {
        let mut intent = attach(&[(URL, url), (FORMAT, format)]);
        intent.base = base.clone();
        assert_eq!(stays(&intent), (expected, Vec::new()), "{url} {format}");
    }

    // Without a format it is the default, which has no options.
    let mut intent = attach(&[(URL, "https://b.example")]);
    intent.base = base.clone();
    let wanted = intent.on(&config(&[], &there)).config.variables;
    assert_eq!(wanted.keys().collect::<Vec<_>>(), [URL]);
    // A site is the host that it stands for.
    let site = config(
        &[],
        &[
            (URL, "datadoghq.eu"),
            (FORMAT, "datadog"),
            (TOKEN, "hunter2"),
        ],
    );
    let mut intent = attach(&[
        (URL, "https://http-intake.logs.datadoghq.eu"),
        (FORMAT, "datadog"),
    ]);
    intent.base = base.clone();
    intent.overwrite.insert(URL.to_owned());
    assert!(intent.on(&site).config.variables.contains_key(TOKEN));

    // What is given for the new one is its own.
    let mut intent = attach(&[
        (URL, "https://b.example"),
        (FORMAT, "loki"),
        (TOKEN, "another"),
    ]);
    intent.base = base.clone();
    assert_eq!(stays(&intent), ([true, false, true], Vec::new()));
    // Whatever somebody else set of it, the address or a key: the primary stays as a whole, or a key would go to
    // another host.
    for blocked in [URL, TOKEN, HEADERS] {
        intent.base = base.clone();
        intent.base.remove(blocked);
        let wanted = intent.on(&config(&[], &there));
        assert_eq!(
            wanted.config.variables,
            config(&[], &there).variables,
            "{blocked}"
        );
        let kept: Vec<&str> = wanted.kept.iter().map(String::as_str).collect();
        let also_held: &[&str] = if blocked == URL { &[] } else { &[HEADERS] };
        let mut expected = [also_held, &[TOKEN, URL][..]].concat();
        expected.sort_unstable();
        assert_eq!(kept, expected, "{blocked}");
    }
    intent.base.remove(HEADERS);
    intent.overwrite.extend([HEADERS.to_owned()]);
    assert_eq!(stays(&intent), ([true, false, true], Vec::new()));
    // A first key is not given to an address that somebody else set.
    let theirs = config(&[], &[(URL, "https://a.example")]);
    let intent = attach(&[(URL, "https://b.example"), (TOKEN, "hunter2")]);
    let wanted = intent.on(&theirs);
    assert_eq!(wanted.config.variables, theirs.variables);
    assert_eq!(wanted.kept, [TOKEN, URL]);
}

#[test]
fn what_cannot_be_restored_of_a_primary_holds_all_of_it() {
    const URL: &str = "BACKSTOP_PRIMARY_URL";
    const TOKEN: &str = "BACKSTOP_PRIMARY_TOKEN";
    let first = config(&[], &[(URL, "https://a.example"), (TOKEN, "of a")]);
    let second = config(&[], &[(URL, "https://b.example"), (TOKEN, "of b")]);
    let change = |from: &Config, to: &Config| {
        Change::between(from, to, None, |_, _| false).sealed(|name, _| name == TOKEN)
    };
    let done = change(&first, &second);
    let mut vault = Vault::default();
    vault.add(TOKEN, "of b");
    // Nobody knows the key of a any more: b's would go to a.
    let undone = done.undo_on(&second, &vault);
    assert_eq!(undone.config, second);
    let held = Conflict::Held(URL.to_owned());
    assert_eq!(
        undone.conflicts,
        [Conflict::Forgotten(TOKEN.to_owned()), held.clone()]
    );
    // Somebody gave the function another key in between: it would go to b, or to a.
    vault.add(TOKEN, "of a");
    let rotated = config(&[], &[(URL, "https://a.example"), (TOKEN, "rotated")]);
    let made = done.redo_on(&rotated, &vault);
    assert_eq!(made.config, rotated);
    assert_eq!(made.conflicts, [Conflict::Variable(TOKEN.to_owned()), held]);
    // Somebody moved the address: the key of a would go there.
    let moved = config(&[], &[(URL, "https://c.example"), (TOKEN, "of b")]);
    let undone = done.undo_on(&moved, &vault);
    assert_eq!(undone.config, moved);
    // A key that no run knows of.
    let silent = change(
        &config(&[], &first_url()),
        &config(&[], &[(URL, "https://b.example")]),
    );
    let keyed = config(&[], &[(URL, "https://b.example"), (TOKEN, "of b")]);
    assert_eq!(silent.undo_on(&keyed, &vault).config, keyed);
    assert_eq!(done.undo_on(&second, &vault).config, first);
}

fn first_url() -> [(&'static str, &'static str); 1] {
    [("BACKSTOP_PRIMARY_URL", "https://a.example")]
}

#[test]
fn undoing_leaves_what_others_did_since() {
    let (zeta, alpha) = (theirs("zeta"), theirs("alpha"));
    let live = config(&[&zeta, OLDER], &[("OTHER", "1"), ("BACKSTOP_TAGS", "a=b")]);
    let mut intent = attach(&[
        ("BACKSTOP_TAGS", "c=d"),
        ("BACKSTOP_PRIMARY_TOKEN", "hunter2"),
    ]);
    intent.overwrite.insert("BACKSTOP_TAGS".to_owned());
    let wanted = intent.on(&live);
    let done = change(&live, &wanted);
    assert_eq!(done.undo_on(&wanted.config, &Vault::default()).config, live);
    assert!(!format!("{done:?}").contains("hunter2"));
    let text = serde_json::to_string(&done).expect("it is data");
    assert!(!text.contains("hunter2"), "{text}");

    let mut since = wanted.config.clone();
    since.layers.insert(0, alpha.clone());
    since.variables.insert("OTHER".to_owned(), "2".to_owned());
    since
        .variables
        .insert("BACKSTOP_TAGS".to_owned(), "e=f".to_owned());
    let undone = done.undo_on(&since, &Vault::default());
    assert_eq!(
        undone.conflicts,
        [Conflict::Variable("BACKSTOP_TAGS".to_owned())]
    );
    assert_eq!(
        undone.config,
        config(
            &[&alpha, &zeta, OLDER],
            &[("BACKSTOP_TAGS", "e=f"), ("OTHER", "2")]
        )
    );
}

#[test]
fn two_changes_are_undone_as_one() {
    let alpha = theirs("alpha");
    let first_live = config(&[], &[]);
    let first_wanted = attach(&[("BACKSTOP_TAGS", "a=b")]).on(&first_live);
    let first = change(&first_live, &first_wanted);
    // Someone adds a layer, and then comes another release of ours.
    let mut live = first_wanted.config.clone();
    live.layers.insert(0, alpha.clone());
    let newer = OURS.replace(":3", ":4");
    let mut intent = attach(&[("BACKSTOP_TAGS", "c=d"), ("BACKSTOP_S3_BUCKET", "bucket")]);
    intent.layer.clone_from(&newer);
    intent.base = first.after.variables.clone();
    let wanted = intent.on(&live);
    assert!(wanted.kept.is_empty());
    let both = first.then(&change(&live, &wanted));
    let undone = both.undo_on(&wanted.config, &Vault::default());
    assert!(undone.conflicts.is_empty());
    assert_eq!(undone.config, config(&[&alpha], &[]));
}

#[test]
fn another_release_put_there_since_is_a_conflict() {
    let live = config(&[], &[]);
    let done = change(&live, &attach(&[]).on(&live));
    let since = config(&[&OURS.replace(":3", ":4")], &[]);
    let undone = done.undo_on(&since, &Vault::default());
    assert_eq!(undone.conflicts.len(), 1);
    assert_eq!(undone.config, since);
    // Taken out by someone: there is nothing left to undo.
    assert!(done.undo_on(&live, &Vault::default()).conflicts.is_empty());
}

/// Our release, and what each side of a step leaves of it with these settings.
fn step(before: &[&str], after: &[&str]) -> Change {
    let side = |layers: &[&str], url: &str| {
        let is_on = layers.iter().any(|arn| is_ours(arn));
        let variables: &[(&str, &str)] = &[("BACKSTOP_PRIMARY_URL", url)];
        config(layers, if is_on { variables } else { &[] })
    };
    Change::between(&side(before, "one"), &side(after, "two"), None, |_, _| {
        false
    })
}

#[test]
fn layer_and_settings_are_one_decision_beside_someone_elses_upgrade() {
    let newer = OURS.replace(":3", ":4");
    let zeta = theirs("zeta");
    let (newer, zeta) = (newer.as_str(), zeta.as_str());
    let set = |value| vec![("BACKSTOP_PRIMARY_URL", value)];
    let upgraded = Conflict::Layer(newer.to_owned());
    let gone = Conflict::Gone(OURS.to_owned());
    let vault = Vault::default();
    for (before, after, live, value, conflict) in [
        // Undone: an attachment, an upgrade, and a detachment, after which each came another release.
        (&[][..], &[OURS][..], &[zeta, newer][..], "two", &upgraded),
        (&[OLDER], &[OURS], &[newer], "two", &upgraded),
        (&[OURS], &[], &[newer], "two", &upgraded),
        // Somebody added a second one.
        (&[], &[OURS], &[OURS, newer], "two", &upgraded),
        // An upgrade, after which somebody took it off.
        (&[OLDER], &[OURS], &[zeta], "two", &gone),
    ] {
        let live = config(live, &set(value));
        let undone = step(before, after).undo_on(&live, &vault);
        assert_eq!(undone.config, live, "{before:?} {after:?}");
        let expected = std::slice::from_ref(conflict);
        assert_eq!(undone.conflicts, expected, "{before:?} {after:?}");
    }
    // A planned detachment: the same.
    let live = config(&[newer], &set("one"));
    let off = step(&[OURS], &[]).redo_on(&live, &vault);
    assert_eq!((&off.config, &off.conflicts[..]), (&live, &[upgraded][..]));
    // A planned upgrade of what was taken off since: it would have no settings.
    let bare = config(&[], &[]);
    let on = step(&[OLDER], &[OURS]).redo_on(&bare, &vault);
    let gone = Conflict::Gone(OLDER.to_owned());
    assert_eq!((&on.config, &on.conflicts[..]), (&bare, &[gone][..]));
}

#[test]
fn an_older_plan_replaces_what_was_attached_since() {
    let (newer, zeta) = (OURS.replace(":3", ":4"), theirs("zeta"));
    let (newer, zeta) = (newer.as_str(), zeta.as_str());
    let vault = Vault::default();
    for (before, live, expected) in [
        (&[][..], &[newer, zeta][..], &[OURS, zeta][..]),
        (&[OLDER], &[zeta, newer], &[zeta, OURS]),
        // Settings alone were planned.
        (&[OURS], &[newer], &[OURS]),
        // Two of them, one as planned.
        (&[OLDER], &[OLDER, zeta, newer], &[zeta, OURS]),
    ] {
        let live = config(live, &[]);
        let wanted = step(before, &[OURS]).redo_on(&live, &vault);
        assert_eq!(wanted.config.layers, expected, "{before:?}");
        assert_eq!(wanted.replaced, [newer], "{before:?}");
        // Journalled as it was made, it is undone exactly.
        let made = Change::between(&live, &wanted.config, None, |_, _| false);
        assert_eq!(made.undo_on(&wanted.config, &vault).config, live);
    }
    // A layer of another name that is ours by the plan: two versions of one layer are never listed.
    let (custom, other) = (theirs("telemetry"), theirs("telemetry").replace(":1", ":2"));
    let step = Change::between(&config(&[], &[]), &config(&[&custom], &[]), None, |_, _| {
        false
    });
    let wanted = step.redo_on(&config(&[&other], &[]), &vault);
    assert_eq!(wanted.config.layers, [custom]);
}

#[test]
fn detaching_again_puts_nothing_back() {
    let live = config(&[OURS], &[("BACKSTOP_TAGS", "a=b")]);
    let vault = Vault::default();
    let detach = |history| Detach {
        history,
        vault: &vault,
    };
    let off = detach(None).on(&live);
    let done = Change::between(&live, &off.config, None, |_, _| false);
    assert_eq!(detach(Some(&done)).on(&off.config).config, config(&[], &[]));
    // An upgrade of someone's layer, upgraded by someone else: it goes with all its settings.
    let newer = OURS.replace(":3", ":4");
    let since = config(
        &[&newer],
        &[("BACKSTOP_PRIMARY_URL", "two"), ("TABLE", "t")],
    );
    let wanted = detach(Some(&step(&[OLDER], &[OURS]))).on(&since);
    assert_eq!(wanted.config, config(&[], &[("TABLE", "t")]));
    assert!(wanted.conflicts.is_empty());
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

#[test]
fn detaching_leaves_no_layer_of_ours_and_puts_back_what_was_there() {
    let live = config(&[&theirs("zeta")], &[("BACKSTOP_TAGS", "a=b")]);
    let mut intent = attach(&[("BACKSTOP_TAGS", "c=d")]);
    intent.overwrite.insert("BACKSTOP_TAGS".to_owned());
    let wanted = intent.on(&live);
    let done = change(&live, &wanted);
    // From another machine came another release.
    let mut since = wanted.config.clone();
    since.layers = vec![theirs("zeta"), OURS.replace(":3", ":4")];
    let vault = Vault::default();
    let known = Detach {
        history: Some(&done),
        vault: &vault,
    };
    assert_eq!(known.on(&since).config, live);
    assert!(known.on(&since).conflicts.is_empty());
    let unknown = Detach {
        history: None,
        vault: &vault,
    };
    assert_eq!(unknown.on(&since).config, config(&[&theirs("zeta")], &[]));
}

/// The ARN of a secret.
const REFERENCE: (&str, &str) = (
    "BACKSTOP_PRIMARY_TOKEN_SECRET_ARN",
    "arn:aws:secretsmanager:eu-west-1:111122223333:secret:token-AbCdEf",
);
const ADDRESS: (&str, &str) = ("BACKSTOP_PRIMARY_URL", "https://intake.example.com/");
const KEY: (&str, &str) = (
    "BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID",
    "1234abcd-12ab-34cd-56ef-1234567890ab",
);

#[test]
fn a_reference_goes_to_no_other_vendor() {
    let live = config(&[], &[ADDRESS, REFERENCE, KEY]);
    let mut intent = attach(&[("BACKSTOP_PRIMARY_URL", "https://other.example.net/")]);
    let names = [ADDRESS, REFERENCE, KEY].map(|(name, _)| name.to_owned());
    intent.overwrite.extend(names);
    let wanted = intent.on(&live);
    let names: Vec<&String> = wanted.config.variables.keys().collect();
    assert_eq!(
        names,
        ["BACKSTOP_PRIMARY_URL"],
        "the token stays behind, with its key"
    );
    let change = change(&live, &wanted);
    let undone = change.undo_on(&wanted.config, &Vault::default()).config;
    assert_eq!(undone.variables, live.variables, "and comes back");
}

#[test]
fn a_token_that_is_named_in_another_way_takes_the_place_of_the_one_that_is_there() {
    let live = config(&[], &[ADDRESS, ("BACKSTOP_PRIMARY_TOKEN", "hunter2")]);
    let mut intent = attach(&[ADDRESS, REFERENCE]);
    let kept = intent.on(&live);
    assert_eq!(
        kept.config.variables, live.variables,
        "someone else set it: two would be none"
    );
    assert!(kept.kept.iter().any(|it| it == "BACKSTOP_PRIMARY_TOKEN"));
    intent.overwrite.insert("BACKSTOP_PRIMARY_TOKEN".to_owned());
    let wanted = intent.on(&live).config;
    assert_eq!(
        wanted.variables,
        config(&[], &[ADDRESS, REFERENCE]).variables
    );
}
