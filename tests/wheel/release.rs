//! The release: its workflow, the formula, the image and `cargo binstall` name the files that the scripts write.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::packed::python;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn text(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap()
}

/// A workflow as JSON: the emulator's Python has a parser of YAML.
fn workflow(name: &str) -> Value {
    const LOAD: &str = "
import json, sys, yaml
print(json.dumps(yaml.load(open(sys.argv[1]), yaml.BaseLoader)))
";
    let emulator = std::env::var_os("BACKSTOP_MINISTACK")
        .expect("BACKSTOP_MINISTACK names the emulator: scripts/test installs it");
    let interpreter = Path::new(&emulator).with_file_name("python");
    let path = repository().join(".github/workflows").join(name);
    let output = Command::new(interpreter)
        .args(["-c", LOAD])
        .arg(path)
        .output()
        .unwrap();
    assert!(output.status.success(), "{name}: {output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// What `scripts/wheel` can pack for.
fn targets() -> BTreeSet<String> {
    const TARGETS: &str = "
import re, sys
table = open(sys.argv[1]).read().split('PLATFORMS = {')[1].split('}')[0]
print('\\n'.join(re.findall(r'^    \"(.+?)\":', table, re.MULTILINE)))
";
    let script = repository().join("scripts/wheel");
    let printed = python(&["-c", TARGETS, &script.display().to_string()]);
    let targets: BTreeSet<String> = printed.lines().map(str::to_owned).collect();
    assert_eq!(targets.len(), 6, "{targets:?}");
    targets
}

/// The archives: those for glibc are wheels alone.
fn archives() -> BTreeSet<String> {
    let targets = targets().into_iter();
    let targets = targets.filter(|target| !target.ends_with("-gnu"));
    targets
        .map(|target| format!("backstop-{target}.tar.gz"))
        .collect()
}

/// The names of archives in a text.
fn named(text: &str) -> BTreeSet<String> {
    text.split(|character: char| !(character.is_ascii_alphanumeric() || "-_.".contains(character)))
        .filter(|word| word.starts_with("backstop-") && word.ends_with(".tar.gz"))
        .map(str::to_owned)
        .collect()
}

/// The commands of a workflow's job.
fn commands(job: &Value) -> String {
    let steps = job["steps"].as_array().unwrap();
    let runs = steps.iter().filter_map(|step| step["run"].as_str());
    runs.collect::<Vec<_>>().join("\n")
}

#[test]
fn each_workflow_is_yaml_whose_jobs_need_jobs_that_are_there() {
    for name in ["ci.yml", "nightly.yml", "release.yml"] {
        let workflow = workflow(name);
        let jobs = workflow["jobs"].as_object().unwrap();
        for (job, value) in jobs {
            let needs = match &value["needs"] {
                Value::Array(all) => all.clone(),
                Value::Null => Vec::new(),
                one => vec![one.clone()],
            };
            for needed in needs {
                assert!(jobs.contains_key(needed.as_str().unwrap()), "{name} {job}");
            }
            assert!(value["timeout-minutes"].is_string(), "{name} {job}");
            for script in commands(value).split_whitespace() {
                if script.starts_with("scripts/") {
                    assert!(repository().join(script).is_file(), "{name}: {script}");
                }
            }
        }
    }
}

#[test]
fn the_release_builds_every_target_and_keeps_its_rights_apart() {
    let release = workflow("release.yml");
    let jobs = &release["jobs"];
    let matrix = jobs["cli"]["strategy"]["matrix"]["include"].clone();
    let built: BTreeSet<String> = (matrix.as_array().unwrap().iter())
        .map(|entry| entry["target"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(built, targets());
    for entry in matrix.as_array().unwrap() {
        let is_mac = entry["runner"].as_str().unwrap().starts_with("macos");
        let for_mac = entry["target"].as_str().unwrap().ends_with("darwin");
        assert_eq!(is_mac, for_mac, "{entry}");
    }
    // What compiles or runs the repository's code may not write, and what may write runs none of it.
    for (name, job) in jobs.as_object().unwrap() {
        let permissions = job["permissions"].as_object().cloned().unwrap_or_default();
        let writes = permissions.values().any(|right| right == "write");
        let runs_ours = commands(job).contains("scripts/");
        assert!(!(writes && runs_ours), "{name}");
    }
    assert_eq!(release["permissions"]["contents"], "read");
    let publish = &jobs["publish"];
    let attests = publish["steps"].as_array().unwrap().iter().any(|step| {
        let action = step["uses"].as_str().unwrap_or_default();
        action.starts_with("actions/attest-build-provenance@")
            && step["with"]["subject-checksums"] == "dist/SHA256SUMS"
    });
    assert!(attests, "{publish}");
    let sums = "sha256sum -- extension-* replay-function-* controller-* backstop* >SHA256SUMS";
    assert!(commands(&jobs["collect"]).contains(sums));
    // Its options are those that the script has.
    let help = Command::new(repository().join("scripts/cli"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let used = commands(&jobs["cli"]);
    let call = used.lines().find(|line| line.starts_with("scripts/cli "));
    for option in call
        .unwrap()
        .split(' ')
        .filter(|word| word.starts_with("--"))
    {
        assert!(help.contains(&format!("{option} ")), "{option}: {help}");
    }
}

#[test]
fn the_formula_is_filled_in_with_the_archives_checksums() {
    let directory = tempfile::TempDir::new().unwrap();
    let script = repository().join("scripts/formula");
    let run = || {
        Command::new(&script)
            .arg(directory.path())
            .output()
            .unwrap()
    };
    let incomplete = run();
    assert!(!incomplete.status.success(), "{incomplete:?}");
    for archive in archives() {
        fs::write(directory.path().join(&archive), &archive).unwrap();
    }
    let filled = run();
    assert!(filled.status.success(), "{filled:?}");
    let formula = String::from_utf8_lossy(&filled.stdout);
    assert!(!formula.contains('@'), "{formula}");
    assert_eq!(named(&formula), archives());
    for archive in archives() {
        let sha256 = backstop::layer::sha256(archive.as_bytes());
        let version = env!("CARGO_PKG_VERSION");
        let (_, rest) = formula
            .split_once(&format!("/releases/download/v{version}/{archive}\""))
            .unwrap_or_else(|| panic!("{archive}: {formula}"));
        let next = rest.lines().nth(1).unwrap();
        assert_eq!(next.trim(), format!("sha256 \"{sha256}\""));
    }
}

#[test]
fn the_image_and_binstall_take_archives_that_are_released() {
    let archives = archives();
    let dockerfile = text("packaging/image/Dockerfile");
    let for_linux: BTreeSet<String> = (archives.iter())
        .filter(|archive| archive.contains("linux"))
        .cloned()
        .collect();
    assert_eq!(named(&dockerfile), for_linux);

    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(repository().join("Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap();
    let package = (metadata.packages.iter()).find(|package| package.name == "backstop");
    let package = package.unwrap();
    let binstall = &package.metadata["binstall"];
    let repository = package.repository.as_deref().unwrap();
    for target in targets() {
        let over = &binstall["overrides"][target.as_str()];
        let value = |key: &str| {
            let text = over[key].as_str().or(binstall[key].as_str()).unwrap();
            text.replace("{ repo }", repository)
                .replace("{ version }", env!("CARGO_PKG_VERSION"))
                .replace("{ target }", &target)
                .replace("{ bin }{ binary-ext }", "backstop")
        };
        let url = value("pkg-url");
        let (release, archive) = url.rsplit_once('/').unwrap();
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            release,
            format!("{repository}/releases/download/v{version}")
        );
        assert!(archives.contains(archive), "{target}: {archive}");
        let folder = archive.trim_end_matches(".tar.gz");
        assert_eq!(value("bin-dir"), format!("{folder}/backstop"));
    }
}
