//! For any function, any settings, and whatever others do meanwhile.

use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::*;

const THEIRS: [&str; 4] = ["zeta", "alpha", "mid", "omega"];
const NAMES: [&str; 5] = [
    "BACKSTOP_PRIMARY_URL",
    "BACKSTOP_S3_BUCKET",
    "BACKSTOP_PRIMARY_TOKEN",
    "TABLE",
    "STAGE",
];

fn layers() -> impl Strategy<Value = Vec<String>> {
    let theirs = subsequence(THEIRS.to_vec(), 0..=3).prop_shuffle();
    (theirs, any::<bool>(), 0..4_usize).prop_map(|(names, has_older, at)| {
        let mut list: Vec<String> = names.into_iter().map(theirs_named).collect();
        if has_older {
            list.insert(at.min(list.len()), OLDER.to_owned());
        }
        list
    })
}

fn theirs_named(name: &str) -> String {
    theirs(name)
}

fn variables(names: &'static [&'static str]) -> impl Strategy<Value = BTreeMap<String, String>> {
    let value = select(vec!["one", "two", "three"]);
    proptest::collection::btree_map(select(names), value, 0..=names.len()).prop_map(|map| {
        let map = map.into_iter();
        map.map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    })
}

fn configs() -> impl Strategy<Value = Config> {
    let parts = (layers(), variables(&NAMES));
    parts.prop_map(|(layers, variables)| Config { layers, variables })
}

fn wishes() -> impl Strategy<Value = Attach> {
    let overwrite = subsequence(NAMES[..3].to_vec(), 0..=3);
    (variables(&NAMES[..3]), overwrite).prop_map(|(variables, overwrite)| Attach {
        layer: OURS.to_owned(),
        variables,
        base: Variables::new(),
        overwrite: overwrite.into_iter().map(str::to_owned).collect(),
    })
}

/// Someone else's deployment: any layers of theirs, any variables; ours as they were, or gone.
fn deployed(live: &Config, other: &Config, keeps_ours: bool) -> Config {
    let mut next = other.clone();
    next.layers.retain(|arn| !is_ours(arn));
    if keeps_ours {
        let ours = live.layers.iter().filter(|arn| is_ours(arn)).cloned();
        next.layers.extend(ours);
    }
    next
}

/// Somebody's upgrade, a second layer, or a removal.
fn touched(live: &Config, how: usize, at: usize) -> Config {
    let newer = OURS.replace(":3", ":4");
    let mut next = live.clone();
    match how {
        0 => next.layers.retain(|arn| !is_ours(arn)),
        1 => next.layers.insert(at.min(next.layers.len()), newer),
        _ => {
            next.layers.retain(|arn| !is_ours(arn));
            next.layers.insert(at.min(next.layers.len()), newer);
        }
    }
    next
}

fn count_of_ours(config: &Config) -> usize {
    config.layers.iter().filter(|arn| is_ours(arn)).count()
}

fn not_ours(config: &Config) -> (Vec<&String>, Vec<(&String, &String)>) {
    (
        config.layers.iter().filter(|arn| !is_ours(arn)).collect(),
        (config.variables.iter())
            .filter(|(name, _)| !name.starts_with(PREFIX))
            .collect(),
    )
}

fn vault(configs: &[&Config], intent: &Attach) -> Vault {
    let mut vault = Vault::default();
    let known = configs.iter().flat_map(|config| &config.variables);
    for (name, value) in known.chain(&intent.variables) {
        vault.add(name, value);
    }
    vault
}

