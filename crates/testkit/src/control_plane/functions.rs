//! Functions, what may be changed of them and when.

use std::collections::BTreeMap;
use std::time::Duration;

use http::StatusCode;
use serde_json::{Value, json};
use tokio::time::Instant;
use uuid::Uuid;

use super::Place;
use super::layers::{LayerArn, Layers};
use super::refusal::Refusal;

const MOST_LAYERS: usize = 5;
const MOST_ENVIRONMENT: usize = 4096;
const MOST_UNZIPPED: u64 = 262_144_000;
const MOST_REQUEST: usize = 5120;
const PAGE: usize = 50;

/// What a function's code comes in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PackageType {
    /// A zip, to which layers can be added.
    #[default]
    Zip,
    /// A container image.
    Image,
}

/// Whether the caller may decrypt the environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum KeyAccess {
    /// It may.
    #[default]
    Granted,
    /// It may not: the variables are not shown, only that they cannot be.
    Denied,
}

/// Whether code has to be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Signing {
    /// It has not.
    #[default]
    None,
    /// What is not signed is warned of.
    Warn,
    /// What is not signed is refused, layers too.
    Enforce,
}

/// A function to be created.
#[derive(Debug, Clone, Default)]
pub struct FunctionSpec {
    /// Its name.
    pub name: String,
    /// `python3.13` and the like; the image's own without one.
    pub runtime: Option<String>,
    /// `x86_64` where there is none.
    pub architecture: Option<String>,
    /// Zip or image.
    pub package_type: PackageType,
    /// ARNs of layer versions, in order. They need not be there.
    pub layers: Vec<String>,
    /// Its environment.
    pub environment: BTreeMap<String, String>,
    /// Who may decrypt it.
    pub key_access: KeyAccess,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Whether its code has to be signed.
    pub signing: Signing,
    /// The size of its code, unzipped.
    pub unzipped_bytes: u64,
    /// `Active`, where there is none; `Inactive`, `Pending` or `Failed`.
    pub state: Option<&'static str>,
    /// Names of aliases, each on version 1.
    pub aliases: Vec<String>,
    /// Its execution role.
    pub role: Option<String>,
}

#[derive(Debug, Default)]
pub(super) struct Functions {
    by_name: BTreeMap<(Place, String), Function>,
    pub(super) update_time: Duration,
}

#[derive(Debug)]
struct Function {
    arn: String,
    spec: FunctionSpec,
    revision: Uuid,
    /// Until when the last update is under way.
    busy: Option<Instant>,
    versions: Vec<Value>,
    aliases: BTreeMap<String, (String, Uuid)>,
}

impl Functions {
    pub(super) fn add(&mut self, place: &Place, spec: FunctionSpec) {
        let arn = format!(
            "arn:aws:lambda:{}:{}:function:{}",
            place.region, place.account, spec.name
        );
        let aliases = (spec.aliases.iter())
            .map(|name| (name.clone(), ("1".to_owned(), Uuid::new_v4())))
            .collect();
        let mut function = Function {
            arn,
            revision: Uuid::new_v4(),
            busy: None,
            versions: Vec::new(),
            aliases,
            spec,
        };
        if !function.aliases.is_empty() {
            let first = function.configuration(place, None);
            function.versions.push(first);
        }
        let name = function.spec.name.clone();
        self.by_name.insert((place.clone(), name), function);
    }

    pub(super) fn deploy(&mut self, place: &Place, name: &str, (key, value): (&str, &str)) {
        if let Some(function) = self.by_name.get_mut(&(place.clone(), name.to_owned())) {
            let environment = &mut function.spec.environment;
            environment.insert(key.to_owned(), value.to_owned());
            function.revision = Uuid::new_v4();
        }
    }

