//! Reads and writes roles' policies.

use std::time::Duration;

use aws_sdk_iam::Client;
use backstop_archive::percent_decoded;
use backstop_config::Arn;
use tokio::time::Instant;

use super::POLICY;
use super::document::is_same;
use crate::aws::{Failure, Kind, global_region};
use crate::fleet::Fleet;

/// What was written is seen everywhere within seconds; most of the time at once.
const SEEN_WITHIN: Duration = Duration::from_secs(30);
const FIRST_LOOK: Duration = Duration::from_millis(100);

/// IAM in one account.
#[derive(Debug)]
pub struct Roles(Client);

impl Roles {
    /// Of the account that a role's ARN names.
    pub fn of(fleet: &Fleet, role: &str) -> Result<Self, Failure> {
        let account = Arn::parse(role).map_or("", |arn| arn.account);
        let site = fleet
            .sites
            .values()
            .find(|site| site.place.account == account);
        let Some(site) = site else {
            let reason = "its account is not among the targets, or is not reachable";
            return Err(Failure::new(role, reason, Kind::Denied));
        };
        let region = global_region(&site.partition);
        let config = site.config.to_builder().region(region).build();
        Ok(Self(Client::new(&config)))
    }

    /// The policy of a role, where it has it.
    pub async fn read(&self, role: &str) -> Result<Option<String>, Failure> {
        let request = self
            .0
            .get_role_policy()
            .role_name(name(role))
            .policy_name(POLICY);
        match request.send().await {
            Ok(answer) => Ok(Some(percent_decoded(answer.policy_document()))),
            Err(error) => {
                let failure =
                    Failure::of(&format!("reading the policy {POLICY} of {role}"), &error);
                if failure.kind == Kind::NotFound {
                    Ok(None)
                } else {
                    Err(failure)
                }
            }
        }
    }

    /// Writes the policy, or takes it away, and waits until that is seen.
    pub async fn write(&self, role: &str, document: Option<&str>) -> Result<(), Failure> {
        let what = format!("writing the policy {POLICY} of {role}");
        if let Some(document) = document {
            let request = self.0.put_role_policy().role_name(name(role));
            let request = request.policy_name(POLICY).policy_document(document);
            let sent = request.send().await.map(|_| ());
            sent.map_err(|error| Failure::of(&what, &error))?;
        } else {
            let request = self.0.delete_role_policy().role_name(name(role));
            if let Err(error) = request.policy_name(POLICY).send().await {
                let failure = Failure::of(&what, &error);
                // An earlier attempt did it.
                if failure.kind != Kind::NotFound {
                    return Err(failure);
                }
            }
        }
        let deadline = Instant::now() + SEEN_WITHIN;
        let mut pause = FIRST_LOOK;
        loop {
            // The write may have succeeded even if reading back fails.
            let read = self.read(role).await.map_err(|mut failure| {
                failure.kind = Kind::Unanswered;
                failure
            })?;
            if is_same(read.as_deref(), document) {
                return Ok(());
            }
            if Instant::now() >= deadline {
                let reason = "IAM returned a policy other than the one written: someone else may \
                    have changed it, run the command again";
                return Err(Failure::new(&what, reason, Kind::Unanswered));
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
}

/// The name of a role, without its path.
fn name(role: &str) -> &str {
    role.rsplit('/').next().unwrap_or(role)
}
