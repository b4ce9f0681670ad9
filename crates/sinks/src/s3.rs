//! The archive in S3: one object a batch, under a key that a retry repeats.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, Region, StalledStreamProtectionConfig, retry::RetryConfig,
};
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use backstop_config::AwsSettings;
use backstop_delivery::{Answer, Batch, Part, Sink, SinkFuture, SinkName};

use crate::aws::{Credentials, OnNeed, SdkHttp, answer, timeouts_off};
use crate::codec::{LineEncoder, archive, gzip};
use crate::http::SharedHttp;

/// Puts batches into one bucket.
#[derive(Debug)]
pub struct S3Sink {
    client: OnNeed<Client>,
    http: SharedHttp,
    aws: AwsSettings,
    bucket: String,
    prefix: String,
    region: String,
    lines: LineEncoder,
}

impl S3Sink {
    /// A sink that writes below `prefix` in `bucket`.
    pub fn new(
        http: SharedHttp,
        aws: AwsSettings,
        (bucket, prefix, region): (String, String, String),
        lines: LineEncoder,
    ) -> Self {
        Self {
            client: OnNeed::default(),
            http,
            aws,
            bucket,
            prefix,
            region,
            lines,
        }
    }

    fn build(&self) -> Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(Credentials::new(self.aws.clone(), self.http.clone()))
            .http_client(SdkHttp(self.http.clone()))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts_off())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        // An endpoint of the user's own rarely has a name for each bucket.
        let config = match &self.aws.endpoint_s3 {
            Some(endpoint) => config.endpoint_url(endpoint).force_path_style(true),
            None => config,
        };
        Client::from_conf(config.build())
    }

    async fn put(&self, batch: &Batch, parts: &[Part]) -> Answer {
        let client = self.client.get_or_build(|| self.build());
        let body = parts
            .first()
            .map(|part| part.body.clone())
            .unwrap_or_default();
        let key = archive::object_key(
            &self.prefix,
            self.lines.resource(),
            batch.created(),
            &batch.id(),
        );
        let put = client
            .put_object()
            .bucket(&self.bucket)
            .key(key)
            // No Content-Encoding: readers that honour it would unpack what the name says is packed.
            .content_type("application/gzip")
            .body(ByteStream::from(body));
        match put.send().await {
            Ok(_) => Answer::status(200),
            Err(error) => answer(&error, error.code()),
        }
    }
}

impl Sink for S3Sink {
    fn name(&self) -> SinkName {
        SinkName::S3
    }

    fn encode(&self, batch: &Batch) -> Vec<Part> {
        let body = gzip(&self.lines.lines(batch, batch.diverted())).into();
        vec![Part {
            body,
            records: 0..batch.len(),
        }]
    }

    fn send<'a>(&'a self, batch: &'a Batch, parts: &'a [Part]) -> SinkFuture<'a> {
        Box::pin(self.put(batch, parts))
    }

    fn reset(&self) {
        self.client.forget();
    }
}
