//! Which crate may reach which, through any number of normal dependencies.
//!
//! The layer is small, and the policy testable, because of what they do *not* depend on. Each rule
//! is a row with its reason; a broken one prints the way through the graph.
//!
//! Invariants: only normal dependencies count (a test may use anything); features are those of the
//! whole workspace, so that a rule may be stricter than one package alone needs, and never laxer.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Write as _;
use std::fs;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, PackageId};

use crate::repository;

/// The platform whose dependencies are judged: the one that the layer runs on.
const PLATFORM: &str = "x86_64-unknown-linux-gnu";

/// A wall: what a package must not reach, and why.
struct Rule {
    package: &'static str,
    never: &'static [&'static str],
    reason: &'static str,
}

/// A name that ends in `*` stands for every name that begins with what is before it.
const RULES: &[Rule] = &[
    Rule {
        package: "backstop-config",
        never: &["*"],
        reason: "it ships in the layer and is read by every other crate: std is enough for it",
    },
    Rule {
        package: "backstop-telemetry",
        never: &[
            "backstop",
            "backstop-archive",
            "backstop-config",
            "backstop-delivery",
            "backstop-extension",
            "backstop-sinks",
            "backstop-transform",
            "tokio",
        ],
        reason: "the decoder reads JSON and nothing else: it can be fuzzed alone and knows no runtime",
    },
    Rule {
        package: "backstop-json",
        never: &["backstop", "backstop-*", "tokio"],
        reason: "it reads text and knows no record: every crate that reads JSON may use it",
    },
    Rule {
        package: "backstop-deflate",
        never: &["backstop", "backstop-*", "flate2", "tokio"],
        reason: "it compresses bytes and knows no record: what checks it is another's decompressor",
    },
    Rule {
        package: "backstop-transform",
        never: &[
            "backstop-delivery",
            "backstop-sinks",
            "tokio",
            "aws-*",
            "regex",
        ],
        reason: "what is done to a record is pure: the layer and the command line do the same",
    },
    Rule {
        package: "backstop-delivery",
        never: &[
            "reqwest",
            "hyper",
            "aws-*",
            "rustls",
            "backstop-telemetry",
            "backstop-sinks",
        ],
        reason: "policy without network code: every decision is tested on a paused clock",
    },
    Rule {
        package: "backstop-archive",
        never: &[
            "backstop",
            "backstop-sinks",
            "backstop-telemetry",
            "backstop-fake-aws",
            "backstop-simulator",
            "reqwest",
            "hyper",
            "aws-sdk-*",
            "aws-config",
            "rustls",
        ],
        reason: "a format without network code: what reads an archive need not be what wrote it",
    },
    Rule {
        package: "backstop-sinks",
        never: &[
            "backstop",
            "backstop-telemetry",
            "backstop-extension",
            "backstop-fake-aws",
            "backstop-simulator",
        ],
        reason: "sinks take encoded batches and know neither where records come from nor who calls",
    },
    Rule {
        package: "backstop-common",
        never: &[
            "backstop",
            "backstop-archive",
            "backstop-sinks",
            "clap",
            "indicatif",
            "aws-config",
            "aws-sdk-lambda",
            "terminal_size",
        ],
        reason: "what the command line, the replay and the fleet share has neither options nor clients of its own",
    },
    Rule {
        package: "backstop-output",
        never: &[
            "backstop",
            "backstop-replay",
            "aws-config",
            "aws-sdk-lambda",
        ],
        reason: "how a command prints depends on no command",
    },
    Rule {
        package: "backstop-demo",
        never: &[
            "backstop",
            "backstop-extension",
            "backstop-fake-aws",
            "aws-config",
            "aws-sdk-account",
            "aws-sdk-cloudwatch",
            "aws-sdk-iam",
            "aws-sdk-lambda",
            "aws-sdk-organizations",
            "aws-sdk-resourcegroupstagging",
            "aws-sdk-secretsmanager",
            "aws-sdk-sts",
            "aws-smithy-http-client",
        ],
        reason: "scripts/demo is the first thing a new user builds: it waits for no client of an API that the demo does not call",
    },
    Rule {
        package: "backstop-replay",
        never: &[
            "backstop",
            "backstop-extension",
            "backstop-fake-aws",
            "backstop-simulator",
            "backstop-telemetry",
            "clap",
            "indicatif",
            "terminal_size",
            "aws-config",
            "aws-sdk-lambda",
        ],
        reason: "a function will replay as the command line does: it has no options, no terminal, and its own clients",
    },
    Rule {
        package: "backstop-fleet",
        never: &[
            "backstop",
            "backstop-extension",
            "backstop-fake-aws",
            "backstop-replay",
            "backstop-simulator",
            "clap",
            "indicatif",
            "terminal_size",
        ],
        reason: "the controller changes functions as the command line does: it has no options and no terminal",
    },
    Rule {
        package: "backstop-replay-function",
        never: &[
            "backstop",
            "backstop-extension",
            "backstop-fake-aws",
            "backstop-simulator",
            "backstop-telemetry",
            "clap",
            "indicatif",
            "aws-config",
            "aws-sdk-sfn",
            "aws-sdk-sts",
        ],
        reason: "a function's cold start pays for each dependency, and its credentials are in its environment",
    },
    Rule {
        package: "backstop-controller",
        never: &[
            "backstop",
            "backstop-extension",
            "backstop-fake-aws",
            "backstop-replay",
            "backstop-simulator",
            "clap",
            "indicatif",
            "terminal_size",
        ],
        reason: "a function starts often: it links what it does, and no terminal",
    },
    Rule {
        package: "backstop-extension",
        never: &[
            "backstop",
            "backstop-common",
            "backstop-fleet",
            "backstop-replay",
            "clap",
            "aws-sdk-lambda",
            "aws-config",
            "aws-lc-rs",
            "icu_*",
            "backstop-fake-aws",
            "backstop-scripted-sink",
            "backstop-simulator",
        ],
        reason: "every dependency of the layer is paid for at each cold start, in time and size",
    },
    Rule {
        package: "backstop",
        never: &["backstop-fake-aws"],
        reason: "the command line runs the simulator for its demo; the AWS APIs it calls are faked for tests only",
    },
    Rule {
        package: "backstop-scripted-sink",
        never: &[
            "backstop-extension",
            "backstop-sinks",
            "reqwest",
            "hyper",
            "aws-*",
        ],
        reason: "what answers in a test of policy has no network, and only the policy's own types",
    },
    Rule {
        package: "backstop-simulator",
        never: &["backstop", "backstop-*"],
        reason: "a test that shares code with what it tests proves less",
    },
    Rule {
        package: "backstop-fake-aws",
        never: &[
            "backstop",
            "backstop-archive",
            "backstop-config",
            "backstop-delivery",
            "backstop-extension",
            "backstop-sinks",
            "backstop-telemetry",
        ],
        reason: "a test that shares code with what it tests proves less; the simulator's server is no such code",
    },
];

