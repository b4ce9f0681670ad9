//! The codes of S3, Firehose and the stores of secrets, and what of HTTP's numbers each of them means.
//!
//! Invariant: a code that is not in the table is none. A server may answer with anything, and a
//! credential can look like a code: what gets into a log is one of these words, never what was sent.

/// The code a service gave, as the word of the table. A namespace before `#` and what follows a colon
/// are not part of it (AWS: the header `x-amzn-errortype`).
pub(crate) fn known(text: &str) -> Option<&'static str> {
    let text = text.split(':').next().unwrap_or_default();
    let text = text.rsplit('#').next().unwrap_or_default().trim();
    let at = CODES.binary_search(&text).ok()?;
    CODES.get(at).copied()
}

/// AWS often says 400 and means something else; its code says what.
pub(crate) fn status(status: u16, code: Option<&str>) -> u16 {
    let Some(code) = code else { return status };
    match code {
        "BandwidthLimitExceeded"
        | "KMS.ThrottlingException"
        | "KMSThrottlingException"
        | "LimitExceededException"
        | "PriorRequestNotComplete"
        | "ProvisionedThroughputExceededException"
        | "RateLimitExceeded"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "SlowDown"
        | "ThrottledException"
        | "Throttling"
        | "ThrottlingException"
        | "TooManyRequests"
        | "TooManyRequestsException" => 429,
        "IncompleteBody" | "RequestTimeout" | "RequestTimeoutException" => 408,
        "AccessDenied"
        | "AccessDeniedException"
        | "AccountProblem"
        | "AccountSuspended"
        | "AllAccessDisabled"
        | "AuthFailure"
        | "ExpiredToken"
        | "ExpiredTokenException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "InvalidAccessKeyId"
        | "InvalidClientTokenId"
        | "InvalidSecurity"
        | "InvalidSignature"
        | "InvalidSignatureException"
        | "InvalidToken"
        | "InvalidTokenId"
        | "KMS.AccessDeniedException"
        | "KMSAccessDeniedException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException"
        | "MissingSecurityHeader"
        | "NotAuthorized"
        | "NotSignedUp"
        | "OptInRequired"
        | "OptInRequiredException"
        | "RequestExpired"
        | "RequestTimeTooSkewed"
        | "SignatureDoesNotMatch"
        | "TokenRefreshRequired"
        | "UnauthorizedAccess"
        | "UnauthorizedAccessError"
        | "UnauthorizedOperation"
        | "UnrecognizedClientException" => 403,
        "NoSuchAccessPoint" | "NoSuchBucket" | "ResourceNotFoundException" => 404,
        "EntityTooLarge" | "MaxMessageLengthExceeded" | "RequestEntityTooLargeException" => 413,
        // What was sent was good, and the same may be taken the next time.
        "BadDigest"
        | "ConditionalRequestConflict"
        | "DependencyTimeoutException"
        | "InternalError"
        | "InternalFailure"
        | "InternalServerError"
        | "InternalServerException"
        | "InternalServiceError"
        | "InternalServiceException"
        | "KMS.DependencyTimeoutException"
        | "KMS.KMSInternalException"
        | "KMS.KeyUnavailableException"
        | "KMSInternalException"
        | "KeyUnavailableException"
        | "OperationAborted"
        | "ServiceUnavailable"
        | "ServiceUnavailableException"
        | "XAmzContentChecksumMismatch"
        | "XAmzContentSHA256Mismatch" => 503,
        _ => status,
    }
}

