//! The manifest: the version in each place, for the commands that attach it.
//!
//! Made from what the API answered, never from what was asked for: numbers of versions differ between
//! regions. Two forms of the same: [`Manifest`]'s own, and where the file's name ends in
//! `.tfvars.json` a variable of Terraform's, beside whatever else that file sets.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Architecture, put};
use crate::files;
use crate::parsing::json;

const SCHEMA_VERSION: u64 = 1;
/// What Terraform's form is recognised by.
const TERRAFORM_ENDING: &str = ".tfvars.json";
const TERRAFORM_VARIABLE: &str = "backstop_layers";

type ByArchitecture = BTreeMap<Architecture, Published>;
type ByPlace = BTreeMap<String, BTreeMap<String, ByArchitecture>>;

/// The published versions, by account, region and architecture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// What was published last; Terraform's form does not say.
    pub release: Option<String>,
    layers: ByPlace,
    /// Terraform's other variables.
    others: Map<String, Value>,
}

/// A published version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Published {
    arn: String,
    version: u64,
    sha256: String,
}

/// One line of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ManifestEntry<'a> {
    /// Whose the layer is.
    pub account: &'a str,
    /// Where it is.
    pub region: &'a str,
    /// What it runs on.
    pub architecture: Architecture,
    /// What a function names.
    pub arn: &'a str,
    /// The last number of the ARN.
    pub version: u64,
    /// Of the zip, in hexadecimal digits.
    pub sha256: &'a str,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Own {
    schema_version: u64,
    release: Option<String>,
    layers: ByPlace,
}

impl Manifest {
    /// From a file of either form, whatever it is called.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = files::text(path, files::SMALL)?;
        Self::parse(&text).with_context(|| format!("{} is not a manifest", path.display()))
    }

    /// Reads the manifest, or an empty one if the file does not exist.
    pub fn read_if_there(path: &Path) -> anyhow::Result<Self> {
        match path.try_exists() {
            Ok(false) => Ok(Self::default()),
            Ok(true) | Err(_) => Self::read(path),
        }
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        let mut members: Map<String, Value> = serde_json::from_str(text).map_err(json)?;
        if let Some(layers) = members.remove(TERRAFORM_VARIABLE) {
            return Ok(Self {
                release: None,
                layers: serde_json::from_value(layers).map_err(json)?,
                others: members,
            });
        }
        match members.get("schemaVersion").and_then(Value::as_u64) {
            Some(SCHEMA_VERSION) => {}
            Some(newer) => {
                bail!(
                    "its schemaVersion is {newer}, but this release reads {SCHEMA_VERSION}: use a \
                     newer release"
                )
            }
            None => bail!(
                "it has neither schemaVersion nor {TERRAFORM_VARIABLE}: give a file that `backstop \
                 layer publish` wrote"
            ),
        }
        let own: Own = serde_json::from_value(Value::Object(members)).map_err(json)?;
        Ok(Self {
            release: own.release,
            layers: own.layers,
            others: Map::new(),
        })
    }

    /// Takes a version in, in the place of another.
    pub fn insert(&mut self, entry: ManifestEntry<'_>) {
        let regions = self.layers.entry(entry.account.to_owned()).or_default();
        let architectures = regions.entry(entry.region.to_owned()).or_default();
        let published = Published {
            arn: entry.arn.to_owned(),
            version: entry.version,
            sha256: entry.sha256.to_owned(),
        };
        architectures.insert(entry.architecture, published);
    }

    /// Every version, in the order of account, region and architecture.
    pub fn entries(&self) -> impl Iterator<Item = ManifestEntry<'_>> {
        self.layers.iter().flat_map(|(account, regions)| {
            regions.iter().flat_map(move |(region, architectures)| {
                (architectures.iter()).map(move |(architecture, published)| ManifestEntry {
                    account,
                    region,
                    architecture: *architecture,
                    arn: &published.arn,
                    version: published.version,
                    sha256: &published.sha256,
                })
            })
        })
    }

    /// Writes it in the form that the file's name asks for, whole or not at all.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let name = (path.file_name())
            .with_context(|| format!("{} does not name a file", path.display()))?;
        let text = if is_terraforms(path) {
            let mut members = self.others.clone();
            members.insert(
                TERRAFORM_VARIABLE.to_owned(),
                serde_json::to_value(&self.layers)?,
            );
            serde_json::to_string_pretty(&members)?
        } else {
            serde_json::to_string_pretty(&Own {
                schema_version: SCHEMA_VERSION,
                release: self.release.clone(),
                layers: self.layers.clone(),
            })?
        };
        let directory = match path.parent() {
            Some(directory) if directory != Path::new("") => directory,
            _ => Path::new("."),
        };
        put(directory, &name.to_string_lossy(), (text + "\n").as_bytes())
    }
}

