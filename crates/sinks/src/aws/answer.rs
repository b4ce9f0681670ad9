//! What an SDK's error says, in the chain's terms.
//!
//! Invariants: a status that came is a status, in the service's form or not; what never reached the
//! wire is never ambiguous. Of the body nothing is kept but a known code and the name of a region.

use aws_sdk_s3::error::SdkError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use backstop_delivery::{Answer, Detail, Failure, RegionName};

use super::NoAnswer;
use super::codes::{known, status};

/// What an SDK error says, in the chain's terms.
pub(crate) fn answer<E>(error: &SdkError<E, HttpResponse>) -> Answer
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    if let Some(response) = error.raw_response() {
        let header = || response.headers().get("x-amzn-errortype");
        let code = error.code().or_else(header).and_then(known);
        let raw = response.status().as_u16();
        // A success that the SDK cannot read is not one.
        if (200..=299).contains(&raw) {
            return Answer::None(Failure::Unproven);
        }
        let detail = detail(response, code, error.message().unwrap_or_default());
        return Answer::refused(status(raw, code), detail);
    }
    match error {
        SdkError::TimeoutError(_) => Answer::None(Failure::TimedOut),
        // Whatever had left by then has said so itself.
        _ => Answer::None(no_answer(error).unwrap_or(Failure::NotSent)),
    }
}

/// Why there is no answer, where the connector or the credentials say it.
fn no_answer(error: &(dyn std::error::Error + 'static)) -> Option<Failure> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(NoAnswer(failure)) = error.downcast_ref() {
            return Some(*failure);
        }
        next = error.source();
    }
    None
}

fn detail(response: &HttpResponse, code: Option<&'static str>, message: &str) -> Option<Detail> {
    let is_elsewhere = matches!(
        code,
        Some(
            "AuthorizationHeaderMalformed"
                | "IllegalLocationConstraintException"
                | "IncorrectEndpoint"
                | "PermanentRedirect"
                | "Redirect"
                | "TemporaryRedirect"
        )
    );
    // What AWS says of a time is in the message alone, for some codes.
    let is_late = ["Signature expired", "Signature not yet current"]
        .iter()
        .any(|words| message.contains(words));
    match code {
        Some(_) if is_elsewhere => Some(Detail::Region {
            code,
            region: region(response),
        }),
        None if (300..=399).contains(&response.status().as_u16()) => {
            let region = Some(region(response)?);
            Some(Detail::Region { code, region })
        }
        Some(code @ ("RequestTimeTooSkewed" | "RequestExpired")) => Some(Detail::Clock(code)),
        Some(code) if is_late => Some(Detail::Clock(code)),
        code => code.map(Detail::Code),
    }
}

/// The region of the bucket, where S3 names it: in a header, as an element, or in the endpoint that is
/// to be used.
fn region(response: &HttpResponse) -> Option<RegionName> {
    let header = response.headers().get("x-amz-bucket-region");
    if let Some(region) = header.and_then(RegionName::parse) {
        return Some(region);
    }
    let body = String::from_utf8_lossy(response.body().bytes().unwrap_or_default());
    let element = |name: &str| {
        let (_, rest) = body.split_once(&format!("<{name}>"))?;
        let (text, _) = rest.split_once(&format!("</{name}>"))?;
        Some(text.to_owned())
    };
    if let Some(region) = element("Region").and_then(|text| RegionName::parse(&text)) {
        return Some(region);
    }
    let endpoint = element("Endpoint")?;
    endpoint
        .split('.')
        .find_map(|label| RegionName::parse(label.strip_prefix("s3-").unwrap_or(label)))
}

#[cfg(test)]
mod tests {
    use aws_sdk_s3::operation::put_object::PutObjectError;
    use aws_smithy_runtime_api::client::result::ConnectorError;
    use aws_smithy_types::body::SdkBody;
    use aws_smithy_types::error::ErrorMetadata;
    use backstop_delivery::NoCredentials;

    use super::*;

