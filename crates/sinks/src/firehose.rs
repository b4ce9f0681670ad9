//! Firehose: lines packed into records, records into calls, and each record's own answer.
//!
//! Limits of `PutRecordBatch`: 500 records and 4 MiB a call, 1,000 KiB a record before base64 (AWS:
//! "Amazon Data Firehose quota"). Whether the 4 MiB are before or after base64 is not said, so they
//! are taken as after. Records are billed in steps of 5 KiB, so many lines share one.

use std::ops::Range;

use aws_sdk_firehose::Client;
use aws_sdk_firehose::config::{
    BehaviorVersion, Region, StalledStreamProtectionConfig, retry::RetryConfig,
};
use aws_sdk_firehose::primitives::Blob;
use aws_sdk_firehose::types::{PutRecordBatchResponseEntry, Record as FirehoseRecord};
use backstop_config::AwsSettings;
use backstop_delivery::{
    Answer, Batch, Detail, Encoded, Failure, Part, PartAnswer, Sink, SinkFuture, SinkName,
};
use bytes::Bytes;

use crate::aws::codes::known;
use crate::aws::{Credentials, OnNeed, SdkHttp, answer, timeouts_off};
use crate::codec::LineEncoder;
use crate::http::SharedHttp;

const MOST_RECORDS: usize = 500;
const MOST_CALL_BYTES: usize = 4 * 1024 * 1024 / 4 * 3;
const MOST_RECORD_BYTES: usize = 1000 * 1024;
/// Where a record is closed: small enough that a record refused alone costs little to repeat.
const FULL_RECORD_BYTES: usize = 64 * 1024;

/// Puts batches into one delivery stream.
#[derive(Debug)]
pub struct FirehoseSink {
    client: OnNeed<Client>,
    http: SharedHttp,
    aws: AwsSettings,
    stream: String,
    region: String,
    lines: LineEncoder,
}

impl FirehoseSink {
    /// A sink that writes to `stream`.
    pub fn new(
        http: SharedHttp,
        aws: AwsSettings,
        (stream, region): (String, String),
        lines: LineEncoder,
    ) -> Self {
        Self {
            client: OnNeed::default(),
            http,
            aws,
            stream,
            region,
            lines,
        }
    }

    fn build(&self) -> Client {
        let config = aws_sdk_firehose::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(Credentials::new(self.aws.clone(), self.http.clone()))
            .http_client(SdkHttp(self.http.clone()))
            .retry_config(RetryConfig::disabled())
            .timeout_config(timeouts_off())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        let config = match &self.aws.endpoint_firehose {
            Some(endpoint) => config.endpoint_url(endpoint),
            None => config
                .use_fips(self.aws.use_fips)
                .use_dual_stack(self.aws.use_dual_stack),
        };
        Client::from_conf(config.build())
    }

    async fn put(&self, parts: &[Part]) -> Answer {
        if parts.iter().any(|part| part.body.len() > MOST_RECORD_BYTES) {
            // The chain halves the batch until only the one that does not fit is left.
            return Answer::status(413);
        }
        let client = self.client.get_or_build(|| self.build());
        let mut answers = vec![PartAnswer::Taken; parts.len()];
        let mut said = (200, None);
        for call in calls(parts) {
            match self.put_call(&client, &parts[call.clone()]).await {
                Ok(refused) => {
                    if let Some(first) = refused.first() {
                        said = (first.status, first.code);
                    }
                    for refused in refused {
                        answers[call.start + refused.index] = PartAnswer::Retry;
                    }
                }
                // What earlier calls took is taken: the rest failed, each part for itself.
                Err(answer) if call.start > 0 => {
                    let (status, detail, fate) = match answer {
                        Answer::Status { code, detail, .. }
                        | Answer::Parts { code, detail, .. } => (code, detail, PartAnswer::Retry),
                        Answer::None(failure) if failure.is_ambiguous(true) => {
                            (503, None, PartAnswer::Unheard)
                        }
                        // None of the others is what Firehose says.
                        _ => (503, None, PartAnswer::Retry),
                    };
                    said = (status, detail.and_then(|it| it.code()));
                    answers[call.start..].fill(PartAnswer::Retry);
                    answers[call].fill(fate);
                    break;
                }
                Err(answer) => return answer,
            }
        }
        let (code, detail) = said;
        Answer::Parts {
            parts: answers,
            code,
            detail: detail.map(Detail::Code),
        }
    }

    /// One call; the records it refused.
    async fn put_call(&self, client: &Client, parts: &[Part]) -> Result<Vec<Refused>, Answer> {
        let records = parts
            .iter()
            .filter_map(|part| {
                FirehoseRecord::builder()
                    .data(Blob::new(part.body.as_ref()))
                    .build()
                    .ok()
            })
            .collect();
        let put = client
            .put_record_batch()
            .delivery_stream_name(&self.stream)
            .set_records(Some(records));
        let output = put.send().await.map_err(|error| answer(&error))?;
        let (failed, entries) = (output.failed_put_count(), output.request_responses());
        refused(entries, parts.len(), failed)
    }
}

/// A record of a call that Firehose did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Refused {
    index: usize,
    status: u16,
    /// Firehose's own code.
    code: Option<&'static str>,
}

