//! The S3 server as the official SDK sees it.
//!
//! The SDK's own HTTP clients bring more than a test needs: it speaks through a connector of a few
//! lines instead.

use std::error::Error;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumAlgorithm;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use backstop_simulator::{Fault, FirehoseServer, S3Server};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioExecutor;
use serde_json::json;

type Outcome = Result<(), Box<dyn Error>>;
type BoxError = Box<dyn Error + Send + Sync>;
type Hyper = hyper_util::client::legacy::Client<
    hyper_util::client::legacy::connect::HttpConnector,
    Full<Bytes>,
>;

#[derive(Debug, Clone)]
struct Connector(Hyper);

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(
            async move { send(&client, request).await.map_err(ConnectorError::io) },
        )
    }
}

async fn send(client: &Hyper, request: HttpRequest) -> Result<HttpResponse, BoxError> {
    let request = request.try_into_http1x()?;
    let request =
        request.map(|body| Full::new(body.bytes().map(Bytes::copy_from_slice).unwrap_or_default()));
    let (head, body) = client.request(request).await?.into_parts();
    let body = SdkBody::from(body.collect().await?.to_bytes().to_vec());
    Ok(http::Response::from_parts(head, body).try_into()?)
}

fn client(s3: &S3Server, secret_key: &str) -> Client {
    let hyper = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
    let connector = SharedHttpConnector::new(Connector(hyper));
    let token = Some("session".to_owned());
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new(
            s3.access_key(),
            secret_key,
            token,
            None,
            "test",
        ))
        .endpoint_url(s3.endpoint())
        .force_path_style(true)
        .retry_config(RetryConfig::disabled())
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    Client::from_conf(config)
}

async fn put(client: &Client, s3: &S3Server, key: &str) -> Result<(), aws_sdk_s3::Error> {
    let body = ByteStream::from_static(b"object");
    let request = client.put_object().bucket(s3.bucket()).key(key).body(body);
    request
        .checksum_algorithm(ChecksumAlgorithm::Crc32)
        .send()
        .await?;
    Ok(())
}

#[tokio::test]
async fn objects_with_checksums_come_back() -> Outcome {
    let s3 = S3Server::start(None).await?;
    let client = client(&s3, s3.secret_key());
    let key = "p/v1/function=a%2Fb/dt=2026-01-01/hour=00/1.ndjson.gz";
    put(&client, &s3, key).await?;
    assert_eq!(s3.object_keys()?, [key]);
    assert_eq!(s3.object_bytes(key)?, "object");
    let object = client
        .get_object()
        .bucket(s3.bucket())
        .key(key)
        .send()
        .await?;
    assert_eq!(object.body.collect().await?.to_vec(), b"object");
    let head = client
        .head_object()
        .bucket(s3.bucket())
        .key(key)
        .send()
        .await?;
    assert_eq!(head.content_length(), Some(6));
    assert_eq!(s3.puts().get(&200), Some(&1));
    Ok(())
}

#[tokio::test]
async fn a_listing_has_prefixes_and_pages() -> Outcome {
    let s3 = S3Server::start(None).await?;
    let client = client(&s3, s3.secret_key());
    for number in 0..25 {
        put(&client, &s3, &format!("wanted/{number:02}")).await?;
    }
    put(&client, &s3, "other/1").await?;
    let mut pages = client
        .list_objects_v2()
        .bucket(s3.bucket())
        .prefix("wanted/")
        .max_keys(10)
        .into_paginator()
        .send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        sizes.push(page?.contents().len());
    }
    assert_eq!(sizes, [10, 10, 5]);
    let folders = client
        .list_objects_v2()
        .bucket(s3.bucket())
        .delimiter("/")
        .send()
        .await?;
    let folders: Vec<_> = folders
        .common_prefixes()
        .iter()
        .filter_map(|it| it.prefix())
        .collect();
    assert_eq!(folders, ["other/", "wanted/"]);
    Ok(())
}

