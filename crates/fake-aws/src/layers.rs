//! Layers, their versions, and who may use them.

use std::collections::{BTreeMap, HashMap};
use std::io::{Cursor, Write as _};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use http::StatusCode;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::Place;
use crate::paging::Page;
use crate::refusal::Refusal;

/// Through the API; larger ones go by S3.
const MOST_ZIPPED: usize = 50 * 1024 * 1024;

#[derive(Debug, Default)]
pub(crate) struct Layers {
    pub(crate) by_name: BTreeMap<(Place, String), Layer>,
    /// Which organisation an account is in.
    pub(crate) organizations: HashMap<String, String>,
}

#[derive(Debug, Default)]
pub(crate) struct Layer {
    last: u64,
    pub(crate) versions: BTreeMap<u64, Version>,
}

/// Who signed a version, by what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) profile: String,
    pub(crate) job: String,
}

#[derive(Debug)]
pub(crate) struct Version {
    description: String,
    runtimes: Value,
    architectures: Value,
    license: String,
    sha256: String,
    content: Bytes,
    pub(crate) unzipped: u64,
    pub(crate) signature: Option<Signature>,
    /// By statement id: the principal and, where that is everybody, the organisation.
    pub(crate) policy: BTreeMap<String, (String, Option<String>)>,
    pub(crate) revision: String,
}

/// What is in a function's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LayerArn {
    pub(crate) place: Place,
    pub(crate) name: String,
    pub(crate) version: u64,
}

impl LayerArn {
    pub(crate) fn parse(arn: &str) -> Option<Self> {
        let parts: Vec<&str> = arn.split(':').collect();
        let ["arn", _, "lambda", region, account, "layer", name, version] = parts[..] else {
            return None;
        };
        Some(Self {
            place: Place::new(account, region),
            name: name.to_owned(),
            version: version.parse().ok()?,
        })
    }

    /// Without its version: what it is a version of.
    pub(crate) fn layer(&self) -> String {
        layer_arn(&self.place, &self.name)
    }
}

pub(crate) fn layer_arn(place: &Place, name: &str) -> String {
    format!(
        "arn:aws:lambda:{}:{}:layer:{name}",
        place.region, place.account
    )
}

impl Layers {
    /// A version with this one file in it; its ARN.
    pub(crate) fn add(&mut self, place: &Place, name: &str, file: &str) -> String {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = zip::write::SimpleFileOptions::default();
        let zip = zip
            .start_file("extensions/file", options)
            .and_then(|()| Ok(zip.write_all(file.as_bytes())?))
            .and_then(|()| zip.finish())
            .map(Cursor::into_inner)
            .unwrap_or_default();
        let body = json!({ "Content": { "ZipFile": BASE64_STANDARD.encode(zip) } });
        let published = self.publish(place, name, &body, "");
        let arn = published.map(|version| version["LayerVersionArn"].clone());
        arn.unwrap_or_default()
            .as_str()
            .unwrap_or_default()
            .to_owned()
    }

