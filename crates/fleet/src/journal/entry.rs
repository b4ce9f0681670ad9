//! The lines of a journal.

use serde::{Deserialize, Serialize};

use crate::change::{AliasState, Change};
use crate::plan::Plan;

/// The first line, with all of the plan or with what a reader needs of it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header<P = Plan> {
    /// The version of this form.
    pub schema_version: u32,
    /// The run's id.
    pub run: String,
    /// When it began.
    pub started_at: String,
    /// The version of the command line.
    pub release: String,
    /// What is to be done.
    pub plan: P,
}

/// Every other line.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "camelCase")]
pub enum Entry {
    /// A write is about to be made.
    #[serde(rename_all = "camelCase")]
    Begin { at: String, step: Step },
    /// It was made.
    #[serde(rename_all = "camelCase")]
    Done {
        at: String,
        /// [`Step::key`].
        key: String,
        /// The version that was published.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
    },
    /// It was surely not made.
    #[serde(rename_all = "camelCase")]
    NotDone {
        at: String,
        /// [`Step::key`].
        key: String,
        /// What stood in the way.
        reason: String,
    },
    /// It may have been made, and it did not end well.
    #[serde(rename_all = "camelCase")]
    Failed {
        at: String,
        /// [`Step::key`].
        key: String,
        reason: String,
    },
    /// Another process goes on with the run.
    #[serde(rename_all = "camelCase")]
    Taken {
        at: String,
        /// Its user and machine.
        by: String,
        writer: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Step {
    /// A function's layers and variables.
    #[serde(rename_all = "camelCase")]
    Function {
        /// Its unqualified ARN.
        arn: String,
        /// From what to what.
        change: Change,
    },
    /// A version of a function, which stays when all else is undone: others may have come to use it.
    #[serde(rename_all = "camelCase")]
    Version {
        /// The function's unqualified ARN.
        arn: String,
    },
    /// Where an alias points.
    #[serde(rename_all = "camelCase")]
    Alias {
        /// The function's unqualified ARN.
        arn: String,
        /// The alias's name.
        alias: String,
        /// Where it pointed.
        before: AliasState,
        /// Where it points instead.
        after: AliasState,
    },
    /// An inline policy of an execution role.
    #[serde(rename_all = "camelCase")]
    Grant {
        role: String,
        /// The policy's document before; none where there was none.
        before: Option<String>,
        /// The policy's document after; none where it is taken away.
        after: Option<String>,
    },
}

impl Step {
    /// [`Step::key`] of a function's version.
    pub fn version_key(arn: &str) -> String {
        format!("{arn}#version")
    }

    /// [`Step::key`] of a function's alias.
    pub fn alias_key(arn: &str, alias: &str) -> String {
        format!("{arn}#alias={alias}")
    }

    /// What names it among the steps of a run.
    pub fn key(&self) -> String {
        match self {
            Self::Function { arn, .. } => arn.clone(),
            Self::Version { arn } => Self::version_key(arn),
            Self::Alias { arn, alias, .. } => Self::alias_key(arn, alias),
            Self::Grant { role, .. } => format!("{role}#grant"),
        }
    }
}
