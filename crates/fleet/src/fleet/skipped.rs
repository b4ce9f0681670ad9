//! Skipped accounts and regions.

use serde::{Deserialize, Serialize};

/// A place that is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    pub account: String,
    /// The region; all of the account's where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    pub reason: String,
    /// Whether something is missing because of it; a region that is disabled holds nothing.
    pub is_failure: bool,
}

impl Skipped {
    /// The account and region, as people read them.
    pub fn place(&self) -> String {
        let region = self.region.as_deref().unwrap_or("(every region)");
        format!("{} {region}", self.account)
    }
}
