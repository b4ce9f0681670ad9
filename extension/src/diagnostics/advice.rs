//! What an operator does about a sink that failed: one sentence for each kind of failure.
//!
//! Invariant: the sentence is this program's own; what a server sent chooses it and is not in it.

mod secret;

use backstop_delivery::{Cause, Detail, Signal, SinkName};

/// What happened, and what to do about it.
pub(super) fn advice(sink: SinkName, signal: Option<Signal>, cause: Cause) -> &'static str {
    let of_aws = cause.detail.and_then(|detail| of_detail(sink, detail));
    let is_derived = matches!(signal, Some(signal) if signal != Signal::Log);
    of_aws.unwrap_or_else(|| match cause.reason {
        _ if is_derived && matches!(cause.status, Some(404 | 405 | 501)) => {
            "The primary has no intake for this signal at its address: records of it are diverted; \
             name in BACKSTOP_SIGNALS only what it takes, or set BACKSTOP_OTLP_URL"
        }
        "unproven" => {
            "A sink's success proves nothing, as it is not in the sink's form: see whether a proxy \
             answers in its place; records are diverted"
        }
        "not_accepted" => {
            "A sink does not accept such requests: records are diverted until its address, format \
             and headers are right"
        }
        _ => of_status(sink, cause.status),
    })
}

/// By what AWS itself says.
fn of_detail(sink: SinkName, detail: Detail) -> Option<&'static str> {
    let code = match detail {
        Detail::Region { .. } => {
            return Some(
                "The archive's bucket is in another region than BACKSTOP_S3_REGION or the function: \
                 set BACKSTOP_S3_REGION to the bucket's region",
            );
        }
        Detail::Clock(_) => {
            return Some(
                "AWS rejected the time of a request: the clock of the environment differs from \
                 that of AWS; records are diverted until it is right",
            );
        }
        Detail::NoCredentials(_) => {
            return Some(
                "A sink cannot be asked, as there are no credentials: records are diverted",
            );
        }
        Detail::NoSecret(why) => return Some(secret::of_secret(why)),
        Detail::Code(code) => code,
    };
    Some(match code {
        _ if code.starts_with("KMS") || code == "InvalidKMSResourceException" => {
            "The KMS key of a sink cannot be used: check that it exists, is enabled and is in the \
             sink's region, and that the role may kms:GenerateDataKey with it"
        }
        "AccountProblem"
        | "AccountSuspended"
        | "AllAccessDisabled"
        | "NotSignedUp"
        | "OptInRequired"
        | "OptInRequiredException" => {
            "AWS has disabled this service for the account: check the account's state with AWS"
        }
        "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired" => {
            "The credentials have expired: records are diverted until there are new ones"
        }
        "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidSignature"
        | "InvalidSignatureException"
        | "InvalidToken"
        | "InvalidTokenId"
        | "SignatureDoesNotMatch"
        | "UnrecognizedClientException" => {
            "AWS does not accept the credentials: the access key is unknown or disabled, or the \
             secret or the session token does not belong to it"
        }
        "NoSuchBucket" => "The archive's bucket does not exist: check BACKSTOP_S3_BUCKET",
        "ResourceNotFoundException" if sink == SinkName::Firehose => {
            "The delivery stream does not exist in the function's account and this region: check \
             BACKSTOP_FIREHOSE_STREAM"
        }
        "InvalidSourceException" => {
            "The delivery stream takes no records from here: use one whose source is Direct PUT"
        }
        "AccessDenied" | "AccessDeniedException" if sink == SinkName::Firehose => {
            "Firehose denied access: see that the role may firehose:PutRecordBatch on the stream"
        }
        _ => return None,
    })
}

/// By the status alone.
fn of_status(sink: SinkName, status: Option<u16>) -> &'static str {
    match status {
        Some(403) if sink == SinkName::S3 => {
            "S3 denied access, the archive is not written: see that the role may \
             s3:PutObject, that it may kms:GenerateDataKey where a key is set, and that \
             BACKSTOP_S3_EXPECTED_BUCKET_OWNER, where set, owns the bucket"
        }
        Some(407) => {
            "The proxy rejected the credentials, records are diverted: set user name and password \
             in HTTPS_PROXY, as http://user:password@host:port"
        }
        Some(401 | 403) => {
            "A sink rejected the credentials: records are diverted until they are fixed"
        }
        Some(402) => {
            "A sink's account takes no records: they are diverted until its plan or quota is fixed"
        }
        Some(404 | 410) => "A sink was not found: records are diverted until its address is fixed",
        Some(300..=399) => "A sink redirects, which is not followed: set its new address",
        _ => "A sink does not take records: they are diverted",
    }
}

#[cfg(test)]
mod tests {
    use backstop_delivery::{Answer, Failure, NoCredentials, RegionName};

    use super::*;

    #[test]
    fn what_aws_says_chooses_the_sentence() {
        use SinkName::{Firehose, Https, S3};

        let code = |status, code| Answer::refused(status, Some(Detail::Code(code)));
        let region = Detail::Region {
            code: Some("PermanentRedirect"),
            region: RegionName::parse("us-east-2"),
        };
        let none = Failure::NoCredentials(NoCredentials::new("none is set"));
        for (sink, answer, words) in [
            (
                S3,
                Answer::refused(301, Some(region)),
                "set BACKSTOP_S3_REGION",
            ),
            (
                S3,
                Answer::refused(403, Some(Detail::Clock("RequestTimeTooSkewed"))),
                "the clock of the environment",
            ),
            (Firehose, Answer::None(none), "no credentials"),
            (S3, code(403, "InvalidAccessKeyId"), "unknown or disabled"),
            (S3, code(403, "SignatureDoesNotMatch"), "does not belong"),
            (S3, code(403, "ExpiredToken"), "have expired"),
            (Firehose, code(403, "ExpiredTokenException"), "have expired"),
            (S3, code(400, "KMS.DisabledException"), "KMS key"),
            (S3, code(400, "KMS.NotFoundException"), "KMS key"),
            (Firehose, code(403, "KMSAccessDeniedException"), "KMS key"),
            (
                Firehose,
                code(400, "InvalidKMSResourceException"),
                "KMS key",
            ),
            (S3, code(403, "AllAccessDisabled"), "account's state"),
            (S3, code(403, "AccountProblem"), "account's state"),
            (S3, code(404, "NoSuchBucket"), "BACKSTOP_S3_BUCKET"),
            (
                Firehose,
                code(404, "ResourceNotFoundException"),
                "BACKSTOP_FIREHOSE_STREAM",
            ),
            (Firehose, code(400, "InvalidSourceException"), "Direct PUT"),
            (
                Firehose,
                code(403, "AccessDeniedException"),
                "firehose:PutRecordBatch",
            ),
            (S3, code(403, "AccessDenied"), "s3:PutObject"),
            (S3, Answer::status(403), "s3:PutObject"),
            (Firehose, Answer::status(403), "rejected the credentials"),
            (Https, Answer::status(404), "was not found"),
            (Https, Answer::status(410), "was not found"),
            (Https, Answer::status(402), "plan or quota"),
            (Https, Answer::status(415), "does not accept such requests"),
            (Https, Answer::status(302), "redirects"),
            (Https, Answer::status(407), "in HTTPS_PROXY"),
            (S3, code(503, "SlowDown"), "does not take records"),
            (S3, Answer::None(Failure::Unproven), "proves nothing"),
            (S3, Answer::None(Failure::Reset), "does not take records"),
        ] {
            let said = advice(sink, None, answer.cause());
            assert!(said.contains(words), "{answer:?}: {said}");
        }
    }
}
