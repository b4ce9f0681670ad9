//! Becoming another account.

use backstop_fake_aws::Assumed;

use super::{FUNCTION, Rig, here};

const ROLE: &str = "arn:aws:iam::444455556666:role/Backstop";

async fn assume(rig: &Rig, role: &str, more: &[(&str, &str)]) -> (u16, String) {
    let mut fields = vec![
        ("Action", "AssumeRole"),
        ("RoleArn", role),
        ("RoleSessionName", "backstop-1"),
    ];
    fields.extend(more);
    rig.form("sts", "111122223333", &fields).await
}

#[tokio::test]
async fn what_a_session_was_asked_for_with_is_kept() {
    let rig = Rig::new();
    let more = [
        ("ExternalId", "secret"),
        ("Tags.member.1.Key", "run"),
        ("Tags.member.1.Value", "42 a"),
    ];
    let (status, answer) = assume(&rig, ROLE, &more).await;
    assert_eq!(status, 200, "{answer}");
    assert!(
        answer.contains("<AccessKeyId>ASIA444455556666</AccessKeyId>"),
        "{answer}"
    );
    assert!(answer.contains("<SessionToken>session/Backstop/backstop-1</SessionToken>"));
    assert_eq!(
        rig.0.assumed(),
        [Assumed {
            by: "111122223333".to_owned(),
            role: ROLE.to_owned(),
            session: "backstop-1".to_owned(),
            external_id: Some("secret".to_owned()),
            tags: [("run".to_owned(), "42 a".to_owned())].into(),
        }]
    );
    assert_eq!(rig.0.calls()[0].subject, ROLE);
}

#[tokio::test]
async fn the_keys_are_the_other_accounts() {
    let rig = Rig::new();
    let there = backstop_fake_aws::Place::new("444455556666", &here().region);
    let request = rig.request("lambda", &there, (reqwest::Method::GET, FUNCTION));
    assert_eq!(request.send().await.unwrap().status().as_u16(), 404);
    let identity = |token: Option<&'static str>| {
        let mut request = rig.request("sts", &there, (reqwest::Method::POST, "/"));
        if let Some(token) = token {
            request = request.header("x-amz-security-token", token);
        }
        request.body("Action=GetCallerIdentity&Version=2011-06-15")
    };
    for (token, arn) in [
        (None, "arn:aws:iam::444455556666:user/operator"),
        (
            Some("session/Backstop/backstop-1"),
            "arn:aws:sts::444455556666:assumed-role/Backstop/backstop-1",
        ),
    ] {
        let response = identity(token).send().await.unwrap();
        let text = response.text().await.unwrap();
        assert!(
            text.contains(arn) && text.contains("<Account>444455556666</Account>"),
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_role_has_to_be_there_and_to_let_the_caller_in() {
    let rig = Rig::new();
    let other = "arn:aws:iam::444455556666:role/path/Other";
    rig.0.set_roles("444455556666", &["Backstop"]);
    assert_eq!(assume(&rig, ROLE, &[]).await.0, 200);
    let (status, refused) = assume(&rig, other, &[]).await;
    assert!(
        status == 403 && refused.contains("<Code>AccessDenied</Code>"),
        "{refused}"
    );
    rig.0.set_roles("444455556666", &["Other"]);
    assert_eq!(assume(&rig, other, &[]).await.0, 200);
    assert_eq!(assume(&rig, ROLE, &[]).await.0, 403);
    rig.0.require_external_id("444455556666", "secret");
    for (more, status) in [
        (vec![], 403),
        (vec![("ExternalId", "wrong")], 403),
        (vec![("ExternalId", "secret")], 200),
    ] {
        assert_eq!(assume(&rig, other, &more).await.0, status, "{more:?}");
    }
    rig.0.deny_roles("444455556666");
    assert_eq!(
        assume(&rig, other, &[("ExternalId", "secret")]).await.0,
        403
    );
    // Nobody became what was refused.
    assert_eq!(rig.0.assumed().len(), 3);
    let elsewhere = "arn:aws:iam::777788889999:role/Any";
    let nameless = [("Action", "AssumeRole"), ("RoleArn", elsewhere)];
    let (status, refused) = rig.form("sts", "111122223333", &nameless).await;
    assert!(
        status == 400 && refused.contains("ValidationError"),
        "{refused}"
    );
    assert_eq!(assume(&rig, elsewhere, &[]).await.0, 200);
}