    pub(super) fn settled_configuration(&mut self, place: &Place, name: &str) -> Option<Value> {
        let function = self.by_name.get_mut(&(place.clone(), name.to_owned()))?;
        let mut configuration = function.configuration(place, None);
        // What the caller cannot see is there all the same.
        configuration["Environment"] = json!({ "Variables": function.spec.environment });
        for changing in ["RevisionId", "LastModified", "LastUpdateStatus"] {
            configuration.as_object_mut()?.remove(changing);
        }
        Some(configuration)
    }

    pub(super) fn list(&mut self, place: &Place, marker: Option<&str>, most: usize) -> Value {
        let most = most.min(PAGE);
        let after = marker.unwrap_or_default().to_owned();
        let mut listed: Vec<(String, Value)> = (self.by_name.iter_mut())
            .filter(|((at, name), _)| at == place && *name > after)
            .map(|((_, name), function)| {
                let mut configuration = function.configuration(place, None);
                // A list says nothing of these.
                for absent in [
                    "State",
                    "StateReasonCode",
                    "LastUpdateStatus",
                    "RuntimeVersionConfig",
                ] {
                    if let Some(members) = configuration.as_object_mut() {
                        members.remove(absent);
                    }
                }
                (name.clone(), configuration)
            })
            .collect();
        let more = (listed.len() > most).then(|| listed[most - 1].0.clone());
        listed.truncate(most);
        let functions: Vec<Value> = listed.into_iter().map(|(_, function)| function).collect();
        json!({ "Functions": functions, "NextMarker": more })
    }

    pub(super) fn get(&mut self, place: &Place, name: &str) -> Result<Value, Refusal> {
        let function = self.function(place, name)?;
        let tags = function.spec.tags.clone();
        let configuration = function.configuration(place, None);
        Ok(json!({
            "Configuration": configuration,
            "Code": { "RepositoryType": "S3", "Location": "https://unused.invalid/" },
            "Tags": tags,
        }))
    }

    pub(super) fn configuration(&mut self, place: &Place, name: &str) -> Result<Value, Refusal> {
        Ok(self.function(place, name)?.configuration(place, None))
    }

