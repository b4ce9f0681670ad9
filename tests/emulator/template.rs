//! `backstop archive template`, deployed: the archive is there as the Terraform module makes it.

use std::path::{Path, PathBuf};

use backstop_tests::binary;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::ministack::{ACCOUNTS, Ministack, REGIONS};

const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
const STREAM: &str = "logs";

async fn template(arguments: &[&str]) -> String {
    let output = Command::new(binary("backstop"))
        .args(["archive", "template"])
        .args(arguments)
        .env_clear()
        .output()
        .await
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// The emulator's API, as the first account in the first region.
struct Api(String);

impl Api {
    #[expect(
        clippy::disallowed_methods,
        reason = "the client is the test's own, over plain http"
    )]
    async fn send(
        &self,
        service: &str,
        target: Option<&str>,
        method: &str,
        path: &str,
        body: String,
    ) -> String {
        let (account, region) = (ACCOUNTS[0], REGIONS[0]);
        let credential = format!("{account}/20260131/{region}/{service}/aws4_request");
        // Another test may have been first.
        rustls::crypto::ring::default_provider()
            .install_default()
            .ok();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = reqwest::Client::builder()
            .tls_certs_only([])
            .build()
            .unwrap()
            .request(method, format!("{}{path}", self.0))
            .header(
                "authorization",
                format!(
                    "AWS4-HMAC-SHA256 Credential={credential}, SignedHeaders=host, Signature=0"
                ),
            );
        request = match target {
            Some(target) => request
                .header("x-amz-target", target)
                .header("content-type", "application/x-amz-json-1.1"),
            None => request.header("content-type", "application/x-www-form-urlencoded"),
        };
        let response = request.body(body).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{service} {path}: {status} {text}");
        text
    }

    async fn query(&self, service: &str, fields: &[(&str, &str)]) -> String {
        let body = fields
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect::<Vec<_>>()
            .join("&");
        self.send(service, None, "POST", "/", body).await
    }

    async fn firehose(&self, operation: &str, body: Value) -> Value {
        let target = format!("Firehose_20150804.{operation}");
        let text = self
            .send("firehose", Some(&target), "POST", "/", body.to_string())
            .await;
        serde_json::from_str(&text).unwrap()
    }

    async fn s3(&self, method: &str, path: &str) -> String {
        self.send("s3", None, method, path, String::new()).await
    }
}

/// Percent-encoded, as a form has it.
fn encoded(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            write!(encoded, "%{byte:02X}").unwrap();
        }
        encoded
    })
}

