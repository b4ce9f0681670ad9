//! Where an alias points, before a change of it and after.

use serde::{Deserialize, Serialize};

/// Where an alias points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AliasState {
    pub version: String,
}
