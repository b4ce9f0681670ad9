//! What the platform and the standard variables say: AWS and the function.
//!
//! Must not: fail on a variable that the platform sets; a value that cannot be is left out.

use super::Resolver;
use crate::aws;
use crate::error::{ConfigError, one_line};
use crate::secret::Secret;
use crate::settings::{AwsSettings, ContainerCredentials, FunctionSettings, InitializationType};
use crate::url;

impl Resolver {
    pub(super) fn aws(&mut self) -> AwsSettings {
        let endpoint = self.endpoint("AWS_ENDPOINT_URL");
        AwsSettings {
            region: self.region(),
            endpoint_s3: self
                .endpoint("AWS_ENDPOINT_URL_S3")
                .or_else(|| endpoint.clone()),
            endpoint_firehose: self.endpoint("AWS_ENDPOINT_URL_FIREHOSE").or(endpoint),
            access_key_id: self.text("AWS_ACCESS_KEY_ID"),
            secret_access_key: self.text("AWS_SECRET_ACCESS_KEY").map(Secret::new),
            session_token: self.text("AWS_SESSION_TOKEN").map(Secret::new),
            container_credentials: self.text("AWS_CONTAINER_CREDENTIALS_FULL_URI").map(
                |full_uri| ContainerCredentials {
                    full_uri,
                    token: self
                        .text("AWS_CONTAINER_AUTHORIZATION_TOKEN")
                        .map(Secret::new),
                    token_file: self.text("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"),
                },
            ),
        }
    }

    fn region(&mut self) -> String {
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            match self.text(name) {
                Some(region) if aws::is_region(&region) => return region,
                Some(_) => self.errors.push(ConfigError::new(
                    name,
                    "is not the name of a region, such as us-east-1: mend it; it is left out",
                )),
                None => {}
            }
        }
        "us-east-1".to_owned()
    }

    /// The endpoint of a service. Plain http is accepted: whoever sets it means an emulator or an
    /// endpoint of their own network, and the official tools accept it as well.
    fn endpoint(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        let advice = match url::check(&text) {
            Ok(address) if !address.has_query => return Some(text),
            Ok(_) => "remove the query",
            Err(problem) => problem.advice(),
        };
        let shown = one_line(&url::redacted(&text));
        let message = format!("is \"{shown}\": {advice}; the endpoint of AWS is used");
        self.errors.push(ConfigError::new(name, message));
        None
    }

    pub(super) fn function(&self) -> FunctionSettings {
        let text = |name| self.text(name);
        FunctionSettings {
            name: text("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default(),
            version: text("AWS_LAMBDA_FUNCTION_VERSION").unwrap_or_else(|| "$LATEST".to_owned()),
            // The platform sets it; without it, the smallest function there is.
            memory_mb: text("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
                .and_then(|text| text.parse().ok())
                .unwrap_or(128),
            initialization_type: match self.raw.get("AWS_LAMBDA_INITIALIZATION_TYPE") {
                None | Some("on-demand") => InitializationType::OnDemand,
                Some("provisioned-concurrency") => InitializationType::ProvisionedConcurrency,
                Some("snap-start") => InitializationType::SnapStart,
                Some("lambda-managed-instances") => InitializationType::ManagedInstances,
                Some(other) => InitializationType::Other(other.to_owned()),
            },
            runtime_api: text("AWS_LAMBDA_RUNTIME_API"),
        }
    }
}
