//! Secrets Manager, the Parameter Store and KMS, as far as reading one secret goes.
//!
//! One endpoint, in AWS' JSON protocol; the operation is in a header, so that it can stand in all three
//! places. Invariants: a call without the form of a signature for its own service is refused; only what was
//! put in is given out. Must not check the signature itself: S3 is where signatures are verified.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, Request, Response, StatusCode};
use serde_json::{Value, json};

use crate::error::SimulationError;
use crate::fault::Fault;
use crate::server::{Answer, FaultServer};
use crate::sync::lock;

const CONTENT: &str = "application/x-amz-json-1.1";

/// The stores of secrets. Dropping it closes the port.
#[derive(Debug)]
pub struct SecretServer {
    server: FaultServer,
    stores: Arc<Stores>,
}

#[derive(Debug, Default)]
struct Stores(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// By the ARN of the secret, the name of the parameter or the ciphertext.
    values: BTreeMap<String, String>,
    /// The code that everything is refused with.
    refusal: Option<&'static str>,
    /// What was asked, whatever was answered: the operation and its input.
    calls: Vec<(String, Value)>,
    /// The key of every secret.
    key: Option<String>,
    requests: u64,
}

impl SecretServer {
    /// Starts one that holds nothing.
    #[expect(clippy::unused_async, reason = "starting needs a runtime, and says so")]
    pub async fn start() -> Result<Self, SimulationError> {
        let stores = Arc::new(Stores::default());
        let server = FaultServer::start("the stores of secrets", Arc::clone(&stores), None)?;
        Ok(Self { server, stores })
    }

    /// `http://127.0.0.1:PORT`, for `AWS_ENDPOINT_URL_SECRETS_MANAGER`, `_SSM` and `_KMS`.
    pub fn endpoint(&self) -> String {
        self.server.endpoint()
    }

    /// What is under this ARN, name or ciphertext from now on.
    pub fn put(&self, id: impl Into<String>, value: impl Into<String>) {
        lock(&self.stores.0).values.insert(id.into(), value.into());
    }

    /// Every secret is encrypted with this key from now on.
    pub fn encrypt_with(&self, key: &str) {
        lock(&self.stores.0).key = Some(key.to_owned());
    }

    /// Refuses everything with this code; `None` ends that.
    pub fn refuse_with(&self, code: Option<&'static str>) {
        lock(&self.stores.0).refusal = code;
    }

    /// Sets or clears the fault; it holds when this returns.
    pub async fn set_fault(&self, fault: Option<Fault>) -> Result<(), SimulationError> {
        self.server.set_fault(fault).await
    }

    /// What was asked so far and was no fault's: the operation, as `GetSecretValue`, and its input.
    pub fn calls(&self) -> Vec<(String, Value)> {
        lock(&self.stores.0).calls.clone()
    }

    /// The number of requests that came, answered or not.
    pub fn requests(&self) -> u64 {
        lock(&self.stores.0).requests
    }
}

impl Stores {
    fn call(&self, request: &Request<Bytes>) -> Result<Value, &'static str> {
        let header = |name: &str| {
            let value = request.headers().get(name);
            value.and_then(|it| it.to_str().ok()).unwrap_or_default()
        };
        let (service, operation) = match header("x-amz-target") {
            "secretsmanager.GetSecretValue" => ("secretsmanager", "GetSecretValue"),
            "secretsmanager.DescribeSecret" => ("secretsmanager", "DescribeSecret"),
            "AmazonSSM.GetParameter" => ("ssm", "GetParameter"),
            "TrentService.Decrypt" => ("kms", "Decrypt"),
            _ => return Err("UnknownOperationException"),
        };
        let signed = header(AUTHORIZATION.as_str());
        let scope = format!("/{service}/aws4_request");
        if !signed.starts_with("AWS4-HMAC-SHA256 ") || !signed.contains(&scope) {
            return Err("MissingAuthenticationTokenException");
        }
        if header(CONTENT_TYPE.as_str()) != CONTENT {
            return Err("UnknownOperationException");
        }
        let input: Value =
            serde_json::from_slice(request.body()).map_err(|_| "SerializationException")?;
        let mut state = lock(&self.0);
        state.calls.push((operation.to_owned(), input.clone()));
        if let Some(code) = state.refusal {
            return Err(code);
        }
        let find = |id: &Value| state.values.get(id.as_str()?).cloned();
        match operation {
            "GetSecretValue" => {
                let value = find(&input["SecretId"]).ok_or("ResourceNotFoundException")?;
                Ok(json!({ "ARN": input["SecretId"], "Name": "token", "SecretString": value }))
            }
            "DescribeSecret" => {
                find(&input["SecretId"]).ok_or("ResourceNotFoundException")?;
                Ok(json!({ "ARN": input["SecretId"], "Name": "token", "KmsKeyId": state.key }))
            }
            "GetParameter" => {
                let value = find(&input["Name"]).ok_or("ParameterNotFound")?;
                // Without it, a `SecureString` comes as it is stored.
                let value = if input["WithDecryption"] == true {
                    value
                } else {
                    "AQICAHencrypted".to_owned()
                };
                Ok(
                    json!({ "Parameter": { "Name": input["Name"], "Type": "SecureString", "Value": value } }),
                )
            }
            _ => {
                let value = find(&input["CiphertextBlob"]).ok_or("InvalidCiphertextException")?;
                // The value is `NAME=PLAINTEXT`: the name is the context that it was encrypted with.
                let context = input["EncryptionContext"]["LambdaFunctionName"].as_str();
                let (name, plain) = value.split_once('=').ok_or("InvalidCiphertextException")?;
                if context != Some(name) {
                    return Err("InvalidCiphertextException");
                }
                let plain = STANDARD.encode(plain);
                Ok(json!({ "KeyId": "key", "Plaintext": plain }))
            }
        }
    }
}

impl Answer for Stores {
    async fn answer(&self, request: Request<Bytes>) -> Response<Bytes> {
        match self.call(&request) {
            Ok(output) => respond(StatusCode::OK, &output),
            Err(code) => {
                // What AWS says beside a code may be anything.
                let body =
                    json!({ "__type": code, "Message": "User: arn:aws:sts::1:assumed-role" });
                respond(StatusCode::BAD_REQUEST, &body)
            }
        }
    }

    fn refusal(&self, status: StatusCode) -> Response<Bytes> {
        respond(status, &json!({}))
    }

    fn observe(&self, _request: &Parts, _status: Option<StatusCode>) {
        lock(&self.0).requests += 1;
    }
}

fn respond(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(body.to_string().into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(CONTENT));
    response
}
