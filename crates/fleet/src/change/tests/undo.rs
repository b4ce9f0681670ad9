//! What undoing, detaching and carrying out an older plan make of what others did since.

use super::*;

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
    // Someone adds a layer. Then Backstop attaches another release of its own.
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