proptest! {
    #[test]
    fn undoing_gives_back_what_was_there(live in configs(), intent in wishes()) {
        let wanted = intent.on(&live);
        let done = change(&live, &wanted);
        let vault = vault(&[&live], &intent);
        prop_assert_eq!(&done.undo_on(&wanted.config, &vault).config, &live);
        // An interrupted one, of which nobody knows whether it was made.
        prop_assert_eq!(&done.undo_on(&live, &vault).config, &live);
        prop_assert_eq!(&done.redo_on(&live, &vault).config, &wanted.config);
        prop_assert_eq!(&done.redo_on(&wanted.config, &vault).config, &wanted.config);
        prop_assert_eq!(done.is_empty(), wanted.config == live);
    }

    #[test]
    fn layer_and_settings_are_one_decision(
        live in configs(), intent in wishes(), how in 0..3_usize, at in 0..4_usize,
    ) {
        let wanted = intent.on(&live);
        let done = change(&live, &wanted);
        let vault = vault(&[&live], &intent);
        // Before the change is made: one layer of ours, or nothing is written.
        let since = touched(&live, how, at);
        let made = done.redo_on(&since, &vault);
        if made.conflicts.iter().any(Conflict::is_whole) {
            prop_assert_eq!(&made.config, &since);
        } else {
            prop_assert_eq!(count_of_ours(&made.config), 1);
            prop_assert!(made.config.layers.iter().any(|arn| arn == OURS));
            prop_assert_eq!(made.replaced.is_empty(), how == 0);
        }
        // After it was made: another layer of ours keeps its settings.
        let since = touched(&wanted.config, how, at);
        let undone = done.undo_on(&since, &vault);
        if how > 0 {
            prop_assert!(undone.conflicts.iter().any(Conflict::is_whole));
        }
        if undone.conflicts.iter().any(Conflict::is_whole) {
            prop_assert_eq!(&undone.config, &since);
        }
        // Detaching leaves no layer that nobody had before us, and no settings without one.
        let detach = Detach { history: Some(&done), vault: &vault };
        let detached = detach.on(&since).config;
        if how > 0 {
            prop_assert_eq!(count_of_ours(&detached), 0);
        }
    }

    #[test]
    fn attaching_again_changes_nothing(live in configs(), intent in wishes()) {
        let once = intent.on(&live).config;
        prop_assert_eq!(intent.on(&once).config, once);
    }

    #[test]
    fn nothing_of_others_is_lost(
        live in configs(), intent in wishes(), other in configs(), keeps_ours in any::<bool>(),
    ) {
        let wanted = intent.on(&live);
        prop_assert_eq!(not_ours(&wanted.config), not_ours(&live));
        let done = change(&live, &wanted);
        let vault = vault(&[&live, &other], &intent);
        // Between read and write: what is planned is made on what is there by then.
        let since = deployed(&live, &other, keeps_ours);
        let redone = done.redo_on(&since, &vault).config;
        prop_assert_eq!(not_ours(&redone), not_ours(&since));
        // Between write and undoing.
        let since = deployed(&wanted.config, &other, keeps_ours);
        let undone = done.undo_on(&since, &vault);
        let (layers, variables) = not_ours(&undone.config);
        prop_assert_eq!(variables, not_ours(&since).1);
        let (there, _) = not_ours(&since);
        prop_assert_eq!(&layers, &there);
        // A variable of ours that they set to something else stays theirs.
        for (name, value) in &since.variables {
            let ours = done.after.variables.get(name).and_then(Option::as_ref);
            if name.starts_with(PREFIX) && !Stored::is(ours, Some(value)) {
                prop_assert_eq!(undone.config.variables.get(name), Some(value));
            }
        }
    }

    #[test]
    fn there_is_never_a_second_layer_of_ours(
        live in configs(), intent in wishes(), other in configs(), release in 4..6_u32,
    ) {
        let done = change(&live, &intent.on(&live));
        let vault = vault(&[&live, &other], &intent);
        let mut since = deployed(&live, &other, false);
        since.layers.push(OURS.replace(":3", &format!(":{release}")));
        let ours = |config: &Config| config.layers.iter().filter(|arn| is_ours(arn)).count();
        prop_assert_eq!(ours(&done.redo_on(&since, &vault).config), 1);
        let undone = done.undo_on(&since, &vault);
        prop_assert_eq!(undone.config, since);
    }

    #[test]
    fn a_change_on_top_of_a_change_is_undone_with_it(
        live in configs(), first in wishes(), second in wishes(),
    ) {
        let once = first.on(&live);
        let first_change = change(&live, &once);
        let twice = second.on(&once.config);
        let both = first_change.then(&change(&once.config, &twice));
        let vault = vault(&[&live, &once.config], &second);
        prop_assert_eq!(both.undo_on(&twice.config, &vault).config, live);
    }
}