/// Deploys a template; the stack as it is described then.
async fn deploy(api: &Api, stack: &str, template: &str) -> String {
    api.query(
        "cloudformation",
        &[
            ("Action", "CreateStack"),
            ("Version", "2010-05-15"),
            ("StackName", stack),
            ("Capabilities.member.1", "CAPABILITY_NAMED_IAM"),
            ("TemplateBody", template),
        ],
    )
    .await;
    let describe = [
        ("Action", "DescribeStacks"),
        ("Version", "2010-05-15"),
        ("StackName", stack),
    ];
    for _ in 0..600 {
        let described = api.query("cloudformation", &describe).await;
        if !described.contains("IN_PROGRESS") {
            return described;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    panic!("the stack is never complete");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_template_is_deployed_and_the_archive_is_as_the_module_makes_it() {
    let emulator = Ministack::start().await;
    let api = Api(emulator.endpoint().to_owned());
    let body = template(&["--name", STREAM, "--prefix", "team/logs"]).await;
    let stack = deploy(&api, "backstop-archive", &body).await;
    assert!(stack.contains("CREATE_COMPLETE"), "{stack}");
    let bucket = format!("{STREAM}-{}-{}", ACCOUNTS[0], REGIONS[0]);
    for value in [
        format!("s3://{bucket}/team/logs"),
        format!(
            "arn:aws:firehose:{}:{}:deliverystream/{STREAM}",
            REGIONS[0], ACCOUNTS[0]
        ),
    ] {
        assert!(stack.contains(&value), "{value}: {stack}");
    }

    let policy: Value =
        serde_json::from_str(&api.s3("GET", &format!("/{bucket}?policy")).await).unwrap();
    let statements = policy["Statement"].as_array().unwrap();
    let sids: Vec<&str> = statements
        .iter()
        .filter_map(|it| it["Sid"].as_str())
        .collect();
    assert_eq!(sids, ["TlsOnly", "NoOtherEncryption", "NoKeysOfCallers"]);
    assert_eq!(
        statements[1]["Resource"],
        format!("arn:aws:s3:::{bucket}/*")
    );

    let name = json!({ "DeliveryStreamName": STREAM });
    let described = api.firehose("DescribeDeliveryStream", name).await;
    let stream = &described["DeliveryStreamDescription"];
    let destination = &stream["Destinations"][0]["ExtendedS3DestinationDescription"];
    assert_eq!(
        destination["Prefix"],
        "team/logs/v1/stream=logs/dt=!{timestamp:yyyy-MM-dd}/hour=!{timestamp:HH}/"
    );
    assert_eq!(destination["CompressionFormat"], "GZIP");
    assert_eq!(destination["BucketARN"], format!("arn:aws:s3:::{bucket}"));
    let role = api
        .query(
            "iam",
            &[
                ("Action", "GetRolePolicy"),
                ("Version", "2010-05-08"),
                ("RoleName", "logs-firehose"),
                ("PolicyName", "archive"),
            ],
        )
        .await;
    for part in ["PutObject", "logs%2Fv1%2Fstream%3Dlogs", "PutLogEvents"] {
        let plain = part.replace("%2F", "/").replace("%3D", "=");
        assert!(
            role.contains(part) || role.contains(&plain),
            "{part}: {role}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_key_and_without_a_stream_the_template_is_deployed_as_well() {
    let emulator = Ministack::start().await;
    let api = Api(emulator.endpoint().to_owned());
    let options = [
        "--no-stream",
        "--kms-key-arn",
        KEY,
        "--bucket-name",
        "my-archive",
        "--format",
        "json",
        "--versioning",
        "--glacier-instant-days",
        "90",
    ];
    let stack = deploy(&api, "direct", &template(&options).await).await;
    assert!(stack.contains("CREATE_COMPLETE"), "{stack}");
    assert!(!stack.contains("deliverystream"), "{stack}");
    let policy = api.s3("GET", "/my-archive?policy").await;
    assert!(policy.contains("NoOtherKey"), "{policy}");
    let versioning = api.s3("GET", "/my-archive?versioning").await;
    assert!(versioning.contains("Enabled"), "{versioning}");

    // The emulator leaves out encryption and lifecycle of a stack's bucket.
    let template: Value = serde_json::from_str(&template(&options).await).unwrap();
    let bucket = &template["Resources"]["Bucket"]["Properties"];
    let encryption = &bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"][0];
    assert_eq!(
        *encryption,
        json!({
            "BucketKeyEnabled": true,
            "ServerSideEncryptionByDefault": { "SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY },
        })
    );
    let rule = &bucket["LifecycleConfiguration"]["Rules"][0];
    assert_eq!(
        *rule,
        json!({
            "Id": "age",
            "Status": "Enabled",
            "Prefix": "",
            "AbortIncompleteMultipartUpload": { "DaysAfterInitiation": 7 },
            "Transitions": [
                { "StorageClass": "STANDARD_IA", "TransitionInDays": 30 },
                { "StorageClass": "GLACIER_IR", "TransitionInDays": 90 },
            ],
            "ExpirationInDays": 365,
            "NoncurrentVersionExpiration": { "NoncurrentDays": 30 },
        })
    );
}

/// Read by a parser of YAML that is not ours, both forms are the same value.
#[tokio::test]
async fn the_yaml_says_what_the_json_says() {
    const LOAD: &str = "import json, sys, yaml; print(json.dumps(yaml.safe_load(sys.stdin)))";
    let emulator = std::env::var_os("BACKSTOP_MINISTACK")
        .expect("BACKSTOP_MINISTACK names the emulator: scripts/test installs it");
    let interpreter = Path::new(&emulator).with_file_name("python");
    for options in [&[][..], &["--no-stream"], &["--kms-key-arn", KEY]] {
        let yaml = template(options).await;
        let json = template(&[options, &["--format", "json"]].concat()).await;
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), yaml).unwrap();
        let output = Command::new(&interpreter)
            .args(["-c", LOAD])
            .stdin(std::fs::File::open(file.path()).unwrap())
            .output()
            .await
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let read: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(read, serde_json::from_str::<Value>(&json).unwrap());
    }
}

/// The module is the original: what it names, denies and grants is in the template too.
#[tokio::test]
async fn the_template_has_what_the_module_names() {
    let template = template(&["--kms-key-arn", KEY, "--versioning"]).await;
    let module = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../terraform/modules/archive");
    let mut names = Vec::new();
    for file in ["main.tf", "firehose.tf"] {
        let text = std::fs::read_to_string(module.join(file)).unwrap();
        for line in text.lines() {
            let is_name = [
                "Sid ",
                "storage_class ",
                "object_ownership ",
                "file_extension ",
            ]
            .iter()
            .any(|key| line.trim_start().starts_with(key));
            let quoted = line.split('"').nth(1).filter(|_| is_name);
            names.extend(quoted.map(str::to_owned));
        }
        let actions = text
            .lines()
            .filter(|line| line.trim_start().starts_with("Action "));
        for action in actions.flat_map(|line| line.split('"').skip(1).step_by(2)) {
            names.push(action.to_owned());
        }
    }
    assert!(names.len() > 20, "{names:?}");
    // An option, off by default in both.
    names.retain(|name| name != "GLACIER_IR");
    for name in names {
        assert!(template.contains(&name), "{name}: {template}");
    }
}
