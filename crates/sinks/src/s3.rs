//! The archive in S3: one object a batch, under a key that a retry repeats.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, Region, StalledStreamProtectionConfig, retry::RetryConfig,
};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ServerSideEncryption;
use backstop_archive::{Source, mirrored_name, object_key};
use backstop_config::{AwsSettings, S3Archive};
use backstop_delivery::{Answer, Batch, Encoded, Failure, Part, Sink, SinkFuture, SinkName};

use crate::aws::{Credentials, OnNeed, SdkHttp, answer, timeouts_off};
use crate::codec::LineEncoder;
use crate::http::SharedHttp;

/// Puts batches into one bucket.
#[derive(Debug)]
pub struct S3Sink {
    client: OnNeed<Client>,
    http: SharedHttp,
    aws: AwsSettings,
    archive: S3Archive,
    lines: LineEncoder,
}

impl S3Sink {
    /// A sink that writes to `archive`.
    pub fn new(http: SharedHttp, aws: AwsSettings, archive: S3Archive, lines: LineEncoder) -> Self {
        Self {
            client: OnNeed::default(),
            http,
            aws,
            archive,
            lines,
        }
    }

    fn build(&self) -> Client {
        let config = aws_sdk_s3::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.archive.region.clone()))
            .credentials_provider(Credentials::new(self.aws.clone(), self.http.clone()))
            .http_client(SdkHttp(self.http.clone()))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts_off())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        let config = match &self.aws.endpoint_s3 {
            Some(endpoint) => config
                .endpoint_url(&endpoint.url)
                .force_path_style(endpoint.path_style),
            None => config
                .use_fips(self.aws.use_fips)
                .use_dual_stack(self.aws.use_dual_stack),
        };
        Client::from_conf(config.build())
    }

    async fn put(&self, batch: &Batch, parts: &[Part]) -> Answer {
        let client = self.client.get_or_build(|| self.build());
        let body = parts
            .first()
            .map(|part| part.body.clone())
            .unwrap_or_default();
        let resource = self.lines.resource();
        let source = Source {
            account: &resource.account_id,
            region: &resource.region,
            function: &resource.function_name,
        };
        let name = if batch.is_archive_only() {
            mirrored_name(&batch.id())
        } else {
            batch.id()
        };
        let key = object_key(&self.archive.prefix, &source, batch.created(), &name);
        let kms_key_id = self.archive.kms_key_id.clone();
        let encryption = kms_key_id.as_ref().map(|_| ServerSideEncryption::AwsKms);
        let put = client
            .put_object()
            .bucket(&self.archive.bucket)
            .key(key)
            // No Content-Encoding: readers that honour it would unpack what the name says is packed.
            .content_type("application/gzip")
            .set_server_side_encryption(encryption)
            .set_ssekms_key_id(kms_key_id)
            .set_expected_bucket_owner(self.archive.expected_bucket_owner.clone())
            .body(ByteStream::from(body));
        match put.send().await {
            Ok(output) if is_proof(output.e_tag()) => Answer::status(200),
            // A proxy's login page, or an error in the form of a success.
            Ok(_) => Answer::None(Failure::Unproven),
            Err(error) => answer(&error),
        }
    }
}

/// Whether S3 says that it has the object: it names each one that it took.
fn is_proof(e_tag: Option<&str>) -> bool {
    let e_tag = e_tag.unwrap_or_default().trim();
    // A weak one is of a page: S3 has none.
    !e_tag.starts_with("W/") && !e_tag.trim_matches('"').is_empty()
}

impl Sink for S3Sink {
    fn name(&self) -> SinkName {
        SinkName::S3
    }

    fn encode(&self, batch: &Batch) -> Encoded {
        let body = self.lines.gzip_lines(batch, batch.diverted()).into();
        let records = 0..batch.len();
        Encoded::whole(batch, vec![Part { body, records }])
    }

    fn send<'a>(&'a self, batch: &'a Batch, parts: &'a [Part]) -> SinkFuture<'a> {
        Box::pin(self.put(batch, parts))
    }

    fn reset(&self) {
        self.client.forget();
    }
}
