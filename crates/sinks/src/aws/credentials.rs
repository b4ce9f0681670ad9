//! Credentials from the environment, as Lambda gives them, or from the container endpoint, as Lambda
//! does after a `SnapStart` restore.
//!
//! The SDK's usual loading chain (`aws_config`) would read files and try endpoints that a Lambda
//! environment does not have. Invariant: why there are none is said in words of this program, with a
//! status at most; what the endpoint answered is in no error.

use std::time::{Duration, SystemTime};

use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use aws_smithy_types::date_time::{DateTime, Format};
use backstop_config::{AwsSettings, ContainerCredentials};
use backstop_delivery::{Failure, NoCredentials};
use bytes::Bytes;
use serde::Deserialize;
use tokio::time::timeout;

use super::{MOST_ANSWER_BYTES, NoAnswer};
use crate::http::SharedHttp;

/// The endpoint is inside the environment.
const LONGEST: Duration = Duration::from_secs(1);

/// Where the SDK clients' credentials come from.
#[derive(Debug, Clone)]
pub struct Credentials {
    aws: AwsSettings,
    http: SharedHttp,
}

impl Credentials {
    /// Credentials as `aws` says.
    pub fn new(aws: AwsSettings, http: SharedHttp) -> Self {
        Self { aws, http }
    }

    async fn load(&self) -> Result<aws_credential_types::Credentials, NoCredentials> {
        let keys = (&self.aws.access_key_id, &self.aws.secret_access_key);
        if let (Some(id), Some(secret)) = keys {
            let token = self
                .aws
                .session_token
                .as_ref()
                .map(|token| token.expose().to_owned());
            let keys = (id.clone(), secret.expose().to_owned(), token);
            return of_keys(keys, None, "environment").ok_or(NoCredentials::new(
                "AWS_ACCESS_KEY_ID or AWS_SESSION_TOKEN has a character that no key has",
            ));
        }
        match (&self.aws.container_credentials, keys) {
            (Some(container), _) => self.ask_container(container).await,
            (None, (Some(_), None)) => Err(NoCredentials::new(
                "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not",
            )),
            (None, (None, Some(_))) => Err(NoCredentials::new(
                "AWS_SECRET_ACCESS_KEY is set and AWS_ACCESS_KEY_ID is not",
            )),
            (None, _) => Err(NoCredentials::new(
                "neither AWS_ACCESS_KEY_ID nor AWS_CONTAINER_CREDENTIALS_FULL_URI is set",
            )),
        }
    }

    async fn ask_container(
        &self,
        container: &ContainerCredentials,
    ) -> Result<aws_credential_types::Credentials, NoCredentials> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            access_key_id: String,
            secret_access_key: String,
            token: Option<String>,
            expiration: Option<String>,
        }
        // The file is preferred, as in the AWS SDKs. It is read each time: the platform may replace what
        // is in it.
        let token = match (&container.token_file, &container.token) {
            (Some(path), _) => Some(std::fs::read_to_string(path).map_err(|_| {
                NoCredentials::new("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE cannot be read")
            })?),
            (None, Some(token)) => Some(token.expose().to_owned()),
            (None, None) => None,
        };
        let uri = container.full_uri.parse::<http::Uri>().map_err(|_| {
            NoCredentials::new("AWS_CONTAINER_CREDENTIALS_FULL_URI is not an address")
        })?;
        let mut request = http::Request::get(uri);
        if let Some(token) = token {
            request = request.header(http::header::AUTHORIZATION, token.trim());
        }
        let request = request
            .body(Bytes::new())
            .map_err(|_| NoCredentials::new("the token for the container endpoint is no header"))?;
        let asking = self.http.fetch(request, MOST_ANSWER_BYTES);
        let response = timeout(LONGEST, asking)
            .await
            .map_err(|_| {
                NoCredentials::new("the container endpoint did not answer within a second")
            })?
            .map_err(|failure| {
                NoCredentials::new(match failure {
                    Failure::Reset => "the answer of the container endpoint broke off",
                    _ => "the container endpoint cannot be reached",
                })
            })?;
        if !response.status().is_success() {
            return Err(NoCredentials {
                status: Some(response.status().as_u16()),
                ..NoCredentials::new("the container endpoint answered")
            });
        }
        // serde's message would quote what it could not read.
        let answer: Option<Answer> = serde_json::from_slice(response.body()).ok();
        let answer = answer
            .filter(|it| !it.access_key_id.is_empty() && !it.secret_access_key.is_empty())
            .ok_or(NoCredentials::new(
                "the container endpoint answered with something else",
            ))?;
        let expiry = answer
            .expiration
            .and_then(|text| DateTime::from_str(&text, Format::DateTime).ok())
            .and_then(|time| SystemTime::try_from(time).ok());
        let keys = (answer.access_key_id, answer.secret_access_key, answer.token);
        of_keys(keys, expiry, "container").ok_or(NoCredentials::new(
            "the container endpoint answered with a character that no key has",
        ))
    }
}

