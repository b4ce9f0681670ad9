//! What an installer asks of the services beside Lambda.

use backstop_fake_aws::{FunctionSpec, Metric, Place};
use reqwest::Method;
use serde_json::{Value, json};

use super::{FUNCTION, Rig, here, texts};

const GET_RESOURCES: &str = "ResourceGroupsTaggingAPI_20170126.GetResources";

async fn tagged(rig: &Rig, mut body: Value) -> (usize, Vec<String>) {
    let (mut arns, mut pages) = (Vec::new(), 0);
    loop {
        let (status, page) = rig
            .target("tagging", &here(), GET_RESOURCES, body.clone())
            .await;
        assert_eq!(status, 200, "{page}");
        arns.extend(texts(
            page["ResourceTagMappingList"].as_array().unwrap(),
            "ResourceARN",
        ));
        pages += 1;
        if page["PaginationToken"] == "" {
            return (pages, arns);
        }
        body["PaginationToken"] = page["PaginationToken"].clone();
    }
}

#[tokio::test]
async fn functions_are_found_by_their_tags_without_lambdas_quota() {
    let rig = Rig::new();
    for index in 0..150 {
        let tags = [
            ("team", if index % 2 == 0 { "a" } else { "b" }),
            ("stage", if index < 10 { "test" } else { "live" }),
            ("aws:cloudformation:stack-name", "shop"),
        ];
        let spec = FunctionSpec {
            name: format!("function-{index:03}"),
            tags: tags
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
            ..FunctionSpec::default()
        };
        rig.0.add_function(&here(), spec);
    }
    let path = FUNCTION.replace("orders", "function-000");
    let (_, one) = rig.get(&path).await;
    assert_eq!(one["Tags"]["aws:cloudformation:stack-name"], "shop");
    rig.0.set_quota(Some(0.0));
    assert_eq!(rig.get(&path).await.0, 429);
    let filters = |filters: Value| json!({ "ResourceTypeFilters": ["lambda:function"], "TagFilters": filters });
    // `orders` has none, and what has none is not known.
    let (pages, all) = tagged(&rig, filters(json!([]))).await;
    assert_eq!((pages, all.len()), (2, 150));
    for (wanted, count) in [
        (json!([{ "Key": "team", "Values": ["a"] }]), 75),
        (json!([{ "Key": "team", "Values": ["a", "b"] }]), 150),
        (
            json!([{ "Key": "team", "Values": ["a"] }, { "Key": "stage", "Values": ["test"] }]),
            5,
        ),
        (json!([{ "Key": "stage" }]), 150),
        (json!([{ "Key": "owner" }]), 0),
        (json!([{ "Key": "team", "Values": ["c"] }]), 0),
    ] {
        assert_eq!(
            tagged(&rig, filters(wanted.clone())).await.1.len(),
            count,
            "{wanted}"
        );
    }
    let buckets = json!({ "ResourceTypeFilters": ["s3"] });
    assert_eq!(tagged(&rig, buckets).await.1.len(), 0);
    let bad = json!({ "TagFilters": [{ "Values": ["a"] }] });
    let (status, refused) = rig.target("tagging", &here(), GET_RESOURCES, bad).await;
    assert_eq!(
        (status, &refused["__type"]),
        (400, &"InvalidParameterException".into())
    );
}

/// As much of CBOR as a request needs, with short heads.
fn cbor(value: &Value, bytes: &mut Vec<u8>) {
    let mut head = |major: u8, length: usize| {
        let length = u16::try_from(length).unwrap();
        bytes.push(major << 5 | 0x19);
        bytes.extend(length.to_be_bytes());
    };
    match value {
        Value::String(text) => {
            head(3, text.len());
            bytes.extend(text.as_bytes());
        }
        Value::Array(items) => {
            head(4, items.len());
            for item in items {
                cbor(item, bytes);
            }
        }
        Value::Object(members) => {
            head(5, members.len());
            for (name, member) in members {
                cbor(&name.as_str().into(), bytes);
                cbor(member, bytes);
            }
        }
        number => head(0, usize::try_from(number.as_u64().unwrap()).unwrap()),
    }
}

async fn metrics(rig: &Rig, queries: Vec<Value>) -> (u16, Vec<u8>) {
    let mut body = Vec::new();
    cbor(
        &json!({ "MetricDataQueries": queries, "StartTime": 1000, "EndTime": 2000 }),
        &mut body,
    );
    let path = "/service/GraniteServiceVersion20100801/operation/GetMetricData";
    let request = rig.request("monitoring", &here(), (Method::POST, path));
    let response = request.body(body).send().await.unwrap();
    assert_eq!(response.headers()["smithy-protocol"], "rpc-v2-cbor");
    (
        response.status().as_u16(),
        response.bytes().await.unwrap().to_vec(),
    )
}

