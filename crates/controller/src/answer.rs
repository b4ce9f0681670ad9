//! Tells `CloudFormation` how its resource fared.
//!
//! A stack waits an hour for an answer, so that one is sent whatever happened. Must not: show the address,
//! which is signed.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue};
use http::{Request, Uri};
use serde_json::{Value, json};

use crate::event::Reply;
use crate::settings;

/// Attempts, and the time for each.
const ATTEMPTS: u32 = 4;
const TIMEOUT: Duration = Duration::from_secs(5);
/// S3 answers with little.
const MOST_ANSWER_BYTES: usize = 64 * 1024;
/// `CloudFormation` takes 4,096 bytes, all members together, as they are sent.
/// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html>)
const MOST_BYTES: usize = 4_000;

/// The body of the answer: a failure with its reason, or success. `has_attached` tells whether the resource
/// has, or may have, attached a function.
pub fn body(reply: &Reply, problem: Option<&str>, has_attached: bool) -> Value {
    let with = |reason: &str| {
        json!({
            "Status": if problem.is_some() { "FAILED" } else { "SUCCESS" },
            "Reason": reason,
            "PhysicalResourceId": reply.physical(has_attached),
            "StackId": reply.stack,
            "RequestId": reply.request,
            "LogicalResourceId": reply.logical,
        })
    };
    let reason = problem.unwrap_or("done");
    let mut room = MOST_BYTES.saturating_sub(with("").to_string().len());
    let mut end = 0;
    for one in reason.chars() {
        // What is escaped is longer than it looks; its quotes are counted already.
        let length = json!(one.encode_utf8(&mut [0; 4])).to_string().len() - 2;
        if length > room {
            break;
        }
        room -= length;
        end += one.len_utf8();
    }
    with(reason.get(..end).unwrap_or_default())
}

/// Sends it; an error after the last attempt.
pub async fn send(reply: &Reply, body: &Value) -> Result<(), String> {
    let (http, _) = settings::http();
    let body = Bytes::from(body.to_string());
    let mut problem = String::new();
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            tokio::time::sleep(Duration::from_millis(250) * 2_u32.pow(attempt)).await;
        }
        let request = request(&reply.url, &body).ok_or("ResponseURL is not an address")?;
        let sent = tokio::time::timeout(TIMEOUT, http.fetch(request, MOST_ANSWER_BYTES)).await;
        problem = match sent {
            Ok(Ok(answer)) if answer.status().is_success() => return Ok(()),
            Ok(Ok(answer)) => format!("CloudFormation answered {}", answer.status().as_u16()),
            Ok(Err(_)) => "CloudFormation cannot be reached".to_owned(),
            Err(_) => "CloudFormation did not answer in time".to_owned(),
        };
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
            is_deletion: false,
        }
    }

    #[test]
    fn a_resource_keeps_its_id_and_a_reason_its_length() {
        // Bytes are counted, and those of what is escaped.
        for one in ["x", "\u{e9}", "\u{1f600}", "\"", "\u{1}"] {
            let failed = body(&reply(Some("kept")), Some(&one.repeat(9_000)), false);
            assert_eq!(failed["Status"], "FAILED");
            assert_eq!(failed["PhysicalResourceId"], "kept");
            let bytes = failed.to_string().len();
            assert!((3_900..4_096).contains(&bytes), "{one}: {bytes}");
        }
        let done = body(&reply(None), None, true);
        assert_eq!(
            (&done["Status"], &done["PhysicalResourceId"]),
            (&"SUCCESS".into(), &"backstop-Logs".into())
        );
        assert!(!done.to_string().contains("hunter2"));
    }
}
