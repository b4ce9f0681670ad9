//! Invokes the function, and reads what Lambda billed from the end of its log.

use std::time::Duration;

use anyhow::Context as _;
use aws_sdk_lambda::operation::RequestId as _;
use aws_sdk_lambda::primitives::Blob;
use aws_sdk_lambda::types::LogType;
use aws_smithy_types::timeout::TimeoutConfig;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde::Serialize;
use serde_json::Value;

use crate::aws::Failure;
use crate::fleet::Site;
use crate::select::Function;

/// Beyond the function's own timeout: for its start, and the way there and back.
const MARGIN: Duration = Duration::from_mins(1);

#[derive(Debug, Clone, Default, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Invoked {
    /// Its request id.
    pub request_id: String,
    /// What Lambda billed, in milliseconds, where its log says so.
    pub billed_ms: Option<f64>,
    /// Whether it started an environment.
    pub is_cold: bool,
    /// Whether the function answered with an error.
    pub failed: bool,
}

/// Invokes it once, and waits for the answer.
pub async fn once(site: &Site, function: &Function, payload: &[u8]) -> anyhow::Result<Invoked> {
    let lambda = &site.lambda;
    let what = format!("invoking {} in {}", function.name, site.place);
    let limit = function.timeout + MARGIN;
    let answer = lambda
        .write(&what, || {
            let timeouts = TimeoutConfig::builder()
                .operation_attempt_timeout(limit)
                .read_timeout(limit);
            let config = aws_sdk_lambda::config::Builder::new().timeout_config(timeouts.build());
            (lambda.client().invoke())
                .function_name(&function.arn)
                .log_type(LogType::Tail)
                .payload(Blob::new(payload))
                .customize()
                .config_override(config)
                .send()
        })
        .await
        .map_err(|failure: Failure| anyhow::anyhow!("{failure}"))?;
    let log = (answer.log_result())
        .map(|text| {
            BASE64_STANDARD
                .decode(text)
                .context("Lambda's log is not base64")
        })
        .transpose()?
        .unwrap_or_default();
    let mut invoked = report(&String::from_utf8_lossy(&log));
    if invoked.request_id.is_empty() {
        answer
            .request_id()
            .unwrap_or_default()
            .clone_into(&mut invoked.request_id);
    }
    invoked.failed = answer.function_error().is_some();
    Ok(invoked)
}

/// What the last report of a log says, in either of Lambda's formats.
fn report(log: &str) -> Invoked {
    let reports = log
        .lines()
        .rev()
        .filter_map(|line| text_report(line).or_else(|| json_report(line)));
    reports.into_iter().next().unwrap_or_default()
}

fn text_report(line: &str) -> Option<Invoked> {
    let rest = line.trim().strip_prefix("REPORT RequestId: ")?;
    let mut invoked = Invoked::default();
    for (number, part) in rest.split('\t').enumerate() {
        let part = part.trim();
        if number == 0 {
            part.clone_into(&mut invoked.request_id);
        } else if let Some(billed) = part.strip_prefix("Billed Duration: ") {
            invoked.billed_ms = billed.trim_end_matches(" ms").parse().ok();
        } else if part.starts_with("Init Duration: ") {
            invoked.is_cold = true;
        }
    }
    Some(invoked)
}

fn json_report(line: &str) -> Option<Invoked> {
    let value: Value = serde_json::from_str(line.trim()).ok()?;
    if value["type"] != "platform.report" {
        return None;
    }
    let record = &value["record"];
    Some(Invoked {
        request_id: record["requestId"].as_str().unwrap_or_default().to_owned(),
        billed_ms: record["metrics"]["billedDurationMs"].as_f64(),
        is_cold: record["metrics"]["initDurationMs"].is_number(),
        failed: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_of_a_report_are_read() {
        let cold = Invoked {
            request_id: "a-1".to_owned(),
            billed_ms: Some(13.0),
            is_cold: true,
            failed: false,
        };
        let text = "START RequestId: a-1 Version: $LATEST\nhello\nEND RequestId: a-1\n\
            REPORT RequestId: a-1\tDuration: 12.30 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\t\
            Max Memory Used: 70 MB\tInit Duration: 200.10 ms\t\n";
        assert_eq!(report(text), cold);
        let json = r#"{"type":"platform.start","record":{"requestId":"a-1"}}
{"type":"platform.report","record":{"requestId":"a-1","metrics":{"billedDurationMs":13,"initDurationMs":200.1}}}"#;
        assert_eq!(report(json), cold);
        for none in [
            "",
            "REPORT",
            "a function's own REPORT RequestId: x",
            "{\"type\":1}",
        ] {
            assert_eq!(report(none), Invoked::default(), "{none}");
        }
    }
}
