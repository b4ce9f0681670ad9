//! What others did to a function since, and what Backstop leaves unchanged because of it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A change that someone made since, and what is left unchanged because of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", content = "what", rename_all = "camelCase")]
pub enum Conflict {
    /// The function has another Backstop layer: neither it nor any setting is changed.
    Layer(String),
    /// The layer that would be replaced was taken off: neither it nor any setting comes back.
    Gone(String),
    /// A variable has another value.
    Variable(String),
    /// A secret that was there is known to nobody any more.
    Forgotten(String),
    /// A variable of a primary of which another one cannot be restored: a key would go to another host.
    Held(String),
}

impl Conflict {
    /// Whether nothing of the function is changed because of it.
    pub fn is_whole(&self) -> bool {
        matches!(self, Self::Layer(_) | Self::Gone(_))
    }
}

impl fmt::Display for Conflict {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layer(arn) => {
                write!(
                    formatter,
                    "{arn} was attached since; it and its settings stay"
                )
            }
            Self::Gone(arn) => {
                write!(
                    formatter,
                    "{arn} was detached since; it and its settings are not restored"
                )
            }
            Self::Variable(name) => {
                write!(formatter, "{name} was changed since; left unchanged")
            }
            Self::Forgotten(name) => {
                write!(formatter, "the old value of {name} is no longer known")
            }
            Self::Held(name) => {
                write!(
                    formatter,
                    "{name} was left unchanged: the key of one primary would go to another"
                )
            }
        }
    }
}
