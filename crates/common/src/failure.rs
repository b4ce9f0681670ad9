//! What an AWS call that failed says: what was tried, the service's own words, what to do, and
//! whether the call may have succeeded nevertheless.
//!
//! Invariant: a value of a function's environment does not get into it. Must not: name an option of the
//! command line, as functions print this, too.

use std::time::Duration;

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// In these words, and no others, does a layer of another account say that it is closed.
const NOT_SHARED: &str = "no resource-based policy allows";

/// What a call that was not made says before the reason.
pub const UNTRIED: &str = "not tried, because the same call was denied before: ";

/// No service asks for more in earnest, and no clock can add what a header may say.
const LONGEST_RETRY_AFTER: Duration = Duration::from_mins(5);

/// A call that failed.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{what}: {reason}{}", advice(self))]
pub struct Failure {
    /// What was tried.
    what: String,
    /// The service's own words, or what stood in the way.
    reason: String,
    /// The error's code, where the service gave one.
    code: Option<String>,
    /// What it means for the caller.
    pub kind: Kind,
    /// How long to wait, where the service says so.
    pub retry_after: Option<Duration>,
    /// Whether the call was not made, as others like it were refused.
    is_untried: bool,
}

/// What a failure means for the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Too many calls (429): the same one later.
    Throttled,
    /// Something else changes it at this moment (409).
    Conflict,
    /// It was changed since it was read (412).
    Stale,
    /// It is not there (404).
    NotFound,
    /// The caller may not (403).
    Denied,
    /// The credentials are not there, not known or have expired.
    Credentials,
    /// The service refuses what was asked for (any other 4xx).
    Invalid,
    /// The service failed (5xx): the call may have been done.
    Unavailable,
    /// No whole answer came: the call may have been done.
    Unanswered,
}

impl Kind {
    /// Whether the call may have been done although it failed.
    pub fn may_be_done(self) -> bool {
        matches!(self, Self::Unavailable | Self::Unanswered)
    }
}

impl Failure {
    /// Of a call to `what`.
    pub fn of<E>(what: &str, error: &SdkError<E, HttpResponse>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let code = error.code().map(str::to_owned);
        let response = error.raw_response();
        let status = response.map(|response| response.status().as_u16());
        let kind = match (code.as_deref(), status, error) {
            (Some("TooManyRequestsException" | "Throttling" | "ThrottlingException"), ..)
            | (_, Some(429), _) => Kind::Throttled,
            (
                Some(
                    "ExpiredToken"
                    | "ExpiredTokenException"
                    | "InvalidClientTokenId"
                    | "UnrecognizedClientException"
                    | "InvalidSignatureException"
                    | "SignatureDoesNotMatch",
                ),
                ..,
            ) => Kind::Credentials,
            (_, Some(404), _) | (Some("NoSuchEntity"), ..) => Kind::NotFound,
            (_, Some(403), _) | (Some("AccessDenied" | "AccessDeniedException"), ..) => {
                Kind::Denied
            }
            (_, Some(409), _) => Kind::Conflict,
            (_, Some(412), _) => Kind::Stale,
            (_, Some(400..=499), _) => Kind::Invalid,
            (_, Some(500..), _) => Kind::Unavailable,
            (_, _, SdkError::DispatchFailure(failure)) if failure.is_user() => Kind::Credentials,
            // A connection that broke is of this kind, too, and then says what sort of error it is.
            (_, _, SdkError::DispatchFailure(failure))
                if failure.is_other()
                    && (failure.as_connector_error()).is_none_or(|it| it.as_other().is_none()) =>
            {
                Kind::Credentials
            }
            (_, _, SdkError::ConstructionFailure(_)) => Kind::Credentials,
            _ => Kind::Unanswered,
        };
        let retry_after = response
            .and_then(|response| response.headers().get("retry-after"))
            .and_then(|seconds| seconds.parse().ok())
            .map(|seconds| Duration::from_secs(seconds).min(LONGEST_RETRY_AFTER));
        let reason = reason(error);
        Self {
            what: what.to_owned(),
            reason,
            code,
            kind,
            retry_after,
            is_untried: false,
        }
    }

    /// Of something that is not a call, to be handled as if it were.
    pub fn new(what: &str, reason: impl Into<String>, kind: Kind) -> Self {
        Self {
            what: what.to_owned(),
            reason: reason.into(),
            code: None,
            kind,
            retry_after: None,
            is_untried: false,
        }
    }

    /// Of a call that was refused with this code and no other word.
    pub fn coded(what: &str, code: &str) -> Self {
        let mut failure = Self::new(what, code, Kind::Credentials);
        failure.code = Some(code.to_owned());
        failure
    }

    /// With what may be the cause.
    #[must_use]
    pub fn with(mut self, hint: &str) -> Self {
        self.reason = format!("{}; {hint}", self.reason);
        self
    }

    /// The same of a call to `what`, which was not made because of it.
    #[must_use]
    pub fn untried(&self, what: &str) -> Self {
        Self {
            what: what.to_owned(),
            reason: format!("{UNTRIED}{}", self.reason),
            is_untried: true,
            ..self.clone()
        }
    }

    /// Whether the call was not made, as others like it were refused.
    pub fn is_untried(&self) -> bool {
        self.is_untried
    }

    /// The action that the caller may not do, where the service names it and it is the caller's own
    /// permission that is missing: a layer may be closed, whatever the caller may do.
    pub fn denied_action(&self) -> Option<String> {
        let (_, after) = self.reason.split_once("not authorized to perform: ")?;
        let is_of_layer = after.contains(":layer:") || after.contains(NOT_SHARED);
        let action = after.split_whitespace().next().filter(|_| !is_of_layer);
        action.map(str::to_owned)
    }

