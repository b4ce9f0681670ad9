//! Roles and what is written into them.

use super::Rig;

const ACCOUNT: &str = "111122223333";
const POLICY: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":["firehose:PutRecordBatch"],"Resource":["arn:aws:firehose:*:*:deliverystream/backstop-*"]},{"Effect":"Deny","Action":"s3:*","Resource":"arn:aws:s3:::closed/*"}]}"#;

async fn ask(rig: &Rig, action: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let mut all = vec![("Action", action), ("Version", "2010-05-08")];
    all.extend(fields);
    rig.form("iam", ACCOUNT, &all).await
}

async fn put(rig: &Rig, name: &str, document: &str) -> (u16, String) {
    let fields = [
        ("RoleName", "orders"),
        ("PolicyName", name),
        ("PolicyDocument", document),
    ];
    ask(rig, "PutRolePolicy", &fields).await
}

#[tokio::test]
async fn a_policy_is_written_read_listed_and_deleted() {
    let rig = Rig::new();
    let of = [("RoleName", "orders"), ("PolicyName", "backstop")];
    let (status, missing) = ask(&rig, "GetRolePolicy", &of).await;
    assert!(
        status == 404 && missing.contains("<Code>NoSuchEntity</Code>"),
        "{missing}"
    );
    assert_eq!(put(&rig, "backstop", POLICY).await.0, 200);
    assert_eq!(
        rig.0.role_policy(ACCOUNT, "orders", "backstop").as_deref(),
        Some(POLICY)
    );
    let (_, read) = ask(&rig, "GetRolePolicy", &of).await;
    // Encoded as IAM does, so that it is not taken for JSON.
    assert!(
        read.contains("<PolicyDocument>%7B%22Version%22%3A%222012-10-17%22"),
        "{read}"
    );
    rig.0.put_role_policy(ACCOUNT, "orders", "another", POLICY);
    let list = [("RoleName", "orders"), ("MaxItems", "1")];
    let (_, first) = ask(&rig, "ListRolePolicies", &list).await;
    assert!(first.contains("<member>another</member>") && first.contains("<IsTruncated>true"));
    let next = [("RoleName", "orders"), ("Marker", "another")];
    let (_, second) = ask(&rig, "ListRolePolicies", &next).await;
    assert!(second.contains("<member>backstop</member>") && second.contains("<IsTruncated>false"));
    assert_eq!(ask(&rig, "DeleteRolePolicy", &of).await.0, 200);
    assert_eq!(ask(&rig, "DeleteRolePolicy", &of).await.0, 404);
    let (status, role) = ask(&rig, "GetRole", &[("RoleName", "orders")]).await;
    assert!(status == 200 && role.contains("<Arn>arn:aws:iam::111122223333:role/orders</Arn>"));
}

#[tokio::test]
async fn a_role_can_be_guarded_or_missing() {
    let rig = Rig::new();
    rig.0.put_role_policy(ACCOUNT, "orders", "backstop", POLICY);
    rig.0.guard_role(ACCOUNT, "orders");
    let of = [("RoleName", "orders"), ("PolicyName", "backstop")];
    let (status, refused) = put(&rig, "backstop", "{}").await;
    assert!(
        status == 403 && refused.contains("<Code>AccessDenied</Code>"),
        "{refused}"
    );
    assert_eq!(ask(&rig, "DeleteRolePolicy", &of).await.0, 403);
    assert_eq!(ask(&rig, "GetRolePolicy", &of).await.0, 200);
    rig.0.remove_role(ACCOUNT, "gone");
    let (status, missing) = ask(&rig, "GetRole", &[("RoleName", "gone")]).await;
    assert!(
        status == 404 && missing.contains("NoSuchEntity"),
        "{missing}"
    );
}

#[tokio::test]
async fn the_policies_of_a_role_have_one_limit_without_white_space() {
    let rig = Rig::new();
    let policy = |characters: usize| {
        let empty = r#"{"Statement":[],"Id":""}"#;
        empty.replace(
            r#""Id":"""#,
            &format!(r#""Id":"{}""#, "x".repeat(characters - empty.len())),
        )
    };
    assert_eq!(put(&rig, "first", &policy(10_000)).await.0, 200);
    let (status, refused) = put(&rig, "second", &policy(241)).await;
    assert!(
        status == 409 && refused.contains("<Code>LimitExceeded</Code>"),
        "{refused}"
    );
    let spaced = policy(240).replace(':', &format!(":{}", " ".repeat(500)));
    assert_eq!(put(&rig, "second", &spaced).await.0, 200);
    // What it replaces does not count.
    assert_eq!(put(&rig, "first", &policy(9_999)).await.0, 200);
    let (status, refused) = put(&rig, "third", "no policy").await;
    assert!(
        status == 400 && refused.contains("MalformedPolicyDocument"),
        "{refused}"
    );
}

#[tokio::test]
async fn a_simulation_is_by_action_and_resource() {
    let rig = Rig::new();
    rig.0.put_role_policy(ACCOUNT, "orders", "backstop", POLICY);
    let stream = "arn:aws:firehose:eu-west-1:111122223333:deliverystream/backstop-1";
    let fields = [
        ("PolicySourceArn", "arn:aws:iam::111122223333:role/orders"),
        ("ActionNames.member.1", "firehose:PutRecordBatch"),
        ("ActionNames.member.2", "s3:PutObject"),
        ("ResourceArns.member.1", stream),
        ("ResourceArns.member.2", "arn:aws:s3:::closed/a"),
    ];
    let decisions = async |fields: &[(&str, &str)]| {
        let (status, answer) = ask(&rig, "SimulatePrincipalPolicy", fields).await;
        assert!(status == 200 && answer.contains(stream), "{answer}");
        (answer.split("<EvalDecision>").skip(1))
            .filter_map(|rest| rest.split_once('<'))
            .map(|(decision, _)| decision.to_owned())
            .collect::<Vec<_>>()
    };
    let as_it_is = ["allowed", "implicitDeny", "implicitDeny", "explicitDeny"];
    assert_eq!(decisions(&fields).await, as_it_is);
    let more = r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
    let with_more = [&fields[..], &[("PolicyInputList.member.1", more)]].concat();
    let all_but_denied = ["allowed", "allowed", "allowed", "explicitDeny"];
    assert_eq!(decisions(&with_more).await, all_but_denied);
    assert_eq!(rig.0.calls()[0].subject, "orders");
}
