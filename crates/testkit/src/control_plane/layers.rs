//! Layers, their versions, and who may use them.

use std::collections::{BTreeMap, HashMap};
use std::io::Cursor;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::StatusCode;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::Place;
use super::refusal::Refusal;

/// Through the API; larger ones go by S3.
const MOST_ZIPPED: usize = 50 * 1024 * 1024;

#[derive(Debug, Default)]
pub(super) struct Layers {
    by_name: BTreeMap<(Place, String), Layer>,
    /// Which organisation an account is in.
    pub(super) organizations: HashMap<String, String>,
}

#[derive(Debug, Default)]
struct Layer {
    last: u64,
    versions: BTreeMap<u64, Version>,
}

#[derive(Debug)]
struct Version {
    description: String,
    runtimes: Value,
    architectures: Value,
    license: String,
    sha256: String,
    zipped: u64,
    unzipped: u64,
    /// By statement id: the principal and, where that is everybody, the organisation.
    policy: BTreeMap<String, (String, Option<String>)>,
    revision: String,
}

/// What is in a function's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LayerArn {
    pub(super) place: Place,
    pub(super) name: String,
    pub(super) version: u64,
}

impl LayerArn {
    pub(super) fn parse(arn: &str) -> Option<Self> {
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
    pub(super) fn layer(&self) -> String {
        layer_arn(&self.place, &self.name)
    }
}

fn layer_arn(place: &Place, name: &str) -> String {
    format!(
        "arn:aws:lambda:{}:{}:layer:{name}",
        place.region, place.account
    )
}

impl Layers {
    pub(super) fn publish(
        &mut self,
        place: &Place,
        name: &str,
        body: &Value,
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
                zipped: zip.len() as u64,
                unzipped,
                policy: BTreeMap::new(),
                revision: uuid::Uuid::new_v4().to_string(),
            },
        );
        self.describe(place, name, number)
    }

    /// As `GetLayerVersion` has it.
    pub(super) fn describe(
        &self,
        place: &Place,
        name: &str,
        number: u64,
    ) -> Result<Value, Refusal> {
        let version = self.version(place, name, number)?;
        let mut described = version.summary(place, name, number);
        described.insert("LayerArn".to_owned(), layer_arn(place, name).into());
        described.insert(
            "Content".to_owned(),
            json!({ "CodeSha256": version.sha256, "CodeSize": version.zipped, "Location": "https://unused.invalid/" }),
        );
        Ok(Value::Object(described))
    }

    /// The newest first.
    pub(super) fn list(
        &self,
        place: &Place,
        name: &str,
        before: Option<u64>,
        most: usize,
    ) -> Value {
        let versions = self.by_name.get(&(place.clone(), name.to_owned()));
        let mut listed: Vec<(u64, Value)> = (versions.into_iter())
            .flat_map(|layer| layer.versions.iter().rev())
            .filter(|(number, _)| before.is_none_or(|before| **number < before))
            .map(|(number, version)| (*number, version.summary(place, name, *number).into()))
            .collect();
        let more = (listed.len() > most).then(|| listed[most - 1].0.to_string());
        listed.truncate(most);
        let versions: Vec<Value> = listed.into_iter().map(|(_, version)| version).collect();
        json!({ "LayerVersions": versions, "NextMarker": more })
    }

    /// Deleting what is not there is no error.
    pub(super) fn delete(&mut self, place: &Place, name: &str, number: u64) {
        if let Some(layer) = self.by_name.get_mut(&(place.clone(), name.to_owned())) {
            layer.versions.remove(&number);
        }
    }

    pub(super) fn grant(
        &mut self,
        place: &Place,
        name: &str,
        number: u64,
        body: &Value,
    ) -> Result<Value, Refusal> {
        let arn = format!("{}:{number}", layer_arn(place, name));
        let version = self.version_mut(place, name, number)?;
        let text = |member: &str| body[member].as_str().map(str::to_owned);
        let (Some(id), Some(principal)) = (text("StatementId"), text("Principal")) else {
            return Err(Refusal::invalid("StatementId and Principal are required"));
        };
        if text("Action").as_deref() != Some("lambda:GetLayerVersion") {
            return Err(Refusal::invalid("Action must be lambda:GetLayerVersion"));
        }
        let organization = text("OrganizationId");
        if organization.is_some() && principal != "*" {
            return Err(Refusal::invalid(
                "Principal must be * if an organization is given",
            ));
        }
        if version.policy.contains_key(&id) {
            let message = format!(
                "The statement id ({id}) provided already exists. Please provide a new statement id, or remove the existing statement."
            );
            return Err(Refusal::new(
                StatusCode::CONFLICT,
                "ResourceConflictException",
                message,
            ));
        }
        version.policy.insert(id.clone(), (principal, organization));
        version.revision = uuid::Uuid::new_v4().to_string();
        let statement = version.statement(&arn, &id).to_string();
        Ok(json!({ "Statement": statement, "RevisionId": version.revision }))
    }

    pub(super) fn policy(&self, place: &Place, name: &str, number: u64) -> Result<Value, Refusal> {
        let arn = format!("{}:{number}", layer_arn(place, name));
        let version = self.version(place, name, number)?;
        if version.policy.is_empty() {
            return Err(Refusal::not_found(
                "No policy is associated with the given resource.",
            ));
        }
        let statements: Vec<Value> = (version.policy.keys())
            .map(|id| version.statement(&arn, id))
            .collect();
        let policy = json!({ "Version": "2012-10-17", "Id": "default", "Statement": statements });
        Ok(json!({ "Policy": policy.to_string(), "RevisionId": version.revision }))
    }

    pub(super) fn revoke(
        &mut self,
        place: &Place,
        name: &str,
        number: u64,
        id: &str,
    ) -> Result<(), Refusal> {
        let version = self.version_mut(place, name, number)?;
        match version.policy.remove(id) {
            Some(_) => Ok(()),
            None => Err(Refusal::not_found(format!(
                "Statement {id} is not found in resource policy."
            ))),
        }
    }

    /// What a function of `caller` may have in its list: the sizes, zipped and not.
    pub(super) fn usable(&self, caller: &Place, arn: &LayerArn) -> Result<(u64, u64), Refusal> {
        let shown = format!("{}:{}", arn.layer(), arn.version);
        if arn.place.region != caller.region {
            return Err(Refusal::invalid(format!(
                "Layers are not in the same region as the function. Layers are expected to be in region {}.",
                caller.region
            )));
        }
        let is_own = arn.place.account == caller.account;
        let version = (self.by_name.get(&(arn.place.clone(), arn.name.clone())))
            .and_then(|layer| layer.versions.get(&arn.version));
        let organization = self.organizations.get(&caller.account);
        let is_open = |version: &&Version| {
            let may = |(principal, of): &(String, Option<String>)| match of {
                Some(of) => organization == Some(of),
                None => principal == "*" || principal.contains(&caller.account),
            };
            is_own || version.policy.values().any(may)
        };
        match version.filter(is_open) {
            Some(version) => Ok((version.zipped, version.unzipped)),
            None if is_own => Err(Refusal::invalid(format!(
                "Layer version {shown} does not exist."
            ))),
            // What is not there and what is not shared look alike from another account.
            None => Err(Refusal::denied("GetLayerVersion", &shown)),
        }
    }

    fn version(&self, place: &Place, name: &str, number: u64) -> Result<&Version, Refusal> {
        (self.by_name.get(&(place.clone(), name.to_owned())))
            .and_then(|layer| layer.versions.get(&number))
            .ok_or_else(|| Refusal::not_found("The resource you requested does not exist."))
    }

    fn version_mut(
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

    fn statement(&self, arn: &str, id: &str) -> Value {
        let (principal, organization) = &self.policy[id];
        let principal = if principal == "*" {
            json!("*")
        } else {
            json!({ "AWS": format!("arn:aws:iam::{principal}:root") })
        };
        let mut statement = json!({
            "Sid": id, "Effect": "Allow", "Principal": principal,
            "Action": "lambda:GetLayerVersion", "Resource": arn,
        });
        if let Some(organization) = organization {
            statement["Condition"] =
                json!({ "StringEquals": { "aws:PrincipalOrgID": organization } });
        }
        statement
    }
}

/// As `CodeSha256` has it.
fn sha256(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(Sha256::digest(bytes))
}

/// The size of everything in it; none where it is no zip.
fn unzipped(zip: &[u8]) -> Option<u64> {
    let mut archive = zip::ZipArchive::new(Cursor::new(zip)).ok()?;
    (0..archive.len())
        .map(|index| archive.by_index_raw(index).ok().map(|file| file.size()))
        .sum()
}
