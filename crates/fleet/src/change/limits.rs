//! Checks a change against Lambda's limits before Lambda is called.

use std::fmt;

use serde_json::json;

use super::Config;

/// Layers of a function.
/// (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>)
pub const MOST_LAYERS: usize = 5;
/// All variables together, as the JSON object that Lambda measures.
pub const MOST_ENVIRONMENT_BYTES: usize = 4096;
/// The body of `UpdateFunctionConfiguration` must be smaller than this.
pub const MOST_REQUEST_BYTES: usize = 5120;

/// Code and layers together, unpacked.
pub const MOST_UNZIPPED_BYTES: u64 = 262_144_000;

/// A limit that would be broken, with the measured number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Violation {
    /// More layers than a function may have.
    Layers(usize),
    /// A larger environment.
    Environment(usize),
    /// A larger request.
    Request(usize),
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layers(count) => {
                write!(
                    formatter,
                    "the function would have {count} layers; Lambda allows {MOST_LAYERS}"
                )
            }
            Self::Environment(bytes) => {
                write!(
                    formatter,
                    "the environment would have {bytes} bytes; Lambda allows \
                     {MOST_ENVIRONMENT_BYTES}"
                )
            }
            Self::Request(bytes) => {
                write!(
                    formatter,
                    "the request would have {bytes} bytes; Lambda allows {MOST_REQUEST_BYTES}"
                )
            }
        }
    }
}

/// What Lambda would refuse in a step from `live` to `wanted`; only what changes is sent.
pub fn violation(live: &Config, wanted: &Config, revision: &str) -> Option<Violation> {
    if wanted.layers.len() > MOST_LAYERS && wanted.layers.len() > live.layers.len() {
        return Some(Violation::Layers(wanted.layers.len()));
    }
    let mut request = json!({ "RevisionId": revision });
    if wanted.layers != live.layers {
        request["Layers"] = json!(wanted.layers);
    }
    if wanted.variables != live.variables {
        let environment = json!(wanted.variables).to_string().len();
        if environment > MOST_ENVIRONMENT_BYTES {
            return Some(Violation::Environment(environment));
        }
        request["Environment"] = json!({ "Variables": wanted.variables });
    }
    let request = request.to_string().len();
    (request >= MOST_REQUEST_BYTES).then_some(Violation::Request(request))
}
