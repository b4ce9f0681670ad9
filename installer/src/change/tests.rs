use super::*;

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
    Change::between(live, &wanted.config, |name, _| {
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
    let mut wish = attach(&[("BACKSTOP_TAGS", "c=d"), ("BACKSTOP_S3_BUCKET", "bucket")]);
    let wanted = wish.on(&live);
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
    wish.base = BTreeMap::from([("BACKSTOP_TAGS".to_owned(), Some(Stored::plain("a=b")))]);
    assert!(wish.on(&live).kept.is_empty());
    // Ours was removed by someone: that is a change too.
    wish.base = BTreeMap::from([("BACKSTOP_TAGS".to_owned(), Some(Stored::plain("x=y")))]);
    assert_eq!(wish.on(&config(&[], &[])).kept, ["BACKSTOP_TAGS"]);
    wish.overwrite.insert("BACKSTOP_TAGS".to_owned());
    assert!(wish.on(&live).kept.is_empty());
}

#[test]
fn undoing_leaves_what_others_did_since() {
    let (zeta, alpha) = (theirs("zeta"), theirs("alpha"));
    let live = config(&[&zeta, OLDER], &[("OTHER", "1"), ("BACKSTOP_TAGS", "a=b")]);
    let mut wish = attach(&[
        ("BACKSTOP_TAGS", "c=d"),
        ("BACKSTOP_PRIMARY_TOKEN", "hunter2"),
    ]);
    wish.overwrite.insert("BACKSTOP_TAGS".to_owned());
    let wanted = wish.on(&live);
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
        ["BACKSTOP_TAGS was changed since, and stays as it is"]
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
    let mut wish = attach(&[("BACKSTOP_TAGS", "c=d"), ("BACKSTOP_S3_BUCKET", "bucket")]);
    wish.layer.clone_from(&newer);
    wish.base = first.after.variables.clone();
    let wanted = wish.on(&live);
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
