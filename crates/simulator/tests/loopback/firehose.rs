//! The Firehose endpoint as a client sees it: limits, partial failure, and delivery.

use std::error::Error;

use backstop_simulator::{Fault, FirehoseServer, S3Server};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Client, Response};
use serde_json::{Value, json};

const STREAM: &str = "telemetry";

type Outcome = Result<(), Box<dyn Error>>;

struct Endpoint {
    client: Client,
    firehose: FirehoseServer,
    s3: S3Server,
}

impl Endpoint {
    #[expect(
        clippy::disallowed_methods,
        reason = "the client is the test's own, not the product's"
    )]
    async fn start() -> Result<Self, Box<dyn Error>> {
        // Another test of this process may have installed it already.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let s3 = S3Server::start(None).await?;
        let firehose = FirehoseServer::start(&s3, STREAM, "logs/").await?;
        Ok(Self {
            client: Client::builder().no_proxy().build()?,
            firehose,
            s3,
        })
    }

    async fn call(&self, operation: &str, body: &Value) -> reqwest::Result<Response> {
        let request = self
            .client
            .post(self.firehose.endpoint())
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", format!("Firehose_20150804.{operation}"))
            .header(
                "authorization",
                "AWS4-HMAC-SHA256 Credential=x, SignedHeaders=y, Signature=z",
            );
        request.body(body.to_string()).send().await
    }

    async fn batch(&self, records: &[Vec<u8>]) -> Result<(u16, Value), Box<dyn Error>> {
        let records: Vec<Value> = records
            .iter()
            .map(|data| json!({ "Data": STANDARD.encode(data) }))
            .collect();
        let body = json!({ "DeliveryStreamName": STREAM, "Records": records });
        read(self.call("PutRecordBatch", &body).await?).await
    }
}

async fn read(response: Response) -> Result<(u16, Value), Box<dyn Error>> {
    let status = response.status().as_u16();
    if status >= 400 {
        let kind = response.headers()["x-amzn-errortype"].to_str()?.to_owned();
        let body: Value = serde_json::from_slice(&response.bytes().await?)?;
        assert_eq!(body["__type"], kind);
        return Ok((status, body));
    }
    Ok((status, serde_json::from_slice(&response.bytes().await?)?))
}

fn line(number: usize) -> Vec<u8> {
    format!("{{\"id\":\"{number}\"}}\n").into_bytes()
}

#[tokio::test]
async fn accepted_records_reach_the_bucket_as_lines() -> Outcome {
    let endpoint = Endpoint::start().await?;
    let (status, body) = endpoint.batch(&[line(1), line(2)]).await?;
    assert_eq!((status, &body["FailedPutCount"]), (200, &json!(0)));
    assert!(body["RequestResponses"][1]["RecordId"].is_string());
    let one =
        json!({ "DeliveryStreamName": STREAM, "Record": { "Data": STANDARD.encode(line(3)) } });
    let (status, body) = read(endpoint.call("PutRecord", &one).await?).await?;
    assert!(status == 200 && body["RecordId"].is_string(), "{body}");
    endpoint.firehose.flush().await?;
    let lines = endpoint.s3.archive_lines()?;
    let mut ids: Vec<_> = lines
        .iter()
        .filter_map(|line| line["id"].as_str())
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, ["1", "2", "3"]);
    let keys = endpoint.s3.object_keys()?;
    assert!(
        keys.iter()
            .all(|key| key.starts_with("logs/v1/stream=telemetry/dt=20")),
        "{keys:?}"
    );
    let accepted = endpoint.firehose.accepted();
    assert_eq!((accepted.records, accepted.lines), (3, 3));
    Ok(())
}

#[tokio::test]
async fn a_dropped_server_has_delivered() -> Outcome {
    let endpoint = Endpoint::start().await?;
    endpoint.batch(&[line(1)]).await?;
    let Endpoint { firehose, s3, .. } = endpoint;
    drop(firehose);
    assert_eq!(s3.archive_lines()?, [json!({ "id": "1" })]);
    Ok(())
}

#[tokio::test]
async fn the_services_limits_hold() -> Outcome {
    let endpoint = Endpoint::start().await?;
    let refused = |(status, body): (u16, Value)| {
        assert_eq!(
            (status, &body["__type"]),
            (400, &json!("InvalidArgumentException")),
            "{body}"
        );
    };
    refused(endpoint.batch(&vec![line(1); 501]).await?);
    refused(endpoint.batch(&[]).await?);
    refused(endpoint.batch(&[vec![b'x'; 1000 * 1024 + 1]]).await?);
    refused(endpoint.batch(&vec![vec![b'x'; 900 * 1024]; 4]).await?);
    assert_eq!(endpoint.firehose.accepted().records, 0);
    assert_eq!(endpoint.batch(&vec![line(1); 500]).await?.0, 200);
    assert_eq!(endpoint.batch(&[vec![b'x'; 1000 * 1024]]).await?.0, 200);
    Ok(())
}

#[tokio::test]
async fn unknown_streams_and_unsigned_calls_are_refused() -> Outcome {
    let endpoint = Endpoint::start().await?;
    let body = json!({ "DeliveryStreamName": "other", "Records": [{ "Data": "" }] });
    let (status, body) = read(endpoint.call("PutRecordBatch", &body).await?).await?;
    assert_eq!(
        (status, &body["__type"]),
        (400, &json!("ResourceNotFoundException"))
    );
    let unsigned = endpoint
        .client
        .post(endpoint.firehose.endpoint())
        .send()
        .await?;
    assert_eq!(read(unsigned).await?.0, 403);
    Ok(())
}

#[tokio::test]
async fn a_partial_failure_names_the_failed_records() -> Outcome {
    let endpoint = Endpoint::start().await?;
    endpoint.firehose.fail_next_records(2);
    let (status, body) = endpoint.batch(&[line(1), line(2), line(3)]).await?;
    assert_eq!((status, &body["FailedPutCount"]), (200, &json!(2)));
    assert_eq!(
        body["RequestResponses"][1]["ErrorCode"],
        "ServiceUnavailableException"
    );
    assert!(body["RequestResponses"][2]["RecordId"].is_string());
    assert_eq!(endpoint.firehose.accepted().records, 1);
    Ok(())
}

#[tokio::test]
async fn a_fault_speaks_the_services_language() -> Outcome {
    let endpoint = Endpoint::start().await?;
    endpoint
        .firehose
        .set_fault(Some(Fault::Status(503)))
        .await?;
    let (status, body) = endpoint.batch(&[line(1)]).await?;
    assert_eq!(
        (status, &body["__type"]),
        (503, &json!("ServiceUnavailableException"))
    );
    endpoint.firehose.set_fault(Some(Fault::Refuse)).await?;
    assert!(endpoint.batch(&[line(1)]).await.is_err());
    endpoint.firehose.set_fault(None).await?;
    assert_eq!(endpoint.batch(&[line(1)]).await?.0, 200);
    assert_eq!(endpoint.firehose.requests().get(&503), Some(&1));
    Ok(())
}
