//! No circle among the modules of a crate: each can be read with what it uses, and without what uses it.
//!
//! A module is a file or a folder at the top of `src`; it uses another one where its code, but for tests,
//! names it by `crate::`. The root files only put them together and are left out.
//!
//! The files of the CDK library are held to the same; a type counts, too.
//!
//! Must not: look into a folder, whose files may use each other.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::repository;

/// The crates whose modules form no cycle, and the least number of uses that must be seen in each.
const CRATES: [(&str, usize); 15] = [
    ("installer", 30),
    ("extension", 10),
    ("crates/archive", 5),
    ("crates/common", 4),
    ("crates/config", 10),
    ("crates/delivery", 40),
    ("crates/demo", 8),
    ("crates/output", 3),
    ("crates/fleet", 20),
    ("crates/fake-aws", 40),
    ("crates/replay", 1),
    ("crates/simulator", 10),
    ("crates/sinks", 10),
    ("crates/telemetry", 3),
    ("crates/transform", 10),
];

/// Who uses whom.
type Uses = BTreeMap<String, BTreeSet<String>>;

fn code(path: &Path, all: &mut String) {
    if path.is_dir() {
        for entry in fs::read_dir(path).expect("the repository can be read") {
            code(&entry.expect("the repository can be read").path(), all);
        }
    } else if path.extension().is_some_and(|its| its == "rs")
        && path.file_stem().is_some_and(|stem| stem != "tests")
    {
        let text = fs::read_to_string(path).expect("the repository can be read");
        let code = text.split("#[cfg(test)]\nmod tests").next();
        let lines = code.unwrap_or_default().lines();
        let lines = lines.filter(|line| !line.trim_start().starts_with("//"));
        all.extend(lines.flat_map(|line| [line, "\n"]));
    }
}

/// The names right behind `crate::`, those in braces too.
fn named(code: &str) -> BTreeSet<&str> {
    let is_part = |one: char| one.is_ascii_alphanumeric() || one == '_';
    let first = |text: &'_ str| text.find(|one| !is_part(one)).unwrap_or(text.len());
    let mut names = BTreeSet::new();
    for (at, matched) in code.match_indices("crate::") {
        let rest = &code[at + matched.len()..];
        let Some(list) = rest.strip_prefix('{') else {
            names.insert(&rest[..first(rest)]);
            continue;
        };
        // At the outermost level of the list alone.
        let mut depth = 0_usize;
        let mut is_first = true;
        for (at, one) in list.char_indices() {
            match one {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => is_first = true,
                _ if depth == 0 && is_first && is_part(one) => {
                    names.insert(&list[at..at + first(&list[at..])]);
                    is_first = false;
                }
                _ => {}
            }
        }
    }
    names
}

fn uses(source: &Path) -> Uses {
    let mut modules = BTreeMap::new();
    for entry in fs::read_dir(source).expect("the repository can be read") {
        let path = entry.expect("the repository can be read").path();
        let name = path.file_stem().unwrap_or_default();
        let name = name.to_string_lossy().into_owned();
        if name != "lib" && name != "main" {
            // `name.rs` and `name/` are one module.
            code(&path, modules.entry(name).or_insert_with(String::new));
        }
    }
    let is_module = |name: &&str| modules.contains_key(*name);
    let used = modules.iter().map(|(module, code)| {
        let others = named(code).into_iter().filter(is_module);
        let others = others.filter(|name| name != module);
        (module.clone(), others.map(str::to_owned).collect())
    });
    used.collect()
}

/// Which file of a folder in TypeScript imports which.
fn imports(source: &Path) -> Uses {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(source).expect("the repository can be read") {
        let path = entry.expect("the repository can be read").path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy();
        if name != "index" {
            let text = fs::read_to_string(&path).expect("the repository can be read");
            files.insert(name.into_owned(), text);
        }
    }
    let used = files.iter().map(|(file, text)| {
        let others = text.split("from './").skip(1);
        let others = others.filter_map(|rest| Some(rest.split_once('\'')?.0));
        (file.clone(), others.map(str::to_owned).collect())
    });
    used.collect()
}

/// The modules that are in a circle: what is left when those that use nothing of the rest are taken away,
/// and those that nothing of the rest uses.
fn circle(mut uses: Uses) -> Uses {
    loop {
        let targets: BTreeSet<String> = uses.values().flatten().cloned().collect();
        let before = uses.len();
        uses.retain(|module, others| !others.is_empty() && targets.contains(module));
        let left: BTreeSet<String> = uses.keys().cloned().collect();
        for others in uses.values_mut() {
            others.retain(|other| left.contains(other));
        }
        if uses.len() == before {
            return uses;
        }
    }
}

/// Who uses whom, as Graphviz draws it.
fn drawn(name: &str, uses: &Uses) -> String {
    let edges = uses.iter().flat_map(|(from, others)| {
        let edge = move |to| format!("  \"{name}/{from}\" -> \"{name}/{to}\";\n");
        others.iter().map(edge)
    });
    edges.collect()
}

#[test]
fn no_module_uses_itself_by_way_of_others() {
    let mut found = String::new();
    let mut graph = String::new();
    for (name, least) in CRATES {
        let uses = uses(&repository().join(name).join("src"));
        graph += &drawn(name, &uses);
        let edges: usize = uses.values().map(BTreeSet::len).sum();
        assert!(edges >= least, "{name} has {edges} uses: they are not seen");
        let circle = circle(uses);
        if !circle.is_empty() {
            writeln!(found, "{name} has a circle: {circle:#?}").unwrap();
        }
    }
    // For people: CONTRIBUTING.md has the command.
    if let Some(file) = std::env::var_os("BACKSTOP_GRAPH") {
        fs::write(file, format!("digraph modules {{\n{graph}}}\n")).expect("it can be written");
    }
    assert!(found.is_empty(), "{found}");
}

#[test]
fn no_file_of_the_library_imports_itself_by_way_of_others() {
    let uses = imports(&repository().join("cdk/src"));
    let edges: usize = uses.values().map(BTreeSet::len).sum();
    assert!(edges > 30, "{edges} imports: they are not seen");
    let circle = circle(uses);
    assert!(circle.is_empty(), "{circle:#?}");
}

#[test]
fn a_circle_is_found_and_a_chain_is_none() {
    let uses = |pairs: &[(&str, &str)]| -> Uses {
        let mut uses = Uses::new();
        for (from, to) in pairs {
            uses.entry((*from).to_owned())
                .or_default()
                .insert((*to).to_owned());
            uses.entry((*to).to_owned()).or_default();
        }
        uses
    };
    assert!(circle(uses(&[("a", "b"), ("b", "c"), ("a", "c")])).is_empty());
    let found = circle(uses(&[
        ("x", "a"),
        ("a", "b"),
        ("b", "c"),
        ("c", "a"),
        ("c", "y"),
    ]));
    assert_eq!(found.into_keys().collect::<String>(), "abc");
    let code = "use crate::{one, two::{self, Three}, four as five};\ncrate::six::seven();";
    assert_eq!(named(code), BTreeSet::from(["one", "two", "four", "six"]));
}
