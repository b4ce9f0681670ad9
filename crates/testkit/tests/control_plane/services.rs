//! What an installer asks of the services beside Lambda.

use backstop_testkit::control_plane::FunctionSpec;
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