    fn response(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> HttpResponse {
        let code = status.try_into().expect("a status");
        let mut response = HttpResponse::new(code, SdkBody::from(body));
        for (name, value) in headers {
            response.headers_mut().insert(*name, *value);
        }
        response
    }

    fn service(code: Option<&str>, message: &str, response: HttpResponse) -> Answer {
        let mut metadata = ErrorMetadata::builder().message(message);
        if let Some(code) = code {
            metadata = metadata.code(code);
        }
        let error = PutObjectError::generic(metadata.build());
        answer(&SdkError::service_error(error, response))
    }

    #[test]
    fn a_status_that_came_is_a_status_whatever_its_body() {
        for (status, expected) in [(403, 403), (404, 404), (301, 301), (500, 500), (503, 503)] {
            let page = || response(status, &[("content-type", "text/html")], "<html>");
            let unreadable: SdkError<PutObjectError, _> =
                SdkError::response_error("not in the form", page());
            assert_eq!(answer(&unreadable), Answer::status(expected));
            assert_eq!(service(None, "", page()), Answer::status(expected));
        }
    }

    #[test]
    fn a_success_that_cannot_be_read_is_not_proven() {
        let unreadable: SdkError<PutObjectError, _> =
            SdkError::response_error("not in the form", response(200, &[], "<html>"));
        assert_eq!(answer(&unreadable), Answer::None(Failure::Unproven));
    }

    #[test]
    fn what_never_left_is_not_ambiguous() {
        let why = NoCredentials::new("none is set");
        let wrapped = |failure| {
            let source = aws_credential_types::provider::error::CredentialsError::provider_error(
                NoAnswer(failure),
            );
            ConnectorError::other(source.into(), None)
        };
        let cases: [(SdkError<PutObjectError, HttpResponse>, _); 5] = [
            (
                SdkError::dispatch_failure(wrapped(Failure::NoCredentials(why))),
                Failure::NoCredentials(why),
            ),
            (
                SdkError::dispatch_failure(ConnectorError::user("no client".into())),
                Failure::NotSent,
            ),
            (
                SdkError::construction_failure("no endpoint"),
                Failure::NotSent,
            ),
            (
                SdkError::dispatch_failure(ConnectorError::io(Box::new(NoAnswer(Failure::Reset)))),
                Failure::Reset,
            ),
            (SdkError::timeout_error("late"), Failure::TimedOut),
        ];
        for (error, expected) in cases {
            assert_eq!(answer(&error), Answer::None(expected));
        }
    }

    #[test]
    fn the_region_of_the_bucket_is_read_where_s3_names_it() {
        let cases = [
            (
                301,
                "PermanentRedirect",
                vec![("x-amz-bucket-region", "us-east-2")],
                "",
                Some("us-east-2"),
            ),
            (
                400,
                "AuthorizationHeaderMalformed",
                vec![],
                "<Error><Region>eu-west-3</Region></Error>",
                Some("eu-west-3"),
            ),
            (
                301,
                "PermanentRedirect",
                vec![],
                "<Endpoint>logs.s3.ap-southeast-2.amazonaws.com</Endpoint>",
                Some("ap-southeast-2"),
            ),
            (
                307,
                "TemporaryRedirect",
                vec![],
                "<Endpoint>logs.s3-us-west-2.amazonaws.com</Endpoint>",
                Some("us-west-2"),
            ),
            (400, "IllegalLocationConstraintException", vec![], "", None),
            (
                301,
                "PermanentRedirect",
                vec![("x-amz-bucket-region", "hunter2")],
                "<Region>hunter2</Region><Endpoint>hunter2.example</Endpoint>",
                None,
            ),
        ];
        for (status, code, headers, body, region) in cases {
            let answer = service(Some(code), "", response(status, &headers, body));
            let expected = Detail::Region {
                code: known(code),
                region: region.and_then(RegionName::parse),
            };
            assert_eq!(answer, Answer::refused(status, Some(expected)), "{code}");
        }
        let unnamed = response(301, &[("x-amz-bucket-region", "us-east-2")], "");
        assert_eq!(
            service(None, "", unnamed).cause().to_string(),
            "redirected (status 301; the bucket is in us-east-2)"
        );
    }

    #[test]
    fn a_clock_that_is_wrong_is_told_from_keys_that_are() {
        let cases = [
            (
                "RequestTimeTooSkewed",
                "",
                Detail::Clock("RequestTimeTooSkewed"),
            ),
            (
                "InvalidSignatureException",
                "Signature expired: 20260101T000000Z is now earlier than 20260101T001500Z",
                Detail::Clock("InvalidSignatureException"),
            ),
            (
                "InvalidSignatureException",
                "The request signature we calculated does not match",
                Detail::Code("InvalidSignatureException"),
            ),
        ];
        for (code, message, expected) in cases {
            let answer = service(Some(code), message, response(403, &[], ""));
            assert_eq!(answer, Answer::refused(403, Some(expected)), "{message}");
        }
    }

    #[test]
    fn a_code_that_only_the_header_has_is_one() {
        let header = ("x-amzn-errortype", "AccessDeniedException:http://internal");
        assert_eq!(
            service(None, "", response(400, &[header], "{}")),
            Answer::refused(403, Some(Detail::Code("AccessDeniedException")))
        );
        let header = ("x-amzn-errortype", "hunter2");
        assert_eq!(
            service(Some("hunter2"), "", response(400, &[header], "{}")),
            Answer::status(400)
        );
    }
}
