//! The function's own variables.
//!
//! Invariant: all mistakes are reported at once, and none of them is repaired by a guess: a mode that is
//! misspelt must not become one that writes.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use backstop_config::{AwsSettings, ProcessEnvironment, Settings as Extension};
use backstop_delivery::SystemClock;
use backstop_fleet::journal::Location;
use backstop_sinks::SharedHttp;
use serde::{Deserialize, Serialize};

/// Writes to one function within an hour, unless something else is set.
const WRITES: usize = 3;

/// What the controller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Plans, and writes nothing.
    #[default]
    Report,
    /// Attaches functions that never had the layer from here.
    Attach,
    /// Also restores what has drifted.
    Enforce,
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "report" => Ok(Self::Report),
            "attach" => Ok(Self::Attach),
            "enforce" => Ok(Self::Enforce),
            _ => Err("set it to report, attach or enforce".to_owned()),
        }
    }
}

/// Where a text is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A parameter of Parameter Store, by its name or ARN.
    Parameter(String),
    /// An object in S3.
    Object { bucket: String, key: String },
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some(name) = text.strip_prefix("ssm:").filter(|name| !name.is_empty()) {
            return Ok(Self::Parameter(name.to_owned()));
        }
        match text.parse() {
            Ok(Location::Bucket {
                bucket,
                prefix: key,
            }) if !key.is_empty() => Ok(Self::Object { bucket, key }),
            _ => Err("write it as ssm:NAME or s3://BUCKET/KEY".to_owned()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter(name) => write!(formatter, "the parameter {name}"),
            Self::Object { bucket, key } => write!(formatter, "s3://{bucket}/{key}"),
        }
    }
}

/// The client for what is not asked with an SDK, and where this environment has its AWS.
pub(crate) fn http() -> (SharedHttp, AwsSettings) {
    let (here, _) = Extension::resolve(&ProcessEnvironment);
    let http = SharedHttp::new(here.ca_files, here.proxies, Arc::new(SystemClock), |_| {});
    (http, here.aws)
}

#[derive(Debug, Clone)]
pub struct Settings {
    /// Where `backstop.toml` is.
    pub config: Place,
    /// What may be done.
    pub mode: Mode,
    /// Where runs, the last result and the switch are kept.
    pub state: Location,
    /// The key that encrypts them.
    pub state_kms_key: Option<String>,
    /// A parameter that stops all writes; besides the object `controller/stop` of the state.
    pub switch: Option<Place>,
    /// Writes to one function within an hour.
    pub max_writes: usize,
    /// Whether functions of `CloudFormation` and Terraform are written as well.
    pub include_managed: bool,
    /// Names of functions that are never written, besides this one.
    pub never: Vec<String>,
    /// This function's name.
    pub own_name: String,
    /// This function's region.
    pub region: String,
}

impl Settings {
    /// From the environment.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let get = |name: &str| get(name).filter(|value| !value.is_empty());
        let mut wrong = Vec::new();
        let config = needed(&get, "CONTROLLER_CONFIG", &mut wrong);
        let state: Option<Location> = needed(&get, "CONTROLLER_STATE", &mut wrong);
        if matches!(state, Some(Location::Directory(_))) {
            wrong.push("CONTROLLER_STATE: write it as s3://BUCKET/PREFIX".to_owned());
        }
        let mode = parsed(&get, "CONTROLLER_MODE", &mut wrong);
        let switch = parsed(&get, "CONTROLLER_SWITCH", &mut wrong);
        let max_writes = get("CONTROLLER_MAX_WRITES").map(|text| text.parse::<usize>());
        if max_writes
            .as_ref()
            .is_some_and(|it| !matches!(it, Ok(1..=100)))
        {
            wrong.push("CONTROLLER_MAX_WRITES: set a number from 1 to 100".to_owned());
        }
        let include_managed = match get("CONTROLLER_INCLUDE_MANAGED").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => {
                wrong.push("CONTROLLER_INCLUDE_MANAGED: set it to true or false".to_owned());
                false
            }
        };
        let never = get("CONTROLLER_NEVER").unwrap_or_default();
        match (config, state) {
            (Some(config), Some(state)) if wrong.is_empty() => Ok(Self {
                config,
                state,
                mode: mode.unwrap_or_default(),
                state_kms_key: get("CONTROLLER_STATE_KMS_KEY_ID"),
                switch,
                max_writes: max_writes.and_then(Result::ok).unwrap_or(WRITES),
                include_managed,
                never: (never.split(',').map(str::trim))
                    .filter(|name| !name.is_empty())
                    .map(str::to_owned)
                    .collect(),
                own_name: get("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default(),
                region: get("AWS_REGION").unwrap_or_default(),
            }),
            _ => Err(wrong.join("\n")),
        }
    }

    /// Whether a function is one that the controller must leave alone, by its name.
    pub fn is_own(&self, name: &str) -> bool {
        name == self.own_name || self.never.iter().any(|never| never == name)
    }
}

