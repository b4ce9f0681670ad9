//! Secrets Manager and Parameter Store, as far as reading one value goes.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::Place;
use crate::refusal::Refusal;

pub(crate) const SECRETS: [&str; 2] = ["DescribeSecret", "GetSecretValue"];
pub(crate) const PARAMETERS: [&str; 1] = ["GetParameter"];

/// By place and name.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    pub(crate) secrets: BTreeMap<(Place, String), String>,
    pub(crate) parameters: BTreeMap<(Place, String), String>,
}

/// Which of them is asked for.
pub(crate) fn subject(body: &[u8]) -> String {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let name = body["SecretId"].as_str().or(body["Name"].as_str());
    name.unwrap_or_default().to_owned()
}

impl Parameters {
    pub(crate) fn secret(
        &self,
        place: &Place,
        operation: &str,
        id: &str,
    ) -> Result<Value, Refusal> {
        let prefix = format!(
            "arn:aws:secretsmanager:{}:{}:secret:",
            place.region, place.account
        );
        // An ARN ends in a dash and six characters that are not of the name.
        let name = id
            .strip_prefix(&prefix)
            .map_or(id, |name| name.strip_suffix("-abcdef").unwrap_or(name));
        let secret = self.secrets.get(&(place.clone(), name.to_owned()));
        let secret = secret.ok_or_else(|| {
            Refusal::bad(
                "ResourceNotFoundException",
                "Secrets Manager can't find the specified secret.",
            )
        })?;
        let mut shown = json!({ "ARN": format!("{prefix}{name}-abcdef"), "Name": name });
        if operation == "GetSecretValue" {
            shown["SecretString"] = secret.as_str().into();
            shown["VersionId"] = "00000000-0000-0000-0000-000000000000".into();
        }
        Ok(shown)
    }

    pub(crate) fn parameter(&self, place: &Place, id: &str) -> Result<Value, Refusal> {
        let prefix = format!("arn:aws:ssm:{}:{}:parameter", place.region, place.account);
        let name = id.strip_prefix(&prefix).unwrap_or(id);
        let value = self.parameters.get(&(place.clone(), name.to_owned()));
        let value = value.ok_or_else(|| {
            Refusal::bad("ParameterNotFound", format!("Parameter {name} not found."))
        })?;
        Ok(json!({ "Parameter": {
            "Name": name, "Type": "SecureString", "Value": value, "Version": 1,
            "ARN": format!("{prefix}/{}", name.trim_start_matches('/')), "DataType": "text",
        }}))
    }
}