/// Credentials of a key id, its secret and the session's token; `None` where the first or the last is no part of a
/// header. The SDK writes both into headers, and panics where it cannot.
fn of_keys(
    (id, secret, token): (String, String, Option<String>),
    expiry: Option<SystemTime>,
    source: &'static str,
) -> Option<aws_credential_types::Credentials> {
    let is_plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic());
    let are_plain = is_plain(&id) && token.as_deref().is_none_or(is_plain);
    are_plain.then(|| aws_credential_types::Credentials::new(id, secret, token, expiry, source))
}

impl ProvideCredentials for Credentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        let load = async {
            let loaded = self.load().await;
            loaded.map_err(|why| {
                CredentialsError::provider_error(NoAnswer(Failure::NoCredentials(why)))
            })
        };
        future::ProvideCredentials::new(load)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::Write as _;
    use std::sync::Arc;

    use backstop_config::Settings;
    use backstop_delivery::SystemClock;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    const ANSWER: &str = r#"{"AccessKeyId":"AKIA","SecretAccessKey":"s","Token":"t"}"#;

    /// What is loaded from a container's endpoint with this answer, and the head of the one request to it.
    async fn from_container(
        answer: &'static str,
        variables: &[(&str, &str)],
    ) -> (
        Result<aws_credential_types::Credentials, NoCredentials>,
        String,
    ) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("it is bound");
        let endpoint = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.expect("a whole head"));
            }
            let length = answer.len();
            let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{answer}");
            stream
                .write_all(answer.as_bytes())
                .await
                .expect("it is there");
            String::from_utf8_lossy(&head).into_owned()
        });
        let uri = format!("http://{address}/credentials");
        let uri = ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &*uri);
        let loaded = load(&[variables, &[uri]].concat()).await;
        (loaded, endpoint.await.expect("it answered"))
    }

    async fn load(
        variables: &[(&str, &str)],
    ) -> Result<aws_credential_types::Credentials, NoCredentials> {
        let environment: BTreeMap<String, String> = (variables.iter())
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let (settings, _) = Settings::resolve(&environment);
        let clock = Arc::new(SystemClock);
        let http = SharedHttp::new(Vec::new(), settings.proxies, clock, |_| {});
        Credentials::new(settings.aws, http).load().await
    }

    /// The `authorization` line of the one request to the container's endpoint.
    async fn authorization(variables: &[(&str, &str)]) -> Option<String> {
        let (loaded, head) = from_container(ANSWER, variables).await;
        assert_eq!(loaded.expect("there are some").access_key_id(), "AKIA");
        let line = head
            .lines()
            .find_map(|line| line.strip_prefix("authorization: "));
        line.map(str::to_owned)
    }

    /// The SDK would panic when it signs.
    #[tokio::test]
    async fn keys_that_are_no_part_of_a_header_are_no_credentials() {
        for odd in ["AK\nIA", "\u{1}", "AK\u{7f}", "AK IA", "\u{c4}K"] {
            for variables in [
                [("AWS_ACCESS_KEY_ID", odd), ("AWS_SECRET_ACCESS_KEY", "s")].as_slice(),
                &[
                    ("AWS_ACCESS_KEY_ID", "AKIA"),
                    ("AWS_SECRET_ACCESS_KEY", "s"),
                    ("AWS_SESSION_TOKEN", odd),
                ],
            ] {
                let why = load(variables).await.expect_err(odd);
                assert!(why.to_string().contains("AWS_ACCESS_KEY_ID"), "{why}");
                assert!(!why.to_string().contains(odd), "{why}");
            }
        }
        for answer in [
            r#"{"AccessKeyId":"AS\nIA","SecretAccessKey":"s","Token":"t"}"#,
            r#"{"AccessKeyId":"ASIA","SecretAccessKey":"s","Token":"t\u0001"}"#,
        ] {
            let (loaded, _) = from_container(answer, &[]).await;
            let why = loaded.expect_err(answer).to_string();
            assert!(why.contains("the container endpoint"), "{why}");
        }
    }

    #[tokio::test]
    async fn the_file_of_the_containers_token_is_preferred_to_the_token() {
        const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
        let mut file = tempfile::NamedTempFile::new().expect("a file");
        writeln!(file, "from the file").expect("it can be written");
        let path = file.path().to_str().expect("a path of text");
        let file = ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", path);
        for (variables, expected) in [
            (&[][..], None),
            (&[(TOKEN, "from the variable")], Some("from the variable")),
            (&[file], Some("from the file")),
            (&[(TOKEN, "from the variable"), file], Some("from the file")),
        ] {
            let found = authorization(variables).await;
            assert_eq!(found.as_deref(), expected, "{variables:?}");
        }
    }
}