/// The value, with a mistake noted.
fn parsed<T: FromStr<Err = String>>(
    get: &impl Fn(&str) -> Option<String>,
    name: &str,
    wrong: &mut Vec<String>,
) -> Option<T> {
    match get(name)?.parse() {
        Ok(value) => Some(value),
        Err(problem) => {
            wrong.push(format!("{name}: {problem}"));
            None
        }
    }
}

fn needed<T: FromStr<Err = String>>(
    get: &impl Fn(&str) -> Option<String>,
    name: &str,
    wrong: &mut Vec<String>,
) -> Option<T> {
    if get(name).is_none() {
        wrong.push(format!("{name} is not set"));
    }
    parsed(get, name, wrong)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Settings, String> {
        let variables: BTreeMap<&str, &str> = variables.iter().copied().collect();
        Settings::read(|name| variables.get(name).map(|value| (*value).to_owned()))
    }

    #[test]
    fn the_default_writes_nothing() {
        let settings = read(&[
            ("CONTROLLER_CONFIG", "ssm:/backstop/wanted"),
            ("CONTROLLER_STATE", "s3://state/backstop"),
            ("CONTROLLER_NEVER", "replay, other"),
            ("AWS_LAMBDA_FUNCTION_NAME", "controller"),
        ])
        .expect("it is valid");
        assert_eq!(settings.mode, Mode::Report);
        assert_eq!(
            settings.config,
            Place::Parameter("/backstop/wanted".to_owned())
        );
        assert!(!settings.include_managed);
        for own in ["controller", "replay", "other"] {
            assert!(settings.is_own(own), "{own}");
        }
        assert!(!settings.is_own("orders"));
    }

    #[test]
    fn every_mistake_is_reported_at_once() {
        let wrong = read(&[
            ("CONTROLLER_CONFIG", "backstop.toml"),
            ("CONTROLLER_STATE", "/tmp/state"),
            ("CONTROLLER_MODE", "Enforce"),
            ("CONTROLLER_MAX_WRITES", "0"),
            ("CONTROLLER_INCLUDE_MANAGED", "yes"),
        ])
        .expect_err("nothing of it is valid");
        for name in [
            "CONTROLLER_CONFIG: write it as ssm:NAME or s3://BUCKET/KEY",
            "CONTROLLER_STATE: write it as s3://BUCKET/PREFIX",
            "CONTROLLER_MODE: set it to report, attach or enforce",
            "CONTROLLER_MAX_WRITES: set a number",
            "CONTROLLER_INCLUDE_MANAGED: set it to true or false",
        ] {
            assert!(wrong.contains(name), "{wrong}");
        }
        let absent = read(&[]).expect_err("nothing is set");
        assert_eq!(
            absent,
            "CONTROLLER_CONFIG is not set\nCONTROLLER_STATE is not set"
        );
    }
}