    /// Changes layers and environment, and nothing where anything is wrong.
    pub(super) fn update(
        &mut self,
        place: &Place,
        name: &str,
        body: &[u8],
        layers: &Layers,
    ) -> Result<Value, Refusal> {
        if body.len() > MOST_REQUEST {
            return Err(Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "RequestEntityTooLargeException",
                format!(
                    "Request must be smaller than {MOST_REQUEST} bytes for the UpdateFunctionConfiguration operation"
                ),
            ));
        }
        let update_time = self.update_time;
        let body: Value = serde_json::from_slice(body)
            .map_err(|_| Refusal::invalid("Could not parse request body into json"))?;
        let function = self.function(place, name)?;
        function.must_be_idle()?;
        if let Some(revision) = body["RevisionId"].as_str()
            && revision != function.revision.to_string()
        {
            return Err(Refusal::stale());
        }
        let mut spec = function.spec.clone();
        if let Some(listed) = body["Layers"].as_array() {
            spec.layers = listed
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect();
            check_layers(place, &spec, layers)?;
        }
        if let Some(variables) = body["Environment"]["Variables"].as_object() {
            spec.environment = (variables.iter())
                .map(|(key, value)| (key.clone(), value.as_str().unwrap_or_default().to_owned()))
                .collect();
            let text = json!(spec.environment).to_string();
            if text.len() > MOST_ENVIRONMENT {
                return Err(Refusal::invalid(format!(
                    "Lambda was unable to configure your environment variables because the environment variables you have provided exceeded the 4KB limit. String measured: {text}"
                )));
            }
        }
        function.spec = spec;
        function.revision = Uuid::new_v4();
        function.busy = (!update_time.is_zero()).then(|| Instant::now() + update_time);
        Ok(function.configuration(place, None))
    }

    pub(super) fn publish_version(
        &mut self,
        place: &Place,
        name: &str,
        body: &Value,
    ) -> Result<Value, Refusal> {
        let function = self.function(place, name)?;
        function.must_be_idle()?;
        if let Some(revision) = body["RevisionId"].as_str()
            && revision != function.revision.to_string()
        {
            return Err(Refusal::stale());
        }
        let version = (function.versions.len() + 1).to_string();
        let published = function.configuration(place, Some(&version));
        function.versions.push(published.clone());
        Ok(published)
    }

    pub(super) fn list_versions(&mut self, place: &Place, name: &str) -> Result<Value, Refusal> {
        let function = self.function(place, name)?;
        let latest = function.configuration(place, None);
        let versions: Vec<Value> = std::iter::once(latest)
            .chain(function.versions.clone())
            .collect();
        Ok(json!({ "Versions": versions }))
    }

    pub(super) fn list_aliases(&mut self, place: &Place, name: &str) -> Result<Value, Refusal> {
        let function = self.function(place, name)?;
        let aliases: Vec<Value> = (function.aliases.iter())
            .map(|(alias, (version, revision))| {
                json!({
                    "AliasArn": format!("{}:{alias}", function.arn), "Name": alias,
                    "FunctionVersion": version, "RevisionId": revision.to_string(),
                })
            })
            .collect();
        Ok(json!({ "Aliases": aliases }))
    }

    pub(super) fn update_alias(
        &mut self,
        place: &Place,
        name: &str,
        alias: &str,
        body: &Value,
    ) -> Result<Value, Refusal> {
        let function = self.function(place, name)?;
        let versions = function.versions.len();
        let arn = format!("{}:{alias}", function.arn);
        let Some((version, revision)) = function.aliases.get_mut(alias) else {
            return Err(Refusal::not_found(format!("Alias not found: {arn}")));
        };
        if body["RevisionId"]
            .as_str()
            .is_some_and(|known| known != revision.to_string())
        {
            return Err(Refusal::stale());
        }
        if let Some(wanted) = body["FunctionVersion"].as_str() {
            let is_there = wanted == "$LATEST"
                || wanted
                    .parse()
                    .is_ok_and(|number: usize| (1..=versions).contains(&number));
            if !is_there {
                return Err(Refusal::not_found(format!("Function not found: {arn}")));
            }
            wanted.clone_into(version);
        }
        *revision = Uuid::new_v4();
        Ok(json!({
            "AliasArn": arn, "Name": alias, "FunctionVersion": version, "RevisionId": revision.to_string(),
        }))
    }

    pub(super) fn code_signing(&mut self, place: &Place, name: &str) -> Result<Value, Refusal> {
        let function = self.function(place, name)?;
        let arn = |policy: &str| {
            format!(
                "arn:aws:lambda:{}:{}:code-signing-config:csc-{policy}",
                place.region, place.account
            )
        };
        let arn = match function.spec.signing {
            Signing::None => None,
            Signing::Warn => Some(arn("warn")),
            Signing::Enforce => Some(arn("enforce")),
        };
        Ok(json!({ "CodeSigningConfigArn": arn, "FunctionName": name }))
    }

    pub(super) fn tags(&mut self, place: &Place, arn: &str) -> Result<Value, Refusal> {
        let name = arn.rsplit(':').next().unwrap_or_default().to_owned();
        Ok(json!({ "Tags": self.function(place, &name)?.spec.tags }))
    }

    /// By name, partial or whole ARN.
    fn function(&mut self, place: &Place, name: &str) -> Result<&mut Function, Refusal> {
        let short = name.rsplit(':').next().unwrap_or(name);
        let function = self.by_name.get_mut(&(place.clone(), short.to_owned()));
        let function = function.ok_or_else(|| {
            Refusal::not_found(format!(
                "Function not found: arn:aws:lambda:{}:{}:function:{short}",
                place.region, place.account
            ))
        })?;
        function.settle();
        Ok(function)
    }
}

