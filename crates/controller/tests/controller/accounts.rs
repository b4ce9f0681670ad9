//! Over accounts, by a role in each.

use std::collections::BTreeSet;

use backstop_fake_aws::{FunctionSpec, Place};

use crate::stage::{ACCOUNT, REGION, Stage};

const OTHER: &str = "444455556666";
const CLOSED: &str = "777788889999";

async fn three_accounts() -> Stage {
    let stage = Stage::set().await;
    for account in [ACCOUNT, OTHER, CLOSED] {
        for number in 0..3 {
            let spec = FunctionSpec {
                name: format!("orders-{number:04}"),
                ..FunctionSpec::default()
            };
            stage.plane.add_function(&Place::new(account, REGION), spec);
        }
    }
    for account in [OTHER, CLOSED] {
        stage.share(account).await;
    }
    stage
        .want_text(&format!(
            "[select]\nall = true\n[targets]\naccounts = [\"{ACCOUNT}\", \"{OTHER}\", \"{CLOSED}\"]\n\
             role = \"Backstop\"\nregions = [\"{REGION}\"]\n[layer]\narns = [\"{}\"]\n[settings]\n\
             BACKSTOP_PRIMARY_URL = \"https://intake.example.com/\"\n",
            stage.layer
        ))
        .await;
    stage
}

/// An account that does not let the controller in costs the others nothing, is named, and is attached
/// when it does.
#[tokio::test(flavor = "multi_thread")]
async fn each_account_by_its_role_and_one_that_is_closed_costs_the_others_nothing() {
    let stage = three_accounts().await;
    stage.plane.set_roles(OTHER, &["Backstop"]);
    stage.plane.set_roles(CLOSED, &["Other"]);
    let mut attach = stage.environment("attach", &[]);
    let result = attach.plan().await;
    assert_eq!(result["counts"]["attached"], 6, "{result}");
    let skipped = result["skipped"].to_string();
    let role = format!("arn:aws:iam::{CLOSED}:role/Backstop");
    assert!(skipped.contains(&role), "what to open is named: {skipped}");
    for number in 0..3 {
        let name = format!("orders-{number:04}");
        assert!(
            stage.is_attached_at(&Place::new(ACCOUNT, REGION), &name),
            "{result}"
        );
        assert!(
            stage.is_attached_at(&Place::new(OTHER, REGION), &name),
            "{result}"
        );
        assert!(
            !stage.is_attached_at(&Place::new(CLOSED, REGION), &name),
            "{result}"
        );
    }
    let assumed = stage.plane.assumed();
    let roles: BTreeSet<&str> = assumed.iter().map(|it| it.role.as_str()).collect();
    assert!(
        roles.contains(format!("arn:aws:iam::{OTHER}:role/Backstop").as_str()),
        "{roles:?}"
    );
    assert!(assumed.iter().all(|it| it.by == ACCOUNT), "{assumed:?}");

    stage.plane.set_roles(CLOSED, &["Backstop"]);
    let result = attach.plan().await;
    assert_eq!(result["counts"]["attached"], 3, "{result}");
    assert_eq!(result["counts"]["unchanged"], 6, "{result}");
    assert!(
        stage.is_attached_at(&Place::new(CLOSED, REGION), "orders-0000"),
        "{result}"
    );
    // Once each: what was done is not done again.
    assert!(stage.plane.writes().values().all(|writes| *writes == 1));
}
