//! One signed call to a store, and what its answer means if it is not a success.
//!
//! Invariant: what a store says is known by its status and by a code of the table, never by its words.

use std::error::Error;
use std::time::SystemTime;

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_credential_types::provider::error::CredentialsError;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use backstop_config::{Reference, Store};
use backstop_delivery::{Failure, NoSecret};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use http::{Request, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Secrets;
use crate::aws::{NoAnswer, codes};

/// The longest secret has 64 KiB; JSON may escape each of its bytes.
const MOST_ANSWER_BYTES: usize = 512 * 1024;
const CONTENT: HeaderValue = HeaderValue::from_static("application/x-amz-json-1.1");
const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
/// Who is to blame where there is nothing to sign with; a message goes on from here.
const CREDENTIALS: &str = "no credentials:";

impl Secrets {
    /// The body of a success.
    pub(super) async fn ask(
        &self,
        reference: &Reference,
        question: Question,
    ) -> Result<Vec<u8>, NoSecret> {
        let store = reference.store.as_str();
        let credentials = self.credentials.provide_credentials().await;
        let credentials = credentials.map_err(|error| no_credentials(&error))?;
        let request = self.request(reference, question, credentials, SystemTime::now());
        let request = request.ok_or(NoSecret::new(store, "cannot be asked at this endpoint"))?;
        let answer = self.http.fetch(request, MOST_ANSWER_BYTES).await;
        let answer = answer.map_err(|failure| unreached(store, failure))?;
        let (head, body) = answer.into_parts();
        if head.status.is_success() {
            return Ok(body);
        }
        let header = head.headers.get("x-amzn-errortype");
        let header = header.and_then(|it| it.to_str().ok());
        Err(refused(store, head.status, header, &body))
    }

    /// The signed request. None of it can fail but for an address that is none.
    fn request(
        &self,
        reference: &Reference,
        question: Question,
        credentials: Credentials,
        now: SystemTime,
    ) -> Option<Request<Bytes>> {
        let Question { target, input } = question;
        let address = self.aws.address_of(reference.store, &reference.region);
        let body = input.to_string();
        let mut request = Request::post(&address);
        let host = address.parse::<http::Uri>().ok()?.authority()?.to_string();
        for (name, value) in [
            (HOST, HeaderValue::from_str(&host).ok()?),
            (CONTENT_TYPE, CONTENT),
            (TARGET, HeaderValue::from_static(target)),
        ] {
            request = request.header(name, value);
        }
        let mut request = request.body(Bytes::from(body)).ok()?;
        let identity = credentials.into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&reference.region)
            .name(reference.store.service())
            .time(now)
            .settings(SigningSettings::default())
            .build()
            .ok()?
            .into();
        let headers = request
            .headers()
            .iter()
            .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
        let signable = SignableRequest::new(
            "POST",
            address.clone(),
            headers,
            SignableBody::Bytes(request.body()),
        );
        let (instructions, _) = sign(signable.ok()?, &params).ok()?.into_parts();
        instructions.apply_to_request_http1x(&mut request);
        Some(request)
    }
}

/// An operation, and its input.
pub(super) struct Question {
    target: &'static str,
    input: Value,
}

impl Question {
    /// For the secret itself. `function` is in the encryption context of what KMS decrypts.
    pub(super) fn reading(reference: &Reference, key: Option<&str>, function: &str) -> Self {
        let id = &reference.id;
        let (target, input) = match reference.store {
            Store::SecretsManager => ("secretsmanager.GetSecretValue", json!({ "SecretId": id })),
            Store::ParameterStore => (
                "AmazonSSM.GetParameter",
                json!({ "Name": id, "WithDecryption": true }),
            ),
            Store::Kms => {
                // What the helpers of Lambda's console encrypt with.
                let context = json!({ "LambdaFunctionName": function });
                let mut input = json!({ "CiphertextBlob": id, "EncryptionContext": context });
                if let Some(key) = key {
                    input["KeyId"] = key.into();
                }
                ("TrentService.Decrypt", input)
            }
        };
        Self { target, input }
    }

    /// For what is known of it without its value. A `SecureString` comes as it is stored.
    pub(super) fn describing(reference: &Reference) -> Option<Self> {
        let id = &reference.id;
        let (target, input) = match reference.store {
            Store::SecretsManager => ("secretsmanager.DescribeSecret", json!({ "SecretId": id })),
            Store::ParameterStore => (
                "AmazonSSM.GetParameter",
                json!({ "Name": id, "WithDecryption": false }),
            ),
            Store::Kms => return None,
        };
        Some(Self { target, input })
    }
}