/// Whether the file is one of Terraform's.
fn is_terraforms(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().ends_with(TERRAFORM_ENDING)
}

#[cfg(test)]
mod tests {

    use super::*;

    const ARN: &str =
        "arn:aws:lambda:eu-west-1:111122223333:layer:backstop-extension-arm64-0-1-0:4";

    fn entry(region: &'static str, version: u64) -> ManifestEntry<'static> {
        ManifestEntry {
            account: "111122223333",
            region,
            architecture: Architecture::Arm64,
            arn: ARN,
            version,
            sha256: "00ff",
        }
    }

    #[test]
    fn both_forms_hold_the_same_and_are_read_back() {
        let directory = tempfile::tempdir().expect("a directory");
        let mut manifest = Manifest {
            release: Some("0.1.0".to_owned()),
            ..Manifest::default()
        };
        manifest.insert(entry("us-east-1", 1));
        manifest.insert(entry("eu-west-1", 3));
        manifest.insert(entry("eu-west-1", 4));
        let (own, terraforms) = (
            directory.path().join("layers.json"),
            directory.path().join("layers.tfvars.json"),
        );
        for path in [&own, &terraforms] {
            manifest.write(path).expect("the directory is ours");
            let read = Manifest::read(path).expect("it was written here");
            let versions: Vec<_> = read
                .entries()
                .map(|entry| (entry.region, entry.version))
                .collect();
            assert_eq!(versions, [("eu-west-1", 4), ("us-east-1", 1)]);
            assert_eq!(read.entries().next(), Some(entry("eu-west-1", 4)));
        }
        let text = |path| std::fs::read_to_string(path).expect("it was written here");
        let value: Value = serde_json::from_str(&text(&own)).expect("it is JSON");
        assert_eq!(
            (&value["schemaVersion"], &value["release"]),
            (&1.into(), &"0.1.0".into())
        );
        assert_eq!(
            value["layers"]["111122223333"]["eu-west-1"]["arm64"]["arn"],
            ARN
        );
        let value: Value = serde_json::from_str(&text(&terraforms)).expect("it is JSON");
        assert_eq!(
            value["backstop_layers"]["111122223333"]["eu-west-1"]["arm64"]["version"],
            4
        );
        assert_eq!(value.as_object().map(Map::len), Some(1));
    }

    #[test]
    fn other_variables_of_terraform_stay() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("fleet.auto.tfvars.json");
        std::fs::write(&path, r#"{"stage":"prod","backstop_layers":{}}"#)
            .expect("the directory is ours");
        let mut manifest = Manifest::read(&path).expect("it is a manifest");
        manifest.insert(entry("eu-west-1", 4));
        manifest.write(&path).expect("the directory is ours");
        let text = std::fs::read_to_string(&path).expect("it is there");
        assert!(
            text.contains(r#""stage": "prod""#) && text.contains(ARN),
            "{text}"
        );
    }

    #[test]
    fn what_is_no_manifest_is_not_written_over() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("package.json");
        for (text, problem) in [
            ("{}", "neither schemaVersion nor backstop_layers"),
            (
                r#"{"schemaVersion":2,"layers":{}}"#,
                "its schemaVersion is 2",
            ),
            (r#"{"schemaVersion":1}"#, "missing field `layers`"),
            (
                r#"{"schemaVersion":1,"layers":{"1":{"r":{"mips":{}}}}}"#,
                "unknown variant",
            ),
            ("[]", "invalid type"),
        ] {
            std::fs::write(&path, text).expect("the directory is ours");
            let error = format!(
                "{:#}",
                Manifest::read_if_there(&path).expect_err("it is none")
            );
            assert!(
                error.contains("package.json is not a manifest") && error.contains(problem),
                "{error}"
            );
        }
        assert_eq!(
            Manifest::read_if_there(&directory.path().join("absent")).expect("nothing is there"),
            Manifest::default()
        );
    }
}