/// The records of a call that were refused. A record is taken when it was
/// given an id, and not before. An answer that does not speak of each record, or names fewer failures
/// than it counts, proves nothing: they may have been taken.
fn refused(
    responses: &[PutRecordBatchResponseEntry],
    records: usize,
    failed_put_count: i32,
) -> Result<Vec<Refused>, Answer> {
    let errors = responses
        .iter()
        .filter(|entry| entry.error_code().is_some());
    let names_each = usize::try_from(failed_put_count).is_ok_and(|count| count <= errors.count());
    if responses.len() != records || !names_each {
        return Err(Answer::None(Failure::Unproven));
    }
    let refused = responses
        .iter()
        .enumerate()
        .filter(|(_, response)| response.error_code().is_some() || !has_id(response));
    let refused = refused.map(|(index, response)| {
        let code = response.error_code();
        Refused {
            index,
            status: if code == Some("InternalFailure") {
                500
            } else {
                503
            },
            code: code.and_then(known),
        }
    });
    Ok(refused.collect())
}

fn has_id(response: &PutRecordBatchResponseEntry) -> bool {
    response.record_id().is_some_and(|id| !id.is_empty())
}

/// Groups parts into calls within Firehose's limits.
fn calls(parts: &[Part]) -> Vec<Range<usize>> {
    let mut calls: Vec<Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (index, part) in parts.iter().enumerate() {
        match calls.last_mut() {
            Some(call)
                if call.len() < MOST_RECORDS && bytes + part.body.len() <= MOST_CALL_BYTES =>
            {
                call.end = index + 1;
                bytes += part.body.len();
            }
            Some(_) | None => {
                calls.push(index..index + 1);
                bytes = part.body.len();
            }
        }
    }
    calls
}

impl Sink for FirehoseSink {
    fn name(&self) -> SinkName {
        SinkName::Firehose
    }

    fn encode(&self, batch: &Batch) -> Encoded {
        let lines = self.lines.lines(batch, batch.diverted());
        let lines = Bytes::from(lines);
        let mut parts: Vec<Part> = Vec::new();
        let mut start = 0;
        // A line feed never stands inside a line, so lines and records count alike.
        for (index, end) in memchr::memchr_iter(b'\n', &lines).enumerate() {
            let line = start..end + 1;
            start = line.end;
            match parts.last_mut() {
                Some(part) if part.body.len() + line.len() <= FULL_RECORD_BYTES => {
                    let from = line.start - part.body.len();
                    part.body = lines.slice(from..line.end);
                    part.records.end = index + 1;
                }
                Some(_) | None => {
                    parts.push(Part {
                        body: lines.slice(line),
                        records: index..index + 1,
                    });
                }
            }
        }
        Encoded::whole(batch, parts)
    }

    fn send<'a>(&'a self, _: &'a Batch, parts: &'a [Part]) -> SinkFuture<'a> {
        Box::pin(self.put(parts))
    }

    fn reset(&self) {
        self.client.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(bytes: usize) -> Part {
        Part {
            body: vec![b'x'; bytes].into(),
            records: 0..1,
        }
    }

    #[test]
    fn a_record_is_taken_when_it_was_given_an_id() {
        let entry = PutRecordBatchResponseEntry::builder;
        let answer = [
            entry().record_id("1").build(),
            entry().error_code("ServiceUnavailableException").build(),
            entry().error_code("InternalFailure").build(),
            // What is no code of AWS's is not repeated.
            entry().error_code("AKIAIOSFODNN7EXAMPLE").build(),
            entry().build(),
            entry().record_id("").build(),
        ];
        let refused_with = |index, status, code| Refused {
            index,
            status,
            code,
        };
        let expected = || {
            Ok(vec![
                refused_with(1, 503, Some("ServiceUnavailableException")),
                refused_with(2, 500, Some("InternalFailure")),
                refused_with(3, 503, None),
                refused_with(4, 503, None),
                refused_with(5, 503, None),
            ])
        };
        assert_eq!(refused(&answer, 6, 2), expected());
        // The count says less than the entries: they know better.
        assert_eq!(refused(&answer, 6, 0), expected());
        assert_eq!(refused(&answer[..1], 1, 0), Ok(Vec::new()));
    }

    #[test]
    fn an_answer_that_does_not_speak_of_each_record_proves_nothing() {
        let none = Err(Answer::None(Failure::Unproven));
        assert_eq!(refused(&[], 2, 0), none);
        let entry = PutRecordBatchResponseEntry::builder()
            .record_id("1")
            .build();
        assert_eq!(refused(std::slice::from_ref(&entry), 2, 0), none);
        assert_eq!(
            refused(&[entry.clone(), entry.clone(), entry.clone()], 2, 0),
            none
        );
        assert_eq!(
            refused(&[entry.clone(), entry.clone()], 2, 1),
            none,
            "who failed is not said"
        );
        assert_eq!(refused(&[entry.clone(), entry], 2, -1), none);
    }

    #[test]
    fn calls_stay_within_500_records_and_4_mib_of_base64() {
        let small: Vec<Part> = (0..1201).map(|_| part(1)).collect();
        assert_eq!(calls(&small), [0..500, 500..1000, 1000..1201]);
        let large: Vec<Part> = (0..10).map(|_| part(1000 * 1024)).collect();
        assert_eq!(calls(&large), [0..3, 3..6, 6..9, 9..10]);
        assert!(calls(&[]).is_empty());
    }
}
