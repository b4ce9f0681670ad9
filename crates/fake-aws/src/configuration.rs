//! How a function, or a version of it, is shown.

use serde_json::{Value, json};

use crate::Place;
use crate::content;
use crate::function::{Function, Version, label};
use crate::layers::{Layers, sha256};
use crate::spec::{FunctionSpec, KeyAccess, PackageType};

/// What is shown, and of which version: 0 is `$LATEST`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shown {
    number: u64,
    is_qualified: bool,
    has_states: bool,
}

impl Shown {
    /// As the answer to a question about one.
    pub(crate) fn asked(number: u64) -> Self {
        Self {
            number,
            is_qualified: number > 0,
            has_states: true,
        }
    }

    /// A list says nothing of states, and where it lists versions `$LATEST` is in the ARN too.
    pub(crate) fn listed(number: u64, is_qualified: bool) -> Self {
        Self {
            number,
            is_qualified,
            has_states: false,
        }
    }
}

/// As `CodeSha256` has it.
pub(crate) fn code_sha256(spec: &FunctionSpec) -> String {
    let code = if spec.code.is_empty() {
        &spec.name
    } else {
        &spec.code
    };
    sha256(code.as_bytes())
}

impl Function {
    /// Has to have settled.
    pub(crate) fn shown(&self, place: &Place, what: Shown, layers: &Layers) -> Value {
        let version = self.versions.get(&what.number);
        let spec = version.map_or(&self.spec, |version| &version.spec);
        let label = label(what.number);
        let mut configuration = json!({
            "FunctionName": spec.name,
            "FunctionArn": if what.is_qualified { format!("{}:{label}", self.arn) } else { self.arn.clone() },
            "Version": label,
            "Description": version.map_or("", |version| version.description.as_str()),
            "Runtime": spec.runtime,
            "Role": spec.role.clone().unwrap_or_else(|| format!("arn:aws:iam::{}:role/{}", place.account, spec.name)),
            "Handler": "index.handler",
            "PackageType": match spec.package_type {
                PackageType::Zip => "Zip",
                PackageType::Image => "Image",
            },
            "Architectures": [spec.architecture.as_deref().unwrap_or("x86_64")],
            "CodeSize": content::zipped_size(spec.unzipped_bytes),
            "CodeSha256": code_sha256(spec),
            "MemorySize": spec.memory_mb.unwrap_or(128),
            "Timeout": spec.timeout.unwrap_or(3),
            "LastModified": "2026-01-31T08:00:00.000+0000",
            "RevisionId": version.map_or(self.revision, |version| version.revision).to_string(),
        });
        if let Some(vpc) = &spec.vpc_id {
            configuration["VpcConfig"] =
                json!({ "VpcId": vpc, "SubnetIds": ["subnet-0"], "SecurityGroupIds": ["sg-0"] });
        }
        if spec.snap_start {
            configuration["SnapStart"] = json!({ "ApplyOn": "PublishedVersions" });
        }
        if what.has_states {
            let is_pending = version.is_some_and(Version::is_pending);
            let state = match version {
                Some(_) if is_pending => "Pending",
                Some(_) => "Active",
                None => spec.state.unwrap_or("Active"),
            };
            configuration["State"] = state.into();
            configuration["StateReasonCode"] = match state {
                "Inactive" => "Idle".into(),
                "Pending" => "Creating".into(),
                _ => Value::Null,
            };
            let is_busy = version.is_none() && self.busy.is_some();
            configuration["LastUpdateStatus"] =
                if is_busy { "InProgress" } else { "Successful" }.into();
        }
        if !spec.layers.is_empty() {
            let layers = spec.layers.iter().map(|arn| layers.reference(arn));
            configuration["Layers"] = layers.collect();
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
        for (member, value) in &spec.shown {
            configuration[member] = value.clone();
        }
        configuration
    }

    /// Without what changes of itself, and with what the caller cannot see but is there all the same.
    pub(crate) fn settled(&self, place: &Place, layers: &Layers) -> Value {
        let mut configuration = self.shown(place, Shown::asked(0), layers);
        configuration["Environment"] = json!({ "Variables": self.spec.environment });
        without(
            configuration,
            &["RevisionId", "LastModified", "LastUpdateStatus"],
        )
    }
}

pub(crate) fn without(mut value: Value, members: &[&str]) -> Value {
    if let Some(object) = value.as_object_mut() {
        object.retain(|name, _| !members.contains(&name.as_str()));
    }
    value
}
