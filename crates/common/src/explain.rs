//! What an error of S3 says, and what to do about it.
//!
//! Must not: quote what a service did not say in its own form, or name an option of the command line, as
//! functions print this, too.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use backstop_delivery::RegionName;

use crate::failure::reason;

/// What an S3 error says, and what to do about it. `what` is what was tried.
pub fn explain<E>(what: &str, error: &SdkError<E, HttpResponse>) -> anyhow::Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let denied = "grant the role s3:ListBucket on the bucket, s3:GetObject on its objects, and \
        kms:Decrypt if a customer managed key encrypts them; if an owner of the bucket is expected, \
        that account must own it; a requester-pays bucket needs a reader that pays";
    explain_with(what, error, denied)
}

/// The same, with what to do where S3 denies it.
pub fn explain_with<E>(
    what: &str,
    error: &SdkError<E, HttpResponse>,
    denied: &'static str,
) -> anyhow::Error
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let code = error.code();
    let advice = match (code, error) {
        (Some("NoSuchBucket"), _) => "check the bucket's name and the account of the credentials",
        (Some("AccessDenied" | "AllAccessDisabled"), _) => denied,
        (Some("ExpiredToken" | "ExpiredTokenException" | "InvalidToken"), _) => {
            "renew the credentials: they have expired"
        }
        (Some("SignatureDoesNotMatch" | "InvalidAccessKeyId"), _) => {
            "check the credentials: S3 does not recognise them"
        }
        (
            Some(
                "PermanentRedirect"
                | "AuthorizationHeaderMalformed"
                | "IllegalLocationConstraintException",
            ),
            _,
        ) => "use the bucket's own region",
        (Some("RequestTimeTooSkewed" | "RequestExpired"), _) => {
            "set this machine's clock: it differs from that of AWS"
        }
        (Some(code), _) if code.starts_with("KMS") => {
            "check that the key exists, is enabled and is in the bucket's region, and grant the \
             role kms:Decrypt on it"
        }
        (Some("AccountProblem" | "NotSignedUp" | "OptInRequired"), _) => {
            "check the account's state with AWS"
        }
        (None, SdkError::ServiceError(_) | SdkError::ResponseError(_)) => {
            "something between Backstop and S3 may have answered: check the proxy, the network and \
             the AWS endpoint URL"
        }
        (_, SdkError::DispatchFailure(failure)) if failure.is_user() || failure.is_other() => {
            "give credentials: those of a profile (AWS_PROFILE), or of a function's role"
        }
        (_, SdkError::DispatchFailure(_) | SdkError::TimeoutError(_)) => {
            "check the network, the region and the AWS endpoint URL"
        }
        _ => "try again; if the error persists, follow S3's message above",
    };
    let mut reason = reason(error);
    if let Some(region) = bucket_region(error) {
        reason = format!("{reason} (the bucket is in {region})");
    }
    anyhow::anyhow!("{what}: {reason}\n{advice}")
}

/// The region of the bucket, where S3 names it in an error.
pub fn bucket_region<E>(error: &SdkError<E, HttpResponse>) -> Option<RegionName> {
    let headers = error.raw_response()?.headers();
    RegionName::parse(headers.get("x-amz-bucket-region")?)
}