#[test]
fn no_crate_reaches_what_its_wall_keeps_out() {
    let graph = Graph::of_workspace();
    let broken = RULES.iter().fold(String::new(), |mut broken, rule| {
        for way in graph.ways(rule.package, rule.never) {
            let way = way.join(" -> ");
            writeln!(broken, "{way}\n  {}: {}", rule.package, rule.reason).unwrap();
        }
        broken
    });
    assert!(
        broken.is_empty(),
        "walls between crates are broken:\n{broken}"
    );
}

/// A rule that forbids a name that no longer exists would hold for any graph.
#[test]
fn a_crate_that_a_rule_keeps_out_exists() {
    let graph = Graph::of_workspace();
    let ours = RULES.iter().flat_map(|rule| rule.never);
    for name in ours.filter(|name| name.starts_with("backstop") && !name.ends_with('*')) {
        let exists = graph.names.values().any(|known| known == name);
        assert!(exists, "there is no package {name}");
    }
}

/// Without this the tests above could pass because they see nothing.
#[test]
fn the_graph_holds_normal_dependencies_and_no_others() {
    let graph = Graph::of_workspace();
    let way_to_clap = graph.ways("backstop", &["clap"]);
    assert_eq!(way_to_clap, [["backstop", "clap"]]);
    let way_to_tokio = graph.ways("backstop-extension", &["tokio"]);
    assert_eq!(way_to_tokio, [["backstop-extension", "tokio"]]);
    let way_to_simulator = graph.ways("backstop-fake-aws", &["backstop-simulator"]);
    assert_eq!(
        way_to_simulator,
        [["backstop-fake-aws", "backstop-simulator"]]
    );
    // tests/Cargo.toml has it, as a dependency of tests only.
    assert_eq!(
        graph.ways("backstop-tests", &["cargo_metadata"]),
        [[""; 0]; 0]
    );
}

