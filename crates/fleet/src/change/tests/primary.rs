//! What belongs to one primary, and does not go to another: its token, headers and options.

use super::*;

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