/// What the API checks of a list of layers, in its order.
fn check_layers(place: &Place, spec: &FunctionSpec, layers: &Layers) -> Result<(), Refusal> {
    if spec.package_type == PackageType::Image && !spec.layers.is_empty() {
        return Err(Refusal::invalid(
            "Please don't provide Layers when updating a function with packageType Image.",
        ));
    }
    if spec.layers.len() > MOST_LAYERS {
        return Err(Refusal::invalid(format!(
            "Cannot reference more than {MOST_LAYERS} layers."
        )));
    }
    let mut unzipped = spec.unzipped_bytes;
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for text in &spec.layers {
        let Some(arn) = LayerArn::parse(text) else {
            return Err(Refusal::invalid(format!(
                "{text} is not a valid layer version ARN."
            )));
        };
        unzipped += layers.usable(place, &arn)?.1;
        if seen.insert(arn.layer(), arn.version).is_some() {
            return Err(Refusal::invalid(format!(
                "Two different versions of the same layer are not allowed to be referenced in the same function. {text} is one of them."
            )));
        }
    }
    if unzipped > MOST_UNZIPPED {
        return Err(Refusal::invalid(format!(
            "Function code combined with layers exceeds the maximum allowed size of {MOST_UNZIPPED} bytes. The actual size is {unzipped} bytes."
        )));
    }
    if spec.signing == Signing::Enforce && !spec.layers.is_empty() {
        return Err(Refusal::new(
            StatusCode::BAD_REQUEST,
            "CodeVerificationFailedException",
            "Lambda cannot deploy the function. The function or layer might be signed using a signature that the client is not configured to accept.",
        ));
    }
    Ok(())
}

impl Function {
    fn must_be_idle(&self) -> Result<(), Refusal> {
        if self.busy.is_some() || self.spec.state == Some("Pending") {
            return Err(Refusal::conflict(&self.arn));
        }
        Ok(())
    }

    /// An update that has had its time is done, and that makes another revision.
    fn settle(&mut self) {
        if self.busy.is_some_and(|until| Instant::now() >= until) {
            self.busy = None;
            self.revision = Uuid::new_v4();
        }
    }

    fn configuration(&mut self, place: &Place, version: Option<&str>) -> Value {
        self.settle();
        let spec = &self.spec;
        let layers: Vec<Value> = (spec.layers.iter())
            .map(|arn| json!({ "Arn": arn, "CodeSize": 1 }))
            .collect();
        let is_inactive = spec.state == Some("Inactive");
        let mut configuration = json!({
            "FunctionName": spec.name,
            "FunctionArn": version.map_or_else(|| self.arn.clone(), |version| format!("{}:{version}", self.arn)),
            "Version": version.unwrap_or("$LATEST"),
            "Runtime": spec.runtime,
            "Role": spec.role.clone().unwrap_or_else(|| format!("arn:aws:iam::{}:role/{}", place.account, spec.name)),
            "Handler": "index.handler",
            "PackageType": match spec.package_type {
                PackageType::Zip => "Zip",
                PackageType::Image => "Image",
            },
            "Architectures": [spec.architecture.as_deref().unwrap_or("x86_64")],
            "CodeSize": spec.unzipped_bytes / 3,
            "MemorySize": 128,
            "Timeout": 3,
            "LastModified": "2026-01-31T08:00:00.000+0000",
            "RevisionId": self.revision.to_string(),
            "State": spec.state.unwrap_or("Active"),
            "StateReasonCode": is_inactive.then_some("Idle"),
            "LastUpdateStatus": if self.busy.is_some() { "InProgress" } else { "Successful" },
        });
        if !layers.is_empty() {
            configuration["Layers"] = layers.into();
        }
        match spec.key_access {
            KeyAccess::Denied => {
                configuration["Environment"] = json!({ "Error": {
                    "ErrorCode": "AccessDeniedException",
                    "Message": "Lambda was unable to decrypt your environment variables because the KMS access was denied. Please check your KMS permissions.",
                }});
            }
            KeyAccess::Granted if !spec.environment.is_empty() => {
                configuration["Environment"] = json!({ "Variables": spec.environment });
            }
            KeyAccess::Granted => {}
        }
        configuration
    }
}
