//! Organisations, the accounts in them, and the regions these have.

use backstop_fake_aws::{Organization, Place};
use reqwest::Method;
use serde_json::{Value, json};

use super::{FUNCTIONS, Rig, answer, here, texts};

const MANAGEMENT: &str = "999900000000";
const UNIT: &str = "ou-root-11111111";
const BELOW: &str = "ou-root-22222222";

fn organization() -> Organization {
    let mut organization = Organization::new("o-example111", MANAGEMENT)
        .unit(Organization::root(), UNIT, "workloads")
        .unit(UNIT, BELOW, "production")
        .account(BELOW, "111122223333", "shop")
        .suspended(BELOW, "222200000000", "closed");
    for index in 0..25 {
        organization = organization.account(UNIT, &format!("3333000000{index:02}"), "team");
    }
    organization
}

async fn ask(rig: &Rig, account: &str, operation: &str, body: Value) -> (u16, Value) {
    let target = format!("AWSOrganizationsV20161128.{operation}");
    rig.target(
        "organizations",
        &Place::new(account, "us-east-1"),
        &target,
        body,
    )
    .await
}

async fn all(rig: &Rig, operation: &str, mut body: Value, member: &str) -> (usize, Vec<Value>) {
    let (mut found, mut pages) = (Vec::new(), 0);
    loop {
        let (status, page) = ask(rig, MANAGEMENT, operation, body.clone()).await;
        assert_eq!(status, 200, "{page}");
        found.extend(page[member].as_array().unwrap().iter().cloned());
        pages += 1;
        if page["NextToken"].is_null() {
            return (pages, found);
        }
        body["NextToken"] = page["NextToken"].clone();
    }
}

#[tokio::test]
async fn the_management_account_sees_the_tree_page_by_page() {
    let rig = Rig::new();
    rig.0.add_organization(organization());
    let (pages, accounts) = all(&rig, "ListAccounts", json!({}), "Accounts").await;
    assert_eq!((pages, accounts.len()), (2, 28));
    let closed: Vec<&Value> = accounts
        .iter()
        .filter(|one| one["State"] != "ACTIVE")
        .collect();
    assert_eq!(
        (closed.len(), &closed[0]["Id"]),
        (1, &"222200000000".into())
    );
    assert_eq!(closed[0]["Status"], "SUSPENDED");
    let (_, roots) = all(&rig, "ListRoots", json!({}), "Roots").await;
    let units = async |parent: &Value| {
        let body = json!({ "ParentId": parent });
        all(
            &rig,
            "ListOrganizationalUnitsForParent",
            body,
            "OrganizationalUnits",
        )
        .await
        .1
    };
    let top = units(&roots[0]["Id"]).await;
    let below = units(&top[0]["Id"]).await;
    assert_eq!(
        (&top[0]["Name"], &below[0]["Name"]),
        (&"workloads".into(), &"production".into())
    );
    assert_eq!(units(&below[0]["Id"]).await, Vec::<Value>::new());
    let parent = json!({ "ParentId": BELOW });
    let (_, accounts) = all(&rig, "ListAccountsForParent", parent, "Accounts").await;
    assert_eq!(texts(&accounts, "Id"), ["111122223333", "222200000000"]);
    let parent = json!({ "ParentId": UNIT, "MaxResults": 10 });
    let (pages, accounts) = all(&rig, "ListAccountsForParent", parent, "Accounts").await;
    assert_eq!((pages, accounts.len()), (3, 25));
    let nobody = json!({ "ParentId": "ou-root-33333333" });
    let (status, refused) = ask(&rig, MANAGEMENT, "ListAccountsForParent", nobody).await;
    assert_eq!(
        (status, &refused["__type"]),
        (400, &"ParentNotFoundException".into())
    );
}

#[tokio::test]
async fn nobody_else_may_list_an_organisation() {
    let rig = Rig::new();
    rig.0.add_organization(organization());
    for (account, error) in [
        ("111122223333", "AccessDeniedException"),
        ("555500000000", "AWSOrganizationsNotInUseException"),
    ] {
        let (status, refused) = ask(&rig, account, "ListAccounts", json!({})).await;
        assert_eq!((status, &refused["__type"]), (400, &error.into()));
    }
    // Members know which one they are in.
    let (_, known) = ask(&rig, "111122223333", "DescribeOrganization", json!({})).await;
    assert_eq!(known["Organization"]["MasterAccountId"], MANAGEMENT);
}

async fn regions(rig: &Rig, account: &str, body: Value) -> (usize, Vec<String>) {
    let place = Place::new(account, "us-east-1");
    let (mut names, mut pages, mut body) = (Vec::new(), 0, body);
    loop {
        let request = rig.request("account", &place, (Method::POST, "/listRegions"));
        let (status, page) = answer(request.body(body.to_string())).await;
        assert_eq!(status, 200, "{page}");
        names.extend(texts(page["Regions"].as_array().unwrap(), "RegionName"));
        pages += 1;
        if page["NextToken"].is_null() {
            return (pages, names);
        }
        body["NextToken"] = page["NextToken"].clone();
    }
}

#[tokio::test]
async fn an_account_has_the_regions_it_opted_in_to() {
    let rig = Rig::new();
    let enabled = json!({ "RegionOptStatusContains": ["ENABLED", "ENABLED_BY_DEFAULT"] });
    let (pages, all) = regions(&rig, "111122223333", json!({})).await;
    assert_eq!((pages, all.len()), (2, 5));
    let (_, usual) = regions(&rig, "111122223333", enabled.clone()).await;
    assert_eq!(
        usual,
        ["eu-central-1", "eu-south-2", "eu-west-1", "us-east-1"]
    );
    rig.0
        .set_regions("111122223333", &["ap-east-1", "me-south-1"]);
    let (_, chosen) = regions(&rig, "111122223333", enabled.clone()).await;
    assert_eq!(
        chosen,
        [
            "ap-east-1",
            "eu-central-1",
            "eu-west-1",
            "me-south-1",
            "us-east-1"
        ]
    );
    let (_, others) = regions(&rig, "444400000000", enabled).await;
    assert_eq!(others, usual);
    for (account, region, status) in [
        ("111122223333", "ap-east-1", 200),
        ("111122223333", "eu-south-2", 403),
        ("444400000000", "ap-east-1", 403),
        ("444400000000", "eu-south-2", 200),
    ] {
        let place = Place::new(account, region);
        let (answered, _) = rig.call(&place, Method::GET, FUNCTIONS, Value::Null).await;
        assert_eq!(answered, status, "{account} {region}");
    }
    let disabled = Place::new(&here().account, "eu-south-2");
    let target = "ResourceGroupsTaggingAPI_20170126.GetResources";
    let (status, _) = rig.target("tagging", &disabled, target, json!({})).await;
    assert_eq!(status, 403);
    let request = rig.request("lambda", &disabled, (Method::GET, FUNCTIONS));
    let response = request.send().await.unwrap();
    assert_eq!(
        response.headers()["x-amzn-errortype"],
        "UnrecognizedClientException"
    );
}