    /// Whether a layer of another account says that it is not shared.
    pub fn is_not_shared(&self) -> bool {
        self.kind == Kind::Denied && self.reason.contains(NOT_SHARED)
    }

    /// Whether the service does not know the credentials, or not any more: no other call will do better.
    pub fn ends_credentials(&self) -> bool {
        let code = self.code().unwrap_or_default();
        code.starts_with("ExpiredToken")
            || matches!(code, "InvalidClientTokenId" | "UnrecognizedClientException")
    }

    /// The error's code, where the service gave one.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }

    /// The service's own words.
    pub fn reason(&self) -> String {
        self.reason.clone()
    }

    /// On one line, without advice.
    pub fn brief(&self) -> String {
        format!("{}: {}", self.what, self.reason)
    }
}

/// The service's own code and words; where it gave none, the status and what stood in the way.
pub(crate) fn reason<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: std::error::Error + ProvideErrorMetadata + 'static,
{
    let status = error.raw_response().map(|it| it.status().as_u16());
    match (error.code(), error.message(), status) {
        (Some(code), Some(message), _) => format!("{code}: {}", without_values(message)),
        (Some(code), None, _) => code.to_owned(),
        // Not in the service's form: a proxy's page, or nothing. What it says is not shown.
        (None, _, Some(status @ 300..)) => format!("status {status} without an AWS error code"),
        // A parser's words quote what it cannot read: names, keys, a whole listing.
        (None, _, Some(status)) => format!("cannot read the answer (status {status})"),
        (None, ..) => chain(error),
    }
}

/// What an error says, with what caused it, each once.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut parts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string().trim().to_owned();
        // These two are how the SDK is built, and nothing that happened.
        let is_frame =
            matches!(text.as_str(), "dispatch failure" | "other") && error.source().is_some();
        if !is_frame && !parts.contains(&text) {
            parts.push(text);
        }
        next = error.source();
    }
    parts.join(": ")
}

/// Without what Lambda's validation quotes: all of an environment that is too large, and the whole
/// value of any parameter that breaks a rule (`Value '{TOKEN=…}' at 'environment.variables' failed …`).
fn without_values(message: &str) -> String {
    const VALUE: &str = "Value '";
    let message = match message.find("String measured") {
        Some(at) => message[..at].trim_end(),
        None => message,
    };
    // A value may hold anything, the words that follow it included: from the first to the last.
    let quoted = message.find(VALUE).zip(message.rfind("' at '"));
    match quoted.filter(|(begins, ends)| begins + VALUE.len() <= *ends) {
        Some((begins, ends)) => format!(
            "{}Value *** at '{}",
            &message[..begins],
            &message[ends + 6..]
        ),
        None => message.to_owned(),
    }
}

fn advice(failure: &Failure) -> &'static str {
    match failure.kind {
        Kind::Throttled => "\nlower the rate of calls: other callers use the account's quota",
        Kind::Denied => "\ngrant the role this permission, or use another role",
        Kind::Credentials
            if failure
                .code()
                .is_some_and(|it| it.starts_with("ExpiredToken")) =>
        {
            "\nrenew the credentials: they have expired"
        }
        Kind::Credentials => {
            "\ncheck the credentials, and that the region is enabled in the account"
        }
        Kind::Unanswered => "\ncheck the network, the region and the AWS endpoint URL",
        Kind::Unavailable => "\ntry again later",
        Kind::Conflict | Kind::Stale | Kind::NotFound | Kind::Invalid => "",
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::operation::get_object::GetObjectError;
    use aws_sdk_s3::primitives::SdkBody;

    use super::*;

    #[test]
    fn an_answer_that_cannot_be_read_is_not_quoted() {
        let body = SdkBody::from(r#"{"Environment":{"TOKEN":"hunter2"#);
        let answer = HttpResponse::new(http_status(200), body);
        let error: SdkError<GetObjectError, _> = SdkError::response_error("cut off", answer);
        let failure = Failure::of("reading", &error);
        assert_eq!(failure.kind, Kind::Unanswered);
        assert!(!failure.to_string().contains("hunter2"), "{failure}");
        let message = "reading: cannot read the answer (status 200)";
        assert!(failure.to_string().starts_with(message), "{failure}");
    }

    fn http_status(code: u16) -> aws_smithy_runtime_api::http::StatusCode {
        code.try_into().expect("it is a status")
    }

    #[test]
    fn an_environment_is_not_quoted() {
        let cases = [
            (
                "environment variables exceeded the 4KB limit. String measured: \
                 {\"TOKEN\":\"hunter2\"}",
                "environment variables exceeded the 4KB limit.",
            ),
            (
                "1 validation error detected: Value '{TOKEN=hunter2, a-b=it's' at 'x}' at \
                 'environment.variables' failed to satisfy constraint: Map keys must satisfy \
                 constraint",
                "1 validation error detected: Value *** at 'environment.variables' failed to \
                 satisfy constraint: Map keys must satisfy constraint",
            ),
            (
                "2 validation errors detected: Value 'hunter2' at 'a' failed; Value 'hunter2' at \
                 'b' failed",
                "2 validation errors detected: Value *** at 'b' failed",
            ),
            ("another", "another"),
            ("' at ' and then Value '", "' at ' and then Value '"),
        ];
        for (message, expected) in cases {
            assert_eq!(without_values(message), expected);
        }
    }
}
