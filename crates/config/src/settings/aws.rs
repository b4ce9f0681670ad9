//! What the AWS sinks need: the archive, endpoints and credentials.
//!
//! Invariant: what authenticates is [`Secret`].
//!
//! Must not: hold text that is still to be parsed.

use crate::endpoint::{self, S3Endpoint};
use crate::reference::Store;
use crate::secret::Secret;

/// The archive in S3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Archive {
    /// The bucket's name.
    pub bucket: String,
    /// What keys begin with; no slash at either end.
    pub prefix: String,
    /// The region of the bucket.
    pub region: String,
    /// The KMS key of the objects; without it the bucket's default encryption applies.
    pub kms_key_id: Option<String>,
    /// The account that has to own the bucket.
    pub expected_bucket_owner: Option<String>,
}

/// Region, endpoints and credentials of the AWS sinks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsSettings {
    /// The region of the function.
    pub region: String,
    /// Whether the endpoints of AWS are those with modules validated by FIPS 140.
    pub use_fips: bool,
    /// Whether the endpoints of AWS are those that IPv6 reaches, too.
    pub use_dual_stack: bool,
    /// The endpoint of S3, where it is not the one of AWS.
    pub endpoint_s3: Option<S3Endpoint>,
    /// The endpoint of Firehose, where it is not the one of AWS.
    pub endpoint_firehose: Option<String>,
    /// The endpoint of Secrets Manager, where it is not the one of AWS.
    pub endpoint_secrets_manager: Option<String>,
    /// The endpoint of the Parameter Store, where it is not the one of AWS.
    pub endpoint_ssm: Option<String>,
    /// The endpoint of KMS, where it is not the one of AWS.
    pub endpoint_kms: Option<String>,
    /// The id of the access key.
    pub access_key_id: Option<String>,
    /// The secret access key.
    pub secret_access_key: Option<Secret>,
    /// The session token.
    pub session_token: Option<Secret>,
    /// Where credentials are fetched, in an environment that `SnapStart` restored.
    pub container_credentials: Option<ContainerCredentials>,
}

impl AwsSettings {
    /// The endpoint of a store of secrets, where it is not the one of AWS.
    pub fn endpoint_of(&self, store: Store) -> Option<&str> {
        let endpoint = match store {
            Store::SecretsManager => &self.endpoint_secrets_manager,
            Store::ParameterStore => &self.endpoint_ssm,
            Store::Kms => &self.endpoint_kms,
        };
        endpoint.as_deref()
    }

    /// The address of a store of secrets in a region: the one that is set, or that of AWS.
    pub fn address_of(&self, store: Store, region: &str) -> String {
        match self.endpoint_of(store) {
            Some(endpoint) => format!("{}/", endpoint.trim_end_matches('/')),
            None => endpoint::of_service(store, region, self.use_fips, self.use_dual_stack),
        }
    }
}

/// Where credentials are fetched over the platform's local endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContainerCredentials {
    /// The address to get.
    pub full_uri: String,
    /// The value of the `Authorization` header.
    pub token: Option<Secret>,
    /// A file that holds the value of the `Authorization` header; preferred to `token`.
    pub token_file: Option<String>,
}
