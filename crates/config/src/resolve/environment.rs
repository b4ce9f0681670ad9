//! What the platform and the standard variables say: AWS and the function.
//!
//! Must not: fail on a variable that the platform sets; a value that cannot be is left out.

use super::Resolver;
use crate::arn::{DEFAULT_REGION, is_region};
use crate::endpoint::{self, S3Endpoint};
use crate::error::{ConfigError, ErrorKind, Invalid, one_line};
use crate::reference::Store;
use crate::secret::Secret;
use crate::settings::{AwsSettings, ContainerCredentials, FunctionSettings, InitializationType};
use crate::url::{self, UrlProblem};

const ENDPOINT: &str = "AWS_ENDPOINT_URL";
/// The endpoint of S3 alone.
pub(super) const ENDPOINT_S3: &str = "AWS_ENDPOINT_URL_S3";
/// The endpoint of Firehose alone.
pub(super) const ENDPOINT_FIREHOSE: &str = "AWS_ENDPOINT_URL_FIREHOSE";

impl Resolver {
    pub(super) fn aws(&mut self, region: Option<&str>) -> AwsSettings {
        let [s3, firehose, secrets_manager, ssm, kms] = self.endpoints();
        let normalized = |address: Option<String>| address.map(|it| endpoint::normalized(&it));
        AwsSettings {
            region: region.unwrap_or(DEFAULT_REGION).to_owned(),
            use_fips: self.switch("AWS_USE_FIPS_ENDPOINT"),
            use_dual_stack: self.switch("AWS_USE_DUALSTACK_ENDPOINT"),
            endpoint_s3: s3.map(|address| S3Endpoint::new(&address)),
            endpoint_firehose: normalized(firehose),
            endpoint_secrets_manager: normalized(secrets_manager),
            endpoint_ssm: normalized(ssm),
            endpoint_kms: normalized(kms),
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

    /// The region, where a variable names one.
    pub(super) fn region(&mut self) -> Option<String> {
        for name in ["AWS_REGION", "AWS_DEFAULT_REGION"] {
            match self.text(name) {
                Some(region) if is_region(&region) => return Some(region),
                Some(_) => self.errors.push(
                    ConfigError::invalid(
                        name,
                        "is not the name of a region, such as us-east-1: correct it",
                    )
                    .with_effect("it is left out"),
                ),
                None => {}
            }
        }
        None
    }

    /// The endpoints that are set, of S3, Firehose and each store, unless they are to be ignored.
    fn endpoints(&mut self) -> [Option<String>; 5] {
        if self.switch("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") {
            return [const { None }; 5];
        }
        let all = self.endpoint(ENDPOINT);
        let [secrets_manager, ssm, kms] = Store::ALL.map(Store::endpoint_variable);
        [ENDPOINT_S3, ENDPOINT_FIREHOSE, secrets_manager, ssm, kms]
            .map(|name| self.endpoint(name).or_else(|| all.clone()))
    }

    /// A switch of the AWS SDKs: `true` or `false`, in letters of either case.
    fn switch(&mut self, name: &str) -> bool {
        let Some(text) = self.text(name) else {
            return false;
        };
        if !text.eq_ignore_ascii_case("true") && !text.eq_ignore_ascii_case("false") {
            let problem = format!("is \"{}\": use true or false", one_line(&text));
            let error = ConfigError::invalid(name, problem);
            self.errors
                .push(error.with_effect("the default false is used"));
        }
        text.eq_ignore_ascii_case("true")
    }

    /// The endpoint of a service. Plain http is accepted: an emulator or an endpoint in the user's
    /// own network may have nothing else, and the official tools accept it as well.
    fn endpoint(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        let advice = match url::check(&text) {
            Ok(address) if !address.has_query => return Some(text),
            Ok(_) => "remove the query",
            Err(UrlProblem::Host) if text.contains("://*.vpce-") => {
                "write bucket in place of the *"
            }
            Err(problem) => problem.advice(),
        };
        let shown = format!("\"{}\"", one_line(&url::redacted(&text)));
        let error = ConfigError::invalid(name, Invalid::quoting(&shown, advice));
        self.errors
            .push(error.with_effect("the endpoint of AWS is used"));
        None
    }

    /// Why a service cannot be asked at its endpoint: the rules of the AWS SDKs, which would fail each
    /// request. `own` is the variable of the service's own endpoint.
    pub(super) fn endpoint_conflict(
        &self,
        aws: &AwsSettings,
        own: &'static str,
    ) -> Option<ConfigError> {
        let store = Store::ALL
            .into_iter()
            .find(|store| store.endpoint_variable() == own);
        let has_endpoint = match (own, store) {
            (_, Some(store)) => aws.endpoint_of(store).is_some(),
            (ENDPOINT_S3, None) => aws.endpoint_s3.is_some(),
            (_, None) => aws.endpoint_firehose.is_some(),
        };
        let switch = match (aws.use_fips, aws.use_dual_stack) {
            (true, _) => "AWS_USE_FIPS_ENDPOINT",
            (false, true) => "AWS_USE_DUALSTACK_ENDPOINT",
            (false, false) => return None,
        };
        if !has_endpoint {
            return None;
        }
        let named_by = if self.raw.get(own).is_some() {
            own
        } else {
            ENDPOINT
        };
        let message = format!(
            "is true, which cannot be combined with {named_by}: remove one of the two, or set \
             AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true"
        );
        Some(ConfigError::new(switch, ErrorKind::Conflict, message))
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