#[tokio::test]
async fn a_wrong_secret_is_refused() -> Outcome {
    let s3 = S3Server::start(None).await?;
    let error = put(&client(&s3, "wrong"), &s3, "key").await.err();
    assert_eq!(
        error.as_ref().and_then(|it| it.code()),
        Some("SignatureDoesNotMatch")
    );
    assert!(s3.object_keys()?.is_empty());
    Ok(())
}

#[tokio::test]
async fn faults_are_s3_errors() -> Outcome {
    let s3 = S3Server::start(None).await?;
    let client = client(&s3, s3.secret_key());
    for (status, code) in [
        (503, "SlowDown"),
        (500, "InternalError"),
        (403, "AccessDenied"),
    ] {
        s3.set_fault(Some(Fault::Status(status))).await?;
        let error = put(&client, &s3, "key").await.err();
        assert_eq!(error.as_ref().and_then(|it| it.code()), Some(code));
        assert_eq!(s3.puts().get(&status), Some(&1));
    }
    s3.set_fault(Some(Fault::ResetAfterBody)).await?;
    assert!(put(&client, &s3, "ambiguous").await.is_err());
    s3.set_fault(None).await?;
    put(&client, &s3, "key").await?;
    assert_eq!(s3.object_keys()?, ["ambiguous", "key"]);
    Ok(())
}

#[tokio::test]
async fn what_firehose_delivers_is_listed_and_read() -> Outcome {
    let s3 = S3Server::start(None).await?;
    let client = client(&s3, s3.secret_key());
    let firehose = FirehoseServer::start(&s3, "telemetry", "").await?;
    let body = json!({ "DeliveryStreamName": "telemetry", "Record": { "Data": "e30K" } });
    let hyper: Hyper =
        hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
    let request = http::Request::post(firehose.endpoint())
        .header("x-amz-target", "Firehose_20150804.PutRecord")
        .header("authorization", "AWS4-HMAC-SHA256 Credential=x")
        .body(Full::from(body.to_string()))?;
    assert_eq!(hyper.request(request).await?.status(), 200);
    firehose.flush().await?;
    let listed = client
        .list_objects_v2()
        .bucket(s3.bucket())
        .prefix("v1/stream=")
        .send()
        .await?;
    let key = listed.contents()[0].key().unwrap_or_default();
    let object = client
        .get_object()
        .bucket(s3.bucket())
        .key(key)
        .send()
        .await?;
    assert_eq!(
        object.body.collect().await?.to_vec(),
        s3.object_bytes(key)?.to_vec()
    );
    assert_eq!(s3.archive_lines()?, [json!({})]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_writes_with_the_same_condition_one_is_made() -> Outcome {
    let s3 = S3Server::start(None).await?;
    let client = client(&s3, s3.secret_key());
    let write = |body: String, tag: Option<&str>| {
        let request = client.put_object().bucket(s3.bucket()).key("lock");
        let request = match tag {
            Some(tag) => request.if_match(tag),
            None => request.if_none_match("*"),
        };
        let sent = request.body(ByteStream::from(body.into_bytes())).send();
        // Too large for the stack of a test.
        Box::pin(async move {
            match sent.await {
                Ok(made) => made.e_tag.unwrap_or_default(),
                Err(error) => error.code().unwrap_or_default().to_owned(),
            }
        })
    };
    assert_eq!(write("first".to_owned(), Some("\"0\"")).await, "NoSuchKey");
    let mut tag: Option<String> = None;
    for round in 0..5 {
        let one = |writer: u8| write(format!("{round} {writer}"), tag.as_deref());
        let made = tokio::join!(one(0), one(1), one(2), one(3));
        let mut made = vec![made.0, made.1, made.2, made.3];
        made.retain(|it| it != "PreconditionFailed");
        assert_eq!(made.len(), 1, "{made:?}");
        tag = made.pop();
    }
    s3.conflict(1);
    let late = write("late".to_owned(), tag.as_deref()).await;
    assert_eq!(late, "ConditionalRequestConflict");
    Ok(())
}
