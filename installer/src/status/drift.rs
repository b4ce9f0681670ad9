//! Compares a function with the state that the recorded runs left. Pure.

use std::fmt;

use serde::Serialize;

use crate::change::{Change, LayerArn, Stored, is_ours};
use crate::select::{Environment, Function};

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "camelCase")]
pub enum Drift {
    /// The layer was attached, and is not there.
    LayerGone {
        /// What was left.
        was: String,
    },
    /// Another version of the layer is there.
    LayerChanged {
        /// What was left.
        was: String,
        /// What is there.
        is: String,
    },
    /// The layer was detached, and is there.
    LayerBack {
        /// What is there.
        is: String,
    },
    /// Variables that a run set or took away have another value.
    VariablesChanged {
        /// Their names, without values.
        names: Vec<String>,
    },
}

impl fmt::Display for Drift {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LayerGone { was } => write!(formatter, "layer removed: {}", short(was)),
            Self::LayerChanged { was, is } => {
                write!(formatter, "layer is {}, was {}", short(is), short(was))
            }
            Self::LayerBack { is } => write!(formatter, "layer attached again: {}", short(is)),
            Self::VariablesChanged { names } => write!(formatter, "changed: {}", names.join(", ")),
        }
    }
}

/// Name and version of a layer: account and region are shown elsewhere.
fn short(arn: &str) -> String {
    LayerArn::parse(arn).map_or_else(
        || arn.to_owned(),
        |parts| format!("{}:{}", parts.name, parts.version),
    )
}

/// What is otherwise than `change`, which is what all our own runs together did, left it.
pub fn drift(function: &Function, change: &Change) -> Vec<Drift> {
    let ours = |layers: &[String]| layers.iter().find(|arn| is_ours(arn)).cloned();
    let (before, left) = (ours(&change.before.layers), ours(&change.after.layers));
    let mut drift = Vec::new();
    // A second Backstop layer is a difference too.
    let is_other = |arn: &&String| is_ours(arn) && Some(*arn) != left.as_ref();
    let other = function.layers.iter().find(is_other).cloned();
    match (left, other.or_else(|| ours(&function.layers))) {
        (Some(was), None) => drift.push(Drift::LayerGone { was }),
        (Some(was), Some(is)) if was != is => drift.push(Drift::LayerChanged { was, is }),
        (None, Some(is)) if before.is_some() => drift.push(Drift::LayerBack { is }),
        (Some(_) | None, _) => {}
    }
    let Environment::Readable(variables) = &function.environment else {
        return drift;
    };
    let names: Vec<String> = (change.after.variables.iter())
        .filter(|(name, left)| !Stored::is(left.as_ref(), variables.get(*name).map(String::as_str)))
        .map(|(name, _)| name.clone())
        .collect();
    if !names.is_empty() {
        drift.push(Drift::VariablesChanged { names });
    }
    drift
}
