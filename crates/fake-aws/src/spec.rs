//! What a function is made of when a test creates it.

use std::collections::BTreeMap;

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
    /// What is not signed by an allowed publisher is refused, layers too.
    Enforce,
}

/// A function to be created.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FunctionSpec {
    pub name: String,
    /// `python3.13` and the like; the image's own without one.
    pub runtime: Option<String>,
    /// `x86_64` where there is none.
    pub architecture: Option<String>,
    /// Zip or image.
    pub package_type: PackageType,
    /// ARNs of layer versions, in order. They need not be there.
    pub layers: Vec<String>,
    pub environment: BTreeMap<String, String>,
    /// Who may decrypt it.
    pub key_access: KeyAccess,
    pub tags: BTreeMap<String, String>,
    /// Whether its code has to be signed.
    pub signing: Signing,
    /// The size of its code, unzipped.
    pub unzipped_bytes: u64,
    /// What its code is: functions with the same have the same `CodeSha256`. Its own where it is empty.
    pub code: String,
    /// `Active`, where there is none; `Inactive`, `Pending` or `Failed`.
    pub state: Option<&'static str>,
    /// Names of aliases, each on version 1.
    pub aliases: Vec<String>,
    /// Its execution role.
    pub role: Option<String>,
    /// In MiB; 128 where there is none.
    pub memory_mb: Option<u32>,
    /// In seconds; 3 where there is none.
    pub timeout: Option<u32>,
    pub vpc_id: Option<String>,
    /// How many of it may run at once, where that is reserved.
    pub reserved_concurrency: Option<u32>,
    /// Whether published versions start from a snapshot.
    pub snap_start: bool,
    /// When its runtime is updated: `Auto`, where nothing is said.
    pub update_runtime_on: String,
    /// Versions and aliases for which environments are kept ready.
    pub provisioned: Vec<String>,
    /// Members of its configuration as Lambda shows them, in place of what would be shown.
    pub shown: BTreeMap<String, serde_json::Value>,
}