/// The layer is built by itself, so that only what the crates in it ask for is compiled: none of them
/// may ask for the half of `backstop-archive` that reads.
#[test]
fn nothing_in_the_layer_asks_to_read_archives() {
    let metadata = metadata();
    let graph = Graph::of(&metadata);
    let in_layer: Vec<&str> = (graph.ways("backstop-extension", &["backstop-*"]).iter())
        .filter_map(|way| way.last().copied())
        .chain(["backstop-extension"])
        .collect();
    assert!(in_layer.contains(&"backstop-archive"), "{in_layer:?}");
    let asked = |package: &str| -> Vec<Vec<String>> {
        let packages = metadata.packages.iter();
        let package = packages.filter(|it| it.name.as_str() == package);
        let dependencies = package.flat_map(|it| &it.dependencies);
        dependencies
            .filter(|it| it.name == "backstop-archive" && it.kind == DependencyKind::Normal)
            .map(|it| it.features.clone())
            .collect()
    };
    for package in in_layer {
        assert!(asked(package).iter().all(Vec::is_empty), "{package}");
    }
    assert_eq!(
        asked("backstop-replay"),
        [["read"]],
        "the test sees features"
    );
}

/// cargo only warns of a patch that does not apply. With the original `crc-fast` the layer would grow by a quarter, and
/// with the original `httpdate` a clock that is wrong would end the extension.
#[test]
fn what_is_patched_is_of_this_workspace() {
    for path in ["Cargo.lock", "fuzz/Cargo.lock"] {
        let lock = fs::read_to_string(repository().join(path)).expect("the lock file is there");
        for name in ["crc-fast", "httpdate"] {
            let line = format!("name = \"{name}\"\n");
            let found = lock.split("[[package]]");
            let found: Vec<&str> = found.filter(|package| package.contains(&line)).collect();
            assert_eq!(found.len(), 1, "{path} has {} packages {name}", found.len());
            assert!(
                !found[0].contains("source ="),
                "{path} takes {name} from elsewhere: give crates/{name} the version that is asked for, and see the \
                 patch in Cargo.toml"
            );
        }
    }
}

/// The packages and their normal dependencies.
struct Graph {
    names: HashMap<PackageId, String>,
    dependencies: HashMap<PackageId, Vec<PackageId>>,
}

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(repository().join("Cargo.toml"))
        .other_options(["--locked", "--filter-platform", PLATFORM].map(String::from))
        .exec()
        .expect("cargo metadata tells the graph")
}

impl Graph {
    fn of_workspace() -> Self {
        Self::of(&metadata())
    }

    fn of(metadata: &Metadata) -> Self {
        let names = metadata
            .packages
            .iter()
            .map(|package| (package.id.clone(), package.name.to_string()))
            .collect();
        let resolve = (metadata.resolve.as_ref()).expect("the metadata is resolved");
        let is_normal = |dependency: &cargo_metadata::NodeDep| {
            dependency
                .dep_kinds
                .iter()
                .any(|each| each.kind == DependencyKind::Normal)
        };
        let dependencies = resolve
            .nodes
            .iter()
            .map(|node| {
                let normal = node.deps.iter().filter(|it| is_normal(it));
                let normal = normal.map(|dependency| dependency.pkg.clone());
                (node.id.clone(), normal.collect())
            })
            .collect();
        Self {
            names,
            dependencies,
        }
    }

    /// The shortest way from a package to each package that matches one of the patterns.
    fn ways(&self, from: &str, patterns: &[&str]) -> Vec<Vec<&str>> {
        let start = self
            .names
            .iter()
            .find(|(_, name)| *name == from)
            .map(|(id, _)| id);
        let start = start.unwrap_or_else(|| panic!("{from} is a package of the workspace"));
        let mut came_from: BTreeMap<&PackageId, &PackageId> = BTreeMap::new();
        let mut queue = VecDeque::from([start]);
        let mut ways = Vec::new();
        while let Some(current) = queue.pop_front() {
            for next in self.dependencies.get(current).into_iter().flatten() {
                if next == start || came_from.contains_key(next) {
                    continue;
                }
                came_from.insert(next, current);
                queue.push_back(next);
                if patterns
                    .iter()
                    .any(|pattern| matches(pattern, self.name(next)))
                {
                    ways.push(self.way(&came_from, next));
                }
            }
        }
        ways
    }

    fn way(&self, came_from: &BTreeMap<&PackageId, &PackageId>, to: &PackageId) -> Vec<&str> {
        let mut way = vec![self.name(to)];
        let mut current = to;
        while let Some(previous) = came_from.get(current) {
            way.push(self.name(previous));
            current = previous;
        }
        way.reverse();
        way
    }

    fn name(&self, id: &PackageId) -> &str {
        self.names.get(id).map_or("?", String::as_str)
    }
}

fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == pattern,
    }
}
