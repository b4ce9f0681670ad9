//! The committed corpora of the fuzz targets, through the same checks, without a fuzzer.

use std::fs;
use std::panic::catch_unwind;
use std::path::Path;

use backstop_checks::CHECKS;

#[test]
fn every_committed_input_passes_its_check() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus");
    let mut failed = Vec::new();
    for (name, check) in CHECKS {
        let folder = corpora.join(name);
        let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
        let mut tried = 0;
        for entry in entries {
            let path = entry.expect("the folder can be read").path();
            let input = fs::read(&path).expect("the input can be read");
            if catch_unwind(|| check(&input)).is_err() {
                failed.push(path);
            }
            tried += 1;
        }
        assert!(tried > 0, "{name} has no corpus");
    }
    assert!(failed.is_empty(), "what is wrong is above: {failed:#?}");
}

#[test]
fn every_check_has_a_target_and_every_target_a_check() {
    let targets = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/fuzz_targets");
    let mut found: Vec<String> = fs::read_dir(targets)
        .expect("there are targets")
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            Some(path.file_stem()?.to_str()?.to_owned())
        })
        .collect();
    found.sort_unstable();
    let checks: Vec<&str> = CHECKS.iter().map(|(name, _)| *name).collect();
    assert_eq!(found, checks);
}
