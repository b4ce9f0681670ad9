//! Tells `CloudFormation` how its resource fared.
//!
//! A stack waits an hour for an answer, so that one is sent whatever happened. Must not: show the address,
//! which is signed.

use std::sync::Arc;
use std::time::Duration;

use backstop_config::{ProcessEnvironment, Settings as Extension};
use backstop_delivery::SystemClock;
use backstop_sinks::SharedHttp;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue};
use http::{Request, Uri};
use serde_json::{Value, json};

use crate::event::Reply;

/// Attempts, and the time for each.
const ATTEMPTS: u32 = 4;
const TIMEOUT: Duration = Duration::from_secs(5);
/// S3 answers with little.
const MOST_ANSWER_BYTES: usize = 64 * 1024;
/// `CloudFormation` takes 4 KB, all members together.
const MOST_REASON: usize = 1_000;

/// The body of the answer: a failure with its reason, or success.
pub fn body(reply: &Reply, problem: Option<&str>) -> Value {
    let reason: String = problem
        .unwrap_or("done")
        .chars()
        .take(MOST_REASON)
        .collect();
    // A new id would make CloudFormation delete the old resource.
    let physical =
        (reply.physical.clone()).unwrap_or_else(|| format!("backstop-{}", reply.logical));
    json!({
        "Status": if problem.is_some() { "FAILED" } else { "SUCCESS" },
        "Reason": reason,
        "PhysicalResourceId": physical,
        "StackId": reply.stack,
        "RequestId": reply.request,
        "LogicalResourceId": reply.logical,
    })
}

/// Sends it; an error after the last attempt.
pub async fn send(reply: &Reply, body: &Value) -> Result<(), String> {
    let (here, _) = Extension::resolve(&ProcessEnvironment);
    let http = SharedHttp::new(here.ca_files, here.proxies, Arc::new(SystemClock), |_| {});
    let body = Bytes::from(body.to_string());
    let mut problem = String::new();
    for attempt in 0..ATTEMPTS {
        let request = request(&reply.url, &body).ok_or("ResponseURL is not an address")?;
        let sent = tokio::time::timeout(TIMEOUT, http.fetch(request, MOST_ANSWER_BYTES)).await;
        problem = match sent {
            Ok(Ok(answer)) if answer.status().is_success() => return Ok(()),
            Ok(Ok(answer)) => format!("CloudFormation answered {}", answer.status().as_u16()),
            Ok(Err(_)) => "CloudFormation cannot be reached".to_owned(),
            Err(_) => "CloudFormation did not answer in time".to_owned(),
        };
        tokio::time::sleep(Duration::from_millis(500) * 2_u32.pow(attempt)).await;
    }
    Err(problem)
}

fn request(url: &str, body: &Bytes) -> Option<Request<Bytes>> {
    let uri: Uri = url.parse().ok()?;
    let host = uri.authority()?.to_string();
    Request::put(uri)
        .header(HOST, HeaderValue::from_str(&host).ok()?)
        .header(CONTENT_LENGTH, body.len())
        // The address is signed for an empty one.
        .header(CONTENT_TYPE, HeaderValue::from_static(""))
        .body(body.clone())
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(physical: Option<&str>) -> Reply {
        Reply {
            url: "https://example.com/?hunter2".to_owned(),
            stack: "stack".to_owned(),
            request: "1".to_owned(),
            logical: "Logs".to_owned(),
            physical: physical.map(str::to_owned),
        }
    }

    #[test]
    fn a_resource_keeps_its_id_and_a_reason_its_length() {
        let failed = body(&reply(Some("kept")), Some(&"x".repeat(9_000)));
        assert_eq!(failed["Status"], "FAILED");
        assert_eq!(failed["PhysicalResourceId"], "kept");
        assert!(failed.to_string().len() < 4_096);
        let done = body(&reply(None), None);
        assert_eq!(
            (&done["Status"], &done["PhysicalResourceId"]),
            (&"SUCCESS".into(), &"backstop-Logs".into())
        );
        assert!(!done.to_string().contains("hunter2"));
    }
}
