//! Which roles a plan writes to.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::document::{Permission, is_fallbacks, is_within, merged, permissions};
use super::history::Granted;
use super::roles::Roles;
use crate::fleet::{Fleet, Place};
use crate::plan::{Plan, Planned, Reason, Verdict};

/// What is made of a role's policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Grant {
    /// The role's ARN.
    pub role: String,
    /// The policy as it is, or as it was left.
    pub before: Option<String>,
    /// The policy as it will be.
    pub after: Option<String>,
    /// To what end.
    pub goal: Goal,
}

/// To what end a policy is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Goal {
    /// To have all of this in it.
    Give(BTreeSet<Permission>),
    /// To have in it what the undone run took away.
    GiveBack,
    /// To be as it was, once no function in these places, and in those of the run, needs it.
    #[serde(rename_all = "camelCase")]
    TakeBack {
        /// Where there may be such functions.
        places: BTreeSet<Place>,
        /// Someone else wrote it between two grants.
        is_broken: bool,
    },
}

impl Grant {
    /// What is granted by it, and what is not any more.
    pub fn difference(&self) -> (BTreeSet<Permission>, BTreeSet<Permission>) {
        let before = permissions(self.before.as_deref());
        let after = permissions(self.after.as_deref());
        (&after - &before, &before - &after)
    }

    /// Whether it grants what a fallback needs and nothing else, or takes away and adds nothing.
    pub fn check(&self) -> anyhow::Result<()> {
        match &self.goal {
            Goal::Give(needed) => {
                let other = needed.iter().find(|it| !is_fallbacks(it));
                match other {
                    Some(permission) => {
                        anyhow::bail!("{permission} is not what a fallback needs")
                    }
                    None => Ok(()),
                }
            }
            Goal::TakeBack { .. } if is_within(self.after.as_deref(), self.before.as_deref()) => {
                Ok(())
            }
            Goal::TakeBack { .. } => anyhow::bail!("it would be wider than it is"),
            Goal::GiveBack => anyhow::bail!("only `backstop undo` gives back what was taken"),
        }
    }
}

impl Plan {
    /// Roles get what their functions need, those too that are attached already; where that cannot be,
    /// those functions are refused.
    pub async fn give_grants(&mut self, fleet: &Fleet) {
        let mut by_role: BTreeMap<String, BTreeSet<Permission>> = BTreeMap::new();
        let functions = self.functions.iter();
        for planned in functions.filter(|it| it.verdict != Verdict::Refused) {
            if !planned.needs.is_empty() {
                let needs = by_role.entry(planned.role.clone()).or_default();
                needs.extend(planned.needs.iter().cloned());
            }
        }
        for (role, needed) in by_role {
            match give(fleet, &role, needed).await {
                Ok(grant) => self.grants.extend(grant),
                Err(problem) => self.refuse(&role, &problem),
            }
        }
    }

    /// Roles of the functions, and of those that a run was about, get back what they had where nobody needs
    /// it any more.
    pub fn take_grants(&mut self, granted: &BTreeMap<String, Granted>, run: Option<&Self>) {
        let functions = run.iter().flat_map(|run| &run.functions);
        let functions = functions.chain(&self.functions);
        let roles: BTreeSet<&String> = functions.map(|it| &it.role).collect();
        let grants = granted.iter().filter(|(role, _)| roles.contains(role));
        let grants = grants.map(|(role, granted)| Grant {
            role: role.clone(),
            before: granted.after.clone(),
            after: granted.before.clone(),
            goal: Goal::TakeBack {
                places: granted.places.clone(),
                is_broken: granted.is_broken,
            },
        });
        self.grants = grants.collect();
    }

    /// Roles get back what the undone run took from them.
    pub fn give_grants_back(&mut self, taken: Vec<(String, Granted)>) {
        let grants = taken.into_iter().map(|(role, taken)| Grant {
            role,
            before: taken.after,
            after: taken.before,
            goal: Goal::GiveBack,
        });
        self.grants = grants.collect();
    }

    fn refuse(&mut self, role: &str, problem: &str) {
        let is_meant = |it: &&mut Planned| {
            it.role == role && it.verdict != Verdict::Refused && !it.needs.is_empty()
        };
        for planned in self.functions.iter_mut().filter(is_meant) {
            planned.verdict = Verdict::Refused;
            planned.reason = Reason::RoleNotWritable;
            planned.detail = Some(problem.to_owned());
            planned.change = None;
        }
    }
}

/// None where the role has it all.
async fn give(
    fleet: &Fleet,
    role: &str,
    needed: BTreeSet<Permission>,
) -> Result<Option<Grant>, String> {
    if role.contains(":role/aws-service-role/") {
        return Err(format!(
            "{role} is a service's own, which nobody else may change"
        ));
    }
    let roles = Roles::of(fleet, role).map_err(|failure| failure.brief())?;
    let before = roles.read(role).await.map_err(|failure| failure.brief())?;
    let after = merged(before.as_deref(), &needed)?;
    Ok(after.map(|after| Grant {
        role: role.to_owned(),
        before,
        after: Some(after),
        goal: Goal::Give(needed),
    }))
}
