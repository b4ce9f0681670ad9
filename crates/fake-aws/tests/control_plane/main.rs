//! The control plane's rules, by its REST API. That the official SDK understands it is shown where it is
//! used, by the installer's tests.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod chance;
mod content;
mod functions;
mod iam;
mod layers;
mod organizations;
mod services;
mod sts;
mod versions;

use std::io::{Cursor, Write as _};

use backstop_fake_aws::ControlPlane;
use backstop_fake_aws::{FunctionSpec, Place};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use reqwest::Method;
use serde_json::{Value, json};

const LAYER: &str = "/2018-10-31/layers/backstop/versions";
const FUNCTIONS: &str = "/2015-03-31/functions";
const FUNCTION: &str = "/2015-03-31/functions/orders";
const CONFIGURATION: &str = "/2015-03-31/functions/orders/configuration";

fn here() -> Place {
    Place::new("111122223333", "eu-west-1")
}

struct Rig(ControlPlane, reqwest::Client);

impl Rig {
    /// With one function, `orders`.
    #[expect(
        clippy::disallowed_methods,
        reason = "the client is the test's own, not the product's"
    )]
    fn with(spec: FunctionSpec) -> Self {
        let plane = ControlPlane::start().unwrap();
        let spec = FunctionSpec {
            name: "orders".to_owned(),
            ..spec
        };
        plane.add_function(&here(), spec);
        // Another test of this process may have installed it already.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        Self(
            plane,
            reqwest::Client::builder().no_proxy().build().unwrap(),
        )
    }

    fn new() -> Self {
        Self::with(FunctionSpec::default())
    }

    fn request(
        &self,
        service: &str,
        place: &Place,
        (method, path): (Method, &str),
    ) -> reqwest::RequestBuilder {
        let key = ControlPlane::access_key(&place.account);
        let scope = format!("{key}/20260131/{}/{service}/aws4_request", place.region);
        let url = format!("{}{path}", self.0.endpoint());
        self.1.request(method, url).header(
            "authorization",
            format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
        )
    }

    async fn call(&self, place: &Place, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = self.request("lambda", place, (method, path));
        answer(request.body(body.to_string())).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.call(&here(), Method::GET, path, Value::Null).await
    }

    async fn update(&self, body: Value) -> (u16, Value) {
        self.call(&here(), Method::PUT, CONFIGURATION, body).await
    }

    /// One of the services that are spoken to by targets.
    async fn target(
        &self,
        service: &str,
        place: &Place,
        target: &str,
        body: Value,
    ) -> (u16, Value) {
        let request = self.request(service, place, (Method::POST, "/"));
        answer(
            request
                .header("x-amz-target", target)
                .body(body.to_string()),
        )
        .await
    }

    /// One of those that are sent forms.
    async fn form(&self, service: &str, account: &str, fields: &[(&str, &str)]) -> (u16, String) {
        let place = Place::new(account, "us-east-1");
        let fields: Vec<String> = (fields.iter())
            .map(|(name, value)| format!("{name}={}", percent_encoded(value)))
            .collect();
        let request = self.request(service, &place, (Method::POST, "/"));
        let response = request.body(fields.join("&")).send().await.unwrap();
        (response.status().as_u16(), response.text().await.unwrap())
    }

    /// Every page of a list: how many pages, and everything on them.
    async fn pages(&self, path: &str, member: &str) -> (usize, Vec<Value>) {
        let (mut all, mut pages, mut marker) = (Vec::new(), 0, String::new());
        loop {
            let (status, page) = self.get(&format!("{path}{marker}")).await;
            assert_eq!(status, 200, "{page}");
            pages += 1;
            all.extend(page[member].as_array().unwrap().iter().cloned());
            let Some(next) = page["NextMarker"].as_str() else {
                return (pages, all);
            };
            let and = if path.contains('?') { '&' } else { '?' };
            marker = format!("{and}Marker={}", percent_encoded(next));
        }
    }

    async fn revision(&self) -> String {
        let (_, function) = self.get(FUNCTION).await;
        text(&function["Configuration"]["RevisionId"])
    }

    async fn publish(&self, place: &Place, bytes: usize) -> (u16, Value) {
        let body = json!({ "Content": { "ZipFile": BASE64_STANDARD.encode(zip(bytes)) } });
        self.call(place, Method::POST, LAYER, body).await
    }
}

async fn answer(request: reqwest::RequestBuilder) -> (u16, Value) {
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    (status, serde_json::from_str(&text).unwrap_or_default())
}

fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| format!("%{byte:02X}"))
        .collect::<Vec<_>>()
        .concat()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn texts(values: &[Value], member: &str) -> Vec<String> {
    values.iter().map(|value| text(&value[member])).collect()
}

fn zip(bytes: usize) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated);
    zip.start_file("extensions/backstop-extension", options)
        .unwrap();
    zip.write_all(&vec![0; bytes]).unwrap();
    zip.finish().unwrap().into_inner()
}

fn arn(version: u64) -> String {
    format!("arn:aws:lambda:eu-west-1:111122223333:layer:backstop:{version}")
}