    pub(crate) fn publish(
        &mut self,
        place: &Place,
        name: &str,
        body: &Value,
        host: &str,
    ) -> Result<Value, Refusal> {
        let zip = body["Content"]["ZipFile"]
            .as_str()
            .and_then(|text| BASE64_STANDARD.decode(text).ok())
            .ok_or_else(|| Refusal::invalid("Could not unzip uploaded file. Please check your file, then try to upload again."))?;
        if zip.len() > MOST_ZIPPED {
            return Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLargeException",
                "Request must be smaller than 70167211 bytes for the PublishLayerVersion operation",
            ));
        }
        let unzipped = unzipped(&zip).ok_or_else(|| {
            Refusal::invalid(
                "Could not unzip uploaded file. Please check your file, then try to upload again.",
            )
        })?;
        let text = |member: &str| body[member].as_str().unwrap_or_default().to_owned();
        let layer = self
            .by_name
            .entry((place.clone(), name.to_owned()))
            .or_default();
        layer.last += 1;
        let number = layer.last;
        layer.versions.insert(
            number,
            Version {
                description: text("Description"),
                runtimes: body["CompatibleRuntimes"].clone(),
                architectures: body["CompatibleArchitectures"].clone(),
                license: text("LicenseInfo"),
                sha256: sha256(&zip),
                content: zip.into(),
                unzipped,
                signature: None,
                policy: BTreeMap::new(),
                revision: uuid::Uuid::new_v4().to_string(),
            },
        );
        self.describe(place, name, number, host)
    }

    /// As `GetLayerVersion` has it.
    pub(crate) fn describe(
        &self,
        place: &Place,
        name: &str,
        number: u64,
        host: &str,
    ) -> Result<Value, Refusal> {
        let version = self.version(place, name, number)?;
        let mut described = version.summary(place, name, number);
        described.insert("LayerArn".to_owned(), layer_arn(place, name).into());
        let location = format!(
            "http://{host}/content/layers/{}/{}/{name}/{number}?X-Amz-Expires=600&X-Amz-Signature=0",
            place.account, place.region
        );
        let mut content = json!({
            "CodeSha256": version.sha256, "CodeSize": version.content.len(), "Location": location,
        });
        version.sign(&mut content);
        described.insert("Content".to_owned(), content);
        Ok(Value::Object(described))
    }

    /// The newest first, of those for this architecture where one is asked for.
    pub(crate) fn list_versions(
        &self,
        place: &Place,
        name: &str,
        page: &Page,
        architecture: Option<&str>,
    ) -> Value {
        let before: Option<u64> = page.marker.as_ref().and_then(|text| text.parse().ok());
        let versions = self.by_name.get(&(place.clone(), name.to_owned()));
        let listed = (versions.into_iter())
            .flat_map(|layer| layer.versions.iter().rev())
            .filter(|(number, version)| {
                before.is_none_or(|before| **number < before) && version.suits(architecture)
            })
            .take(page.most + 1)
            .map(|(number, version)| {
                let summary: Value = version.summary(place, name, *number).into();
                (number.to_string(), summary)
            });
        let (versions, next) = page.cut(listed.collect());
        json!({ "LayerVersions": versions, "NextMarker": next })
    }

    /// Those that have a version, with the newest.
    pub(crate) fn list(&self, place: &Place, page: &Page, architecture: Option<&str>) -> Value {
        let from = (place.clone(), String::new());
        let layers = (self.by_name.range(from..))
            .take_while(|((at, _), _)| at == place)
            .filter_map(|((_, name), layer)| {
                let mut newest = layer.versions.iter().rev();
                let (number, version) = newest.find(|(_, version)| version.suits(architecture))?;
                let shown = json!({
                    "LayerName": name, "LayerArn": layer_arn(place, name),
                    "LatestMatchingVersion": version.summary(place, name, *number),
                });
                Some((name.clone(), shown))
            });
        let (layers, next) = page.of(layers);
        json!({ "Layers": layers, "NextMarker": next })
    }

    /// As a function's configuration has it: what is not there any more is still named.
    pub(crate) fn reference(&self, arn: &str) -> Value {
        let version = LayerArn::parse(arn).and_then(|arn| {
            self.by_name
                .get(&(arn.place, arn.name))?
                .versions
                .get(&arn.version)
        });
        let size = version.map_or(1, |version| version.content.len());
        let mut reference = json!({ "Arn": arn, "CodeSize": size });
        if let Some(version) = version {
            version.sign(&mut reference);
        }
        reference
    }

    /// How many bytes all versions in a place are.
    pub(crate) fn stored(&self, place: &Place) -> u64 {
        let from = (place.clone(), String::new());
        (self.by_name.range(from..))
            .take_while(|((at, _), _)| at == place)
            .flat_map(|(_, layer)| layer.versions.values())
            .map(|version| version.content.len() as u64)
            .sum()
    }

    pub(crate) fn content(&self, place: &Place, name: &str, number: u64) -> Option<Bytes> {
        let version = self.version(place, name, number).ok()?;
        Some(version.content.clone())
    }

    pub(crate) fn sign(&mut self, place: &Place, name: &str, number: u64, signature: Signature) {
        if let Ok(version) = self.version_mut(place, name, number) {
            version.signature = Some(signature);
        }
    }

    /// Deleting what is not there is no error.
    pub(crate) fn delete(&mut self, place: &Place, name: &str, number: u64) {
        if let Some(layer) = self.by_name.get_mut(&(place.clone(), name.to_owned())) {
            layer.versions.remove(&number);
        }
    }

    pub(crate) fn version(
        &self,
        place: &Place,
        name: &str,
        number: u64,
    ) -> Result<&Version, Refusal> {
        (self.by_name.get(&(place.clone(), name.to_owned())))
            .and_then(|layer| layer.versions.get(&number))
            .ok_or_else(|| Refusal::not_found("The resource you requested does not exist."))
    }

    pub(crate) fn version_mut(
        &mut self,
        place: &Place,
        name: &str,
        number: u64,
    ) -> Result<&mut Version, Refusal> {
        (self.by_name.get_mut(&(place.clone(), name.to_owned())))
            .and_then(|layer| layer.versions.get_mut(&number))
            .ok_or_else(|| Refusal::not_found("The resource you requested does not exist."))
    }
}

impl Version {
    /// Whether it is for this architecture, or for any.
    fn suits(&self, architecture: Option<&str>) -> bool {
        let listed = self.architectures.as_array();
        architecture.is_none_or(|wanted| {
            listed.is_some_and(|listed| listed.iter().any(|one| one == wanted))
        })
    }

    /// Says who signed it, where somebody did.
    fn sign(&self, shown: &mut Value) {
        if let Some(Signature { profile, job }) = &self.signature {
            shown["SigningProfileVersionArn"] = profile.as_str().into();
            shown["SigningJobArn"] = job.as_str().into();
        }
    }

    fn summary(&self, place: &Place, name: &str, number: u64) -> Map<String, Value> {
        let mut summary = Map::new();
        let arn = format!("{}:{number}", layer_arn(place, name));
        summary.insert("LayerVersionArn".to_owned(), arn.into());
        summary.insert("Version".to_owned(), number.into());
        summary.insert("Description".to_owned(), self.description.clone().into());
        summary.insert(
            "CreatedDate".to_owned(),
            "2026-01-31T08:00:00.000+0000".into(),
        );
        summary.insert("LicenseInfo".to_owned(), self.license.clone().into());
        summary.insert("CompatibleRuntimes".to_owned(), self.runtimes.clone());
        summary.insert(
            "CompatibleArchitectures".to_owned(),
            self.architectures.clone(),
        );
        summary
    }
}

/// As `CodeSha256` has it.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(Sha256::digest(bytes))
}

/// The size of everything in it; none where it is no zip.
fn unzipped(zip: &[u8]) -> Option<u64> {
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).ok()?;
    (0..archive.len())
        .map(|index| archive.by_index_raw(index).ok().map(|file| file.size()))
        .sum()
}