/// In the order of `str`.
const CODES: &[&str] = &[
    "AccessControlListNotSupported",
    "AccessDenied",
    "AccessDeniedException",
    "AccessPointAlreadyOwnedByYou",
    "AccountProblem",
    "AccountSuspended",
    "AllAccessDisabled",
    "AmbiguousGrantByEmailAddress",
    "AuthFailure",
    "AuthorizationHeaderMalformed",
    "AuthorizationQueryParametersError",
    "BadDigest",
    "BadRequest",
    "BandwidthLimitExceeded",
    "BucketAlreadyExists",
    "BucketAlreadyOwnedByYou",
    "BucketHasAccessPointsAttached",
    "BucketNotEmpty",
    "ClientTokenConflict",
    "ConcurrentModificationException",
    "ConditionalRequestConflict",
    "ConflictException",
    "ConnectionClosedByRequester",
    "CredentialsNotSupported",
    "CrossLocationLoggingProhibited",
    "DecryptionFailure",
    "DependencyTimeoutException",
    "DeviceNotActiveError",
    "DisabledException",
    "EndpointNotFound",
    "EntityTooLarge",
    "EntityTooSmall",
    "ExpiredObjectDeleteMarker",
    "ExpiredToken",
    "ExpiredTokenException",
    "ExpressionTooLong",
    "Forbidden",
    "IllegalLocationConstraintException",
    "IllegalVersioningConfigurationException",
    "InappropriateEncryptionContext",
    "IncompleteBody",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "IncorrectEndpoint",
    "IncorrectKeyException",
    "IncorrectNumberOfFilesInPostRequest",
    "InlineDataTooLarge",
    "InternalError",
    "InternalFailure",
    "InternalServerError",
    "InternalServerException",
    "InternalServiceError",
    "InternalServiceException",
    "InvalidAccessKeyId",
    "InvalidAccessPoint",
    "InvalidAccessPointAliasError",
    "InvalidAction",
    "InvalidAddressingHeader",
    "InvalidArgument",
    "InvalidArgumentException",
    "InvalidBucketAclWithObjectOwnership",
    "InvalidBucketName",
    "InvalidBucketOwnerAWSAccountID",
    "InvalidBucketState",
    "InvalidCiphertextException",
    "InvalidClientTokenId",
    "InvalidDigest",
    "InvalidEncryptionAlgorithmError",
    "InvalidEncryptionMethod",
    "InvalidGrantTokenException",
    "InvalidHeader",
    "InvalidHostHeader",
    "InvalidHttpMethod",
    "InvalidKMSArn",
    "InvalidKMSResourceException",
    "InvalidKeyId",
    "InvalidKeyUsageException",
    "InvalidLocationConstraint",
    "InvalidObjectState",
    "InvalidParameterCombination",
    "InvalidParameterException",
    "InvalidParameterValue",
    "InvalidPart",
    "InvalidPartOrder",
    "InvalidPayer",
    "InvalidPolicyDocument",
    "InvalidRange",
    "InvalidRegion",
    "InvalidRegionName",
    "InvalidRequest",
    "InvalidRequestException",
    "InvalidSOAPRequest",
    "InvalidSecurity",
    "InvalidSessionException",
    "InvalidSignature",
    "InvalidSignatureException",
    "InvalidSourceException",
    "InvalidStorageClass",
    "InvalidStreamTypeException",
    "InvalidTag",
    "InvalidTargetBucketForLogging",
    "InvalidToken",
    "InvalidTokenId",
    "InvalidURI",
    "InvalidWriteOffset",
    "KMS.AccessDeniedException",
    "KMS.DependencyTimeoutException",
    "KMS.DisabledException",
    "KMS.DryRunOperationException",
    "KMS.IncorrectKeyException",
    "KMS.InvalidArnException",
    "KMS.InvalidGrantTokenException",
    "KMS.InvalidKeyUsageException",
    "KMS.InvalidStateException",
    "KMS.KMSDisabledException",
    "KMS.KMSInternalException",
    "KMS.KMSInvalidStateException",
    "KMS.KeyUnavailableException",
    "KMS.LimitExceededException",
    "KMS.NotFoundException",
    "KMS.ThrottlingException",
    "KMS.UnrecognizedClientException",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSInternalException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "KMSOptInRequired",
    "KMSThrottlingException",
    "KeyTooLongError",
    "KeyUnavailableException",
    "LimitExceededException",
    "MalformedACLError",
    "MalformedHttpRequestException",
    "MalformedPOSTRequest",
    "MalformedPolicy",
    "MalformedQueryString",
    "MalformedXML",
    "MaxMessageLengthExceeded",
    "MetadataTooLarge",
    "MethodNotAllowed",
    "MissingAction",
    "MissingAttachment",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "MissingContentLength",
    "MissingParameter",
    "MissingRequestBodyError",
    "MissingSecurityElement",
    "MissingSecurityHeader",
    "NoLoggingStatusForKey",
    "NoSuchAccessPoint",
    "NoSuchBucket",
    "NoSuchBucketPolicy",
    "NoSuchKey",
    "NoSuchLifecycleConfiguration",
    "NoSuchUpload",
    "NoSuchUser",
    "NoSuchVersion",
    "NotAcceptable",
    "NotAuthorized",
    "NotDeviceOwnerError",
    "NotFound",
    "NotFoundException",
    "NotImplemented",
    "NotSignedUp",
    "ObjectLockConfigurationNotFoundError",
    "OperationAborted",
    "OptInRequired",
    "OptInRequiredException",
    "OwnershipControlsNotFoundError",
    "ParameterNotFound",
    "ParameterVersionNotFound",
    "PermanentRedirect",
    "PreconditionFailed",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "QuotaExceeded",
    "RateLimitExceeded",
    "Redirect",
    "RequestAbortedException",
    "RequestEntityTooLargeException",
    "RequestExpired",
    "RequestHeaderSectionTooLarge",
    "RequestIsNotMultiPartContent",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeTooSkewed",
    "RequestTimeout",
    "RequestTimeoutException",
    "ResourceInUseException",
    "ResourceNotFoundException",
    "RestoreAlreadyInProgress",
    "SerializationException",
    "ServerSideEncryptionConfigurationNotFoundError",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "SignatureDoesNotMatch",
    "SignatureVersionNotSupported",
    "SlowDown",
    "TemporaryRedirect",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TokenCodeInvalidError",
    "TokenRefreshRequired",
    "TooManyAccessPoints",
    "TooManyBuckets",
    "TooManyRequests",
    "TooManyRequestsException",
    "TransactionInProgressException",
    "UnauthorizedAccess",
    "UnauthorizedAccessError",
    "UnauthorizedOperation",
    "UnexpectedContent",
    "UnexpectedIPError",
    "UnknownOperationException",
    "UnrecognizedClientException",
    "UnsupportedArgument",
    "UnsupportedOperation",
    "UnsupportedOperationException",
    "UnsupportedSignature",
    "UserKeyMustBeSpecified",
    "UserSuspended",
    "ValidationError",
    "ValidationException",
    "VpcIdNotFound",
    "XAmzContentChecksumMismatch",
    "XAmzContentSHA256Mismatch",
    "XMinioAdminBucketQuotaExceeded",
    "XMinioStorageFull",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_calls_a_bad_request_is_told_by_its_code() {
        for (raw, code, expected) in [
            (400, Some("ThrottlingException"), 429),
            (400, Some("ExpiredToken"), 403),
            (400, Some("ResourceNotFoundException"), 404),
            (400, Some("InvalidArgumentException"), 400),
            (400, Some("KMS.DisabledException"), 400),
            (400, Some("BadDigest"), 503),
            (409, Some("OperationAborted"), 503),
            (500, Some("ServiceUnavailableException"), 503),
            (503, Some("SlowDown"), 429),
            (500, None, 500),
        ] {
            assert_eq!(status(raw, code), expected, "{raw} {code:?}");
        }
    }

    #[test]
    fn a_code_is_a_word_of_the_table_and_nothing_else() {
        assert!(CODES.is_sorted(), "a binary search finds each");
        for (text, expected) in [
            ("AccessDenied", Some("AccessDenied")),
            ("KMS.DisabledException", Some("KMS.DisabledException")),
            (
                "com.amazon.coral.service#InvalidSignatureException",
                Some("InvalidSignatureException"),
            ),
            (
                "AccessDeniedException:http://internal.amazon.com/coral/",
                Some("AccessDeniedException"),
            ),
            ("AKIAIOSFODNN7EXAMPLE", None),
            ("accessdenied", None),
            ("AccessDenied t0ken", None),
            ("", None),
        ] {
            assert_eq!(known(text), expected, "{text}");
        }
    }
}
