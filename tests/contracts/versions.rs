//! One version for everything, and the changelog in step with it.

use std::fs;

use crate::repository;

#[test]
fn the_changelog_speaks_of_the_workspaces_version() {
    let version = env!("CARGO_PKG_VERSION");
    let changelog = fs::read_to_string(repository().join("CHANGELOG.md")).unwrap();
    let is_released = changelog.contains(&format!("\n## [{version}]"));
    let is_announced =
        changelog.contains(&format!("\n## [Unreleased]\n\nWhat {version} will hold:"));
    assert!(
        is_released != is_announced,
        "CHANGELOG.md has a section ## [{version}], or `What {version} will hold:` below ## [Unreleased]"
    );
}

#[test]
fn every_package_has_the_workspaces_version() {
    let metadata = cargo_metadata::MetadataCommand::new()
        .manifest_path(repository().join("Cargo.toml"))
        .no_deps()
        .exec()
        .unwrap();
    for package in metadata.workspace_packages() {
        // A stand-in for a package of others has theirs.
        if package.name.starts_with("backstop") {
            let version = package.version.to_string();
            assert_eq!(version, env!("CARGO_PKG_VERSION"), "{}", package.name);
        }
    }
}

#[test]
fn the_cdk_library_has_the_workspaces_version() {
    let version = env!("CARGO_PKG_VERSION");
    for (file, text) in [
        ("package.json", format!("\n  \"version\": \"{version}\",")),
        (".projenrc.js", format!("addVersion('{version}')")),
        ("src/layer.ts", format!("const RELEASE = '{version}';")),
        ("examples/go/go.mod", format!("/backstopcdk v{version}\n")),
        (
            "examples/java/pom.xml",
            format!("<backstop.version>{version}</backstop.version>"),
        ),
    ] {
        let content = fs::read_to_string(repository().join("cdk").join(file)).unwrap();
        assert!(content.contains(&text), "cdk/{file} is without {text:?}");
    }
}