fn no_credentials(error: &CredentialsError) -> NoSecret {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(NoAnswer(Failure::NoCredentials(why))) = error.downcast_ref() {
            return NoSecret {
                status: why.status,
                ..NoSecret::passing(CREDENTIALS, why.what)
            };
        }
        next = error.source();
    }
    NoSecret::passing(CREDENTIALS, "they cannot be loaded")
}

fn unreached(store: &'static str, failure: Failure) -> NoSecret {
    let what = match failure {
        Failure::Dns => "has no address under its name",
        Failure::Tls => "has no certificate that is trusted",
        Failure::Reset => "broke off the connection",
        _ => "cannot be reached",
    };
    NoSecret::passing(store, what)
}

fn refused(store: &'static str, status: StatusCode, header: Option<&str>, body: &[u8]) -> NoSecret {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(rename = "__type")]
        kind: String,
    }
    // serde's message would quote what it could not read.
    let refusal: Option<Refusal> = serde_json::from_slice(body).ok();
    let kind = refusal.as_ref().map(|it| it.kind.as_str());
    let code = header.or(kind).and_then(codes::known);
    let meant = codes::status(status.as_u16(), code);
    NoSecret {
        status: Some(status.as_u16()),
        code,
        may_pass: matches!(meant, 408 | 425 | 429 | 500..),
        ..NoSecret::new(store, "answered")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;
    use std::time::Duration;

    use backstop_config::{Proxies, Settings};
    use backstop_delivery::SystemClock;

    use super::*;
    use crate::http::SharedHttp;

    /// The signature is botocore's (`SigV4Auth`) of the same request.
    #[test]
    fn a_request_is_signed_as_another_sdk_signs_it() {
        let variables = [
            ("AWS_REGION", "eu-west-1"),
            ("BACKSTOP_PRIMARY_URL", "https://host/"),
            ("BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER", "/team/token"),
        ];
        let environment: BTreeMap<String, String> = (variables.iter())
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let (settings, _) = Settings::resolve(&environment);
        let primary = settings.primary.expect("a primary");
        let reference = primary.references.each()[0].clone();
        let clock = Arc::new(SystemClock);
        let http = SharedHttp::new(Vec::new(), Proxies::default(), clock, |_| {});
        let secrets = Secrets::of_function(http, settings.aws, "orders");
        let session = Some("session".to_owned());
        let credentials = Credentials::new("AKIDEXAMPLE", "hunter2", session, None, "test");
        let question = Question::reading(&reference, None, "orders");
        // 2026-01-31T08:15:01Z.
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_769_847_301);
        let request = secrets.request(&reference, question, credentials, now);
        let request = request.expect("it can be made");
        assert_eq!(request.uri(), "https://ssm.eu-west-1.amazonaws.com/");
        assert_eq!(
            request.headers()["authorization"],
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260131/eu-west-1/ssm/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, \
             Signature=6b2802c6cee45274d569132202f768d48275d6aaabb0197ddc37bd38a1885133"
        );
    }

    #[test]
    fn a_refusal_is_known_by_its_code_and_passes_only_where_it_may() {
        let status = |code: u16| StatusCode::from_u16(code).expect("a status");
        for (raw, header, body, code, may_pass) in [
            (
                400,
                None,
                r#"{"__type":"AccessDeniedException","Message":"hunter2"}"#,
                Some("AccessDeniedException"),
                false,
            ),
            (
                400,
                Some("ParameterNotFound:http://x"),
                "",
                Some("ParameterNotFound"),
                false,
            ),
            (
                400,
                None,
                r#"{"__type":"com.amazonaws#ThrottlingException"}"#,
                Some("ThrottlingException"),
                true,
            ),
            (
                500,
                None,
                r#"{"__type":"InternalServiceError"}"#,
                Some("InternalServiceError"),
                true,
            ),
            (400, None, r#"{"__type":"hunter2"}"#, None, false),
            (403, None, "<html>hunter2</html>", None, false),
            (503, None, "", None, true),
            (302, None, "", None, false),
        ] {
            let why = refused("KMS", status(raw), header, body.as_bytes());
            assert_eq!((why.code, why.may_pass), (code, may_pass), "{raw} {body}");
            assert!(!format!("{why} {why:?}").contains("hunter2"));
        }
    }
}
