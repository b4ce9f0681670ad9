//! The function's clients of AWS: the credentials of its environment, and the SDK's own retries.
//!
//! Invariants: every client has TLS by rustls with ring; an object of S3 is passed on as it comes. Must not:
//! read files or ask endpoints that a function does not have, as `aws_config` would.

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Region, SharedCredentialsProvider};
use aws_smithy_http_client::{Builder, tls};
use aws_types::SdkConfig;
use aws_types::sdk_config::StalledStreamProtectionConfig;
use backstop_config::{AwsSettings, Proxies, Strings};
use backstop_delivery::SystemClock;
use backstop_sinks::{Credentials, SharedHttp};

const ATTEMPTS: u32 = 5;
const TIMEOUT: Duration = Duration::from_secs(30);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub(crate) struct Clients {
    /// What they are built from: the secrets of the primary are read with it, too.
    pub(crate) shared: SdkConfig,
    /// Of the archive's bucket.
    pub s3: aws_sdk_s3::Client,
    /// Of the queues.
    pub(crate) sqs: aws_sdk_sqs::Client,
    /// Of the event source mapping.
    pub(crate) lambda: aws_sdk_lambda::Client,
}

impl Clients {
    /// For a function in this environment, and an archive in this region.
    pub(crate) fn new(aws: &AwsSettings, archive_region: &str, environment: &impl Strings) -> Self {
        // Only the endpoint of a restored environment is asked over it, which is on this machine.
        let local = SharedHttp::new(
            Vec::new(),
            Proxies::default(),
            Arc::new(SystemClock),
            |_| {},
        );
        let credentials = Credentials::new(aws.clone(), local);
        let http = Builder::new()
            .tls_provider(tls::Provider::Rustls(
                tls::rustls_provider::CryptoMode::Ring,
            ))
            .build_https();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .operation_attempt_timeout(TIMEOUT)
            .build();
        let shared = SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(aws.region.clone()))
            .credentials_provider(SharedCredentialsProvider::new(credentials))
            .http_client(http)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(timeouts)
            .stalled_stream_protection(StalledStreamProtectionConfig::enabled().build())
            .use_fips(aws.use_fips)
            .use_dual_stack(aws.use_dual_stack)
            .build();
        let endpoint = |service: &str| {
            let own = environment.get(&format!("AWS_ENDPOINT_URL_{service}"));
            own.or_else(|| environment.get("AWS_ENDPOINT_URL"))
                .filter(|url| !url.is_empty())
        };
        let s3 = aws_sdk_s3::config::Builder::from(&shared)
            .region(Region::new(archive_region.to_owned()))
            .use_arn_region(true);
        let s3 = match &aws.endpoint_s3 {
            Some(endpoint) => s3
                .endpoint_url(&endpoint.url)
                .force_path_style(endpoint.path_style),
            None => s3,
        };
        let mut sqs = aws_sdk_sqs::config::Builder::from(&shared);
        sqs.set_endpoint_url(endpoint("SQS"));
        let mut lambda = aws_sdk_lambda::config::Builder::from(&shared);
        lambda.set_endpoint_url(endpoint("LAMBDA"));
        Self {
            s3: aws_sdk_s3::Client::from_conf(s3.build()),
            sqs: aws_sdk_sqs::Client::from_conf(sqs.build()),
            lambda: aws_sdk_lambda::Client::from_conf(lambda.build()),
            shared,
        }
    }
}