fn query(function: &str, metric: &str) -> Value {
    json!({ "Id": "a", "MetricStat": {
        "Stat": "Sum", "Period": 300, "Metric": {
            "Namespace": "AWS/Lambda", "MetricName": metric,
            "Dimensions": [{ "Name": "FunctionName", "Value": function }],
        },
    }})
}

#[tokio::test]
async fn a_functions_metrics_are_what_the_test_says() {
    let rig = Rig::new();
    rig.0
        .set_metric(&here(), "orders", Metric::Errors, Some(12.5));
    rig.0
        .set_metric(&here(), "orders", Metric::Invocations, Some(77.25));
    let has = |bytes: &[u8], value: f64| {
        let float = value.to_be_bytes();
        bytes.windows(float.len()).any(|window| window == float)
    };
    let (status, errors) = metrics(&rig, vec![query("orders", "Errors")]).await;
    assert_eq!(
        (status, has(&errors, 12.5), has(&errors, 77.25)),
        (200, true, false)
    );
    let queries = vec![query("orders", "Errors"), query("orders", "Invocations")];
    let (_, both) = metrics(&rig, queries).await;
    assert!(has(&both, 12.5) && has(&both, 77.25));
    let (_, none) = metrics(&rig, vec![query("others", "Errors")]).await;
    assert!(!has(&none, 12.5));
    // A version's series is not the function's, and what is no sum is none of ours.
    let mut version = query("orders", "Errors");
    let dimensions = &mut version["MetricStat"]["Metric"]["Dimensions"];
    let resource = json!({ "Name": "Resource", "Value": "orders:1" });
    dimensions.as_array_mut().unwrap().push(resource);
    let (_, of_version) = metrics(&rig, vec![version]).await;
    assert!(!has(&of_version, 12.5));
    let mut elsewhere = query("orders", "Errors");
    elsewhere["MetricStat"]["Metric"]["Namespace"] = "Shop".into();
    let (_, of_others) = metrics(&rig, vec![elsewhere]).await;
    assert!(!has(&of_others, 12.5));
    let mut average = query("orders", "Errors");
    average["MetricStat"]["Stat"] = "Average".into();
    assert_eq!(metrics(&rig, vec![average]).await.0, 501);
    rig.0.set_metric(&here(), "orders", Metric::Errors, None);
    let (_, none) = metrics(&rig, vec![query("orders", "Errors")]).await;
    assert!(!has(&none, 12.5));
    let (status, _) = metrics(&rig, vec![query("orders", "Errors"); 500]).await;
    assert_eq!(status, 200);
    let (status, refused) = metrics(&rig, vec![query("orders", "Errors"); 501]).await;
    assert!(status == 400 && String::from_utf8_lossy(&refused).contains("ValidationError"));
}

#[tokio::test]
async fn secrets_and_parameters_are_read_where_they_are() {
    let rig = Rig::new();
    rig.0.set_secret(&here(), "key", "of the intake");
    rig.0
        .set_parameter(&here(), "/backstop/key", "of the parameter");
    let secret = async |operation: &str, id: &str, place: &Place| {
        let target = format!("secretsmanager.{operation}");
        rig.target("secretsmanager", place, &target, json!({ "SecretId": id }))
            .await
    };
    let (_, described) = secret("DescribeSecret", "key", &here()).await;
    assert_eq!(
        (&described["Name"], &described["SecretString"]),
        (&"key".into(), &Value::Null)
    );
    let arn = described["ARN"].as_str().unwrap();
    let (_, read) = secret("GetSecretValue", arn, &here()).await;
    assert_eq!(read["SecretString"], "of the intake");
    let elsewhere = Place::new("111122223333", "us-east-1");
    let (status, missing) = secret("GetSecretValue", "key", &elsewhere).await;
    assert_eq!(
        (status, &missing["__type"]),
        (400, &"ResourceNotFoundException".into())
    );
    let parameter = async |name: &str| {
        rig.target(
            "ssm",
            &here(),
            "AmazonSSM.GetParameter",
            json!({ "Name": name }),
        )
        .await
    };
    let (_, read) = parameter("/backstop/key").await;
    assert_eq!(read["Parameter"]["Value"], "of the parameter");
    let (status, missing) = parameter("/backstop/other").await;
    assert_eq!(
        (status, &missing["__type"]),
        (400, &"ParameterNotFound".into())
    );
}

#[tokio::test]
async fn a_region_that_is_down_takes_what_is_regional_with_it() {
    let rig = Rig::new();
    rig.0.set_region_down("eu-west-1", true);
    let (status, _) = rig
        .target("tagging", &here(), GET_RESOURCES, json!({}))
        .await;
    assert_eq!(status, 503);
    rig.0.set_region_down("us-east-1", true);
    let of = [("Action", "GetRole"), ("RoleName", "orders")];
    assert_eq!(rig.form("iam", "111122223333", &of).await.0, 200);
}
