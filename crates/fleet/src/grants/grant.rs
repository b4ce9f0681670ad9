//! The planned change of a role's policy.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::document::{Permission, is_fallbacks, is_within, permissions};
use crate::fleet::Place;

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
                        anyhow::bail!("{permission} is not a permission that a fallback needs")
                    }
                    None => Ok(()),
                }
            }
            Goal::TakeBack { .. } if is_within(self.after.as_deref(), self.before.as_deref()) => {
                Ok(())
            }
            Goal::TakeBack { .. } => anyhow::bail!("it would widen the policy"),
            Goal::GiveBack => anyhow::bail!("only `backstop undo` restores removed permissions"),
        }
    }
}
