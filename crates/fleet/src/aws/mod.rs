//! The one place that builds AWS clients.
//!
//! Credentials come from where the AWS tools take them: environment, profile, SSO, web identity,
//! container or instance. Invariant: every client has our TLS (rustls with ring) and the system's
//! certificate authorities. Must not be bypassed: an endpoint or a profile that one command honours
//! holds for all.

mod environment;
mod http;
mod place;

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_config::Region;
use aws_config::SdkConfig;
use aws_config::profile::ProfileFileCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::config::SharedCredentialsProvider;
pub use backstop_common::{
    Failure, Kind, Marker, UNTRIED, bucket_region, chain, explain, explain_with,
};
use backstop_config::{ProcessEnvironment, S3Endpoint};
pub use place::{NO_REGION, check_region, is_known_region, region_meant};

use crate::usage::UsageError;

/// What requests are signed for where nothing names a region, and it is not one of AWS that is asked.
const SIGNED_FOR: &str = "us-east-1";
/// How long S3 may take to begin its answer.
const S3_TIMEOUT: Duration = Duration::from_mins(1);

/// How to reach AWS.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// The endpoint, where it is not the one of AWS.
    pub endpoint_url: Option<String>,
    /// The profile of the shared configuration.
    pub profile: Option<String>,
    /// The region, over whatever the environment and the profile say.
    pub region: Option<String>,
}

impl Access {
    /// Refuses what the environment or the command line says of endpoints, proxies, authorities, profiles
    /// and regions, where it cannot be honoured.
    pub async fn check(&self) -> Result<(), UsageError> {
        let profile = place::profile(self.profile.as_deref(), &ProcessEnvironment).await?;
        environment::check(
            &ProcessEnvironment,
            self.endpoint_url.as_deref(),
            profile.ca_bundle.as_deref(),
        )?;
        self.region.as_deref().map_or(Ok(()), check_region)
    }

    /// An S3 client.
    pub async fn s3(&self) -> anyhow::Result<aws_sdk_s3::Client> {
        let mut shared = self.shared(S3_TIMEOUT).await;
        // What is typed is preferred to AWS_ENDPOINT_URL_S3.
        let typed = self.endpoint_url.as_deref().map(S3Endpoint::new);
        let endpoint = typed.or_else(|| environment::s3_endpoint(&shared));
        match shared.region() {
            Some(region) => check_region(region.as_ref())?,
            None if endpoint.is_some() => {
                let region = Region::from_static(SIGNED_FOR);
                shared = shared.into_builder().region(region).build();
            }
            None => return Err(UsageError(NO_REGION.to_owned()).into()),
        }
        Ok(s3_at(&shared, endpoint))
    }

    /// An error with what to do, where credentials are to come from a sign-in that is not there.
    pub fn advised(&self, failure: Failure) -> anyhow::Error {
        // None is there, it has expired, or the portal does not take it any more.
        let message = failure.brief();
        let is_sign_in = ["SSO token", "UnauthorizedException"]
            .iter()
            .any(|it| message.contains(it));
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
        anyhow::anyhow!("{message}\nsign in: aws sso login{profile}")
    }

    /// What clients of any service are built from; a call that is not answered in time is given up. It has
    /// no region where none is set.
    pub async fn shared(&self, timeout: Duration) -> SdkConfig {
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(timeout.min(Duration::from_secs(10)))
            .operation_attempt_timeout(timeout)
            .build();
        let shared = self.load().await.into_builder();
        shared.timeout_config(timeouts).build()
    }

    async fn load(&self) -> SdkConfig {
        let profile = place::profile(self.profile.as_deref(), &ProcessEnvironment).await;
        let bundle = profile.unwrap_or_default().ca_bundle;
        let trust = environment::tls(&ProcessEnvironment, bundle.as_deref());
        let http = http::client(&ProcessEnvironment, trust);
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http.clone());
        if let Some(profile) = &self.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(region) = &self.region {
            loader = loader.region(Region::new(region.clone()));
        }
        if let Some(endpoint_url) = &self.endpoint_url {
            // Set here it is preferred to those of the environment and of the profile, for each service too.
            loader = loader.endpoint_url(endpoint_url);
        }
        let config = loader.load().await;
        match &self.profile {
            Some(profile) => with_profile(config, profile, http),
            None => config,
        }
    }
}

/// With the credentials of a profile that was typed: it goes before keys in the environment, as it does
/// for the AWS tools.
fn with_profile(
    config: SdkConfig,
    profile: &str,
    http: aws_sdk_s3::config::SharedHttpClient,
) -> SdkConfig {
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
    s3_at(shared, environment::s3_endpoint(shared))
}

fn s3_at(shared: &SdkConfig, endpoint: Option<S3Endpoint>) -> aws_sdk_s3::Client {
    let config = aws_sdk_s3::config::Builder::from(shared);
    let config = match endpoint {
        Some(endpoint) => config
            .endpoint_url(endpoint.url)
            .force_path_style(endpoint.path_style),
        None => config,
    };
    // An access point's ARN says itself where it is.
    aws_sdk_s3::Client::from_conf(config.use_arn_region(true).build())
}

/// Where a partition has its global services: organisations, accounts, IAM.
pub fn global_region(partition: &str) -> Region {
    Region::from_static(match partition {
        "aws-us-gov" => "us-gov-west-1",
        "aws-cn" => "cn-northwest-1",
        "aws-iso" => "us-iso-east-1",
        "aws-iso-b" => "us-isob-east-1",
        "aws-iso-e" => "eu-isoe-west-1",
        "aws-iso-f" => "us-isof-south-1",
        "aws-eusc" => "eusc-de-east-1",
        _ => "us-east-1",
    })
}

#[cfg(test)]
mod tests {
    use backstop_config::partition_of;

    use super::global_region;

    #[test]
    fn the_global_services_of_a_partition_are_in_it() {
        for region in [
            "eu-west-1",
            "cn-north-1",
            "us-gov-east-1",
            "us-iso-west-1",
            "us-isob-east-1",
            "eu-isoe-west-1",
            "us-isof-east-1",
            "eusc-de-east-1",
        ] {
            let partition = partition_of(region);
            let global = global_region(partition);
            assert_eq!(partition_of(global.as_ref()), partition, "{region}");
        }
    }
}
