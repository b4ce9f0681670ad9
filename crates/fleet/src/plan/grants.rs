//! Which roles a plan writes to.

use std::collections::{BTreeMap, BTreeSet};

use super::{Plan, Planned, Reason, Verdict};
use crate::fleet::Fleet;
use crate::grants::{Goal, Grant, Granted, Permission, Roles, merged};

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
        let is_meant = |it: &&mut Box<Planned>| {
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
            "{role} is a service-linked role, which only its service can change"
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
