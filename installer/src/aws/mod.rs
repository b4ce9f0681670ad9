//! The one place that builds AWS clients and words their errors.
//!
//! Credentials come from where the AWS tools take them: environment, profile, SSO, web identity,
//! container or instance. Invariant: every client has our TLS (rustls with ring) and the system's
//! certificate authorities. Must not be bypassed: an endpoint or a profile that one command honours
//! holds for all.

mod failure;

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::Region;
use aws_config::SdkConfig;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider, SharedHttpClient};
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::tls;
pub use failure::{Failure, Kind, chain};

/// The region where nothing names one; what the AWS tools assume for S3.
const DEFAULT_REGION: &str = "us-east-1";

/// How to reach AWS.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The endpoint, where it is not the one of AWS. Path-style addressing is used with it.
    pub endpoint_url: Option<String>,
    /// The profile of the shared configuration.
    pub profile: Option<String>,
    /// The region, over whatever the environment and the profile say.
    pub region: Option<String>,
    /// Credentials to use instead of those of the environment: for the demo's own server.
    pub credentials: Option<Credentials>,
}

impl Access {
    /// An S3 client.
    pub async fn s3(&self) -> aws_sdk_s3::Client {
        let mut shared = self.load().await;
        if let Some(endpoint_url) = &self.endpoint_url {
            // Goes before AWS_ENDPOINT_URL_S3: what is typed holds.
            shared = shared.into_builder().endpoint_url(endpoint_url).build();
        }
        s3(&shared)
    }

    /// An error with what to do, where credentials are to come from a sign-in that is not there.
    pub fn advised(&self, failure: Failure) -> anyhow::Error {
        // None is there, it has expired, or the portal does not take it any more.
        let told = failure.brief();
        let is_sign_in = ["SSO token", "UnauthorizedException"]
            .iter()
            .any(|it| told.contains(it));
        if failure.kind != Kind::Credentials || !is_sign_in {
            return failure.into();
        }
        let named = || {
            std::env::var("AWS_PROFILE")
                .ok()
                .filter(|it| !it.is_empty())
        };
        let profile = self.profile.clone().or_else(named);
        let profile = profile.map_or_else(String::new, |name| format!(" --profile {name}"));
        anyhow::anyhow!("{told}\nsign in: aws sso login{profile}")
    }

    /// What clients of any service are built from; a call that is not answered in time is given up.
    pub async fn shared(&self, timeout: Duration) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            .operation_attempt_timeout(timeout)
            .build();
        let mut shared = self.load().await.into_builder();
        if let Some(endpoint_url) = &self.endpoint_url {
            shared = shared.endpoint_url(endpoint_url);
        }
        shared.timeout_config(timeouts).build()
    }

    async fn load(&self) -> SdkConfig {
        let http = aws_smithy_http_client::Builder::new()
            .tls_provider(tls::Provider::Rustls(
                tls::rustls_provider::CryptoMode::Ring,
            ))
            .build_https();
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http.clone());
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(credentials) = &self.credentials {
            loader = loader.credentials_provider(credentials.clone());
        }
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        let mut config = loader.load().await;
        if config.region().is_none() {
            let region = Region::new(DEFAULT_REGION);
            config = config.into_builder().region(region).build();
        }
        match &self.profile {
            Some(profile) if self.credentials.is_none() => with_profile(config, profile, http),
            _ => config,
        }
    }
}

/// With the credentials of a profile that was typed: it goes before keys in the environment, as it does
/// for the AWS tools.
fn with_profile(config: SdkConfig, profile: &str, http: SharedHttpClient) -> SdkConfig {
    let provider = ProviderConfig::default()
        .with_region(config.region().cloned())
        .with_http_client(http);
    let credentials = ProfileFileCredentialsProvider::builder()
        .configure(&provider)
        .profile_name(profile)
        .build();
    let credentials = SharedCredentialsProvider::new(credentials);
    (config.into_builder().credentials_provider(credentials)).build()
}

/// An S3 client of a configuration.
pub fn s3(shared: &SdkConfig) -> aws_sdk_s3::Client {
    // AWS_ENDPOINT_URL and AWS_ENDPOINT_URL_S3 name emulators and private endpoints alike.
    let has_endpoint = shared.endpoint_url().is_some()
        || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some_and(|url| !url.is_empty());
    let config = aws_sdk_s3::config::Builder::from(shared).force_path_style(has_endpoint);
    aws_sdk_s3::Client::from_conf(config.build())
}

/// Where a partition has its global services: organisations, accounts, IAM.
pub fn global_region(partition: &str) -> Region {
    Region::from_static(match partition {
        "aws-us-gov" => "us-gov-west-1",
        "aws-cn" => "cn-northwest-1",
        _ => "us-east-1",
    })
}

/// What an S3 error says, and what to do about it. `what` is what was tried.
pub fn explain<E, R>(what: &str, error: &SdkError<E, R>) -> anyhow::Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
    R: std::fmt::Debug,
{
    let code = error.as_service_error().and_then(|it| it.code());
    let advice = match (code, error) {
        (Some("NoSuchBucket"), _) => "check the bucket's name and the account of --profile",
        (Some("AccessDenied" | "AllAccessDisabled"), _) => {
            "the role needs s3:ListBucket on the bucket, s3:GetObject on its objects, and \
             kms:Decrypt where they are encrypted with a key of yours; --expected-bucket-owner, \
             where it is given, has to own the bucket"
        }
        (Some("ExpiredToken" | "ExpiredTokenException" | "InvalidToken"), _) => {
            "sign in again: the credentials have expired"
        }
        (Some("SignatureDoesNotMatch" | "InvalidAccessKeyId"), _) => {
            "check the credentials: S3 does not know them"
        }
        (
            Some(
                "PermanentRedirect"
                | "AuthorizationHeaderMalformed"
                | "IllegalLocationConstraintException",
            ),
            _,
        ) => "give the bucket's own region with --region",
        (_, SdkError::DispatchFailure(failure)) if failure.is_user() || failure.is_other() => {
            "give credentials: set AWS_PROFILE or --profile, or sign in with `aws sso login`"
        }
        (_, SdkError::DispatchFailure(_) | SdkError::TimeoutError(_)) => {
            "check the network, --region and --endpoint-url"
        }
        _ => "try again; when it stays, the message above is S3's own",
    };
    let reason = match (code, error.as_service_error()) {
        (Some(code), Some(service)) => match service.message() {
            Some(message) => format!("{code}: {message}"),
            None => code.to_owned(),
        },
        _ => DisplayErrorContext(error).to_string(),
    };
    anyhow::anyhow!("{what}: {reason}\n{advice}")
}
