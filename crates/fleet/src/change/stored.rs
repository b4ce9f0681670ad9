//! A variable's value as a plan or a journal keeps it.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A value, or what a value can be recognised by.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stored {
    /// The value itself.
    Value(String),
    /// `SALT:HASH` of a secret.
    Digest(String),
}

impl fmt::Debug for Stored {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Stored(***)")
    }
}

impl Stored {
    /// The value itself.
    pub fn plain(value: &str) -> Self {
        Self::Value(value.to_owned())
    }

    /// What a secret can be recognised by, and not guessed from.
    pub fn digest(value: &str) -> Self {
        let salt = Uuid::new_v4().simple().to_string();
        let hash = hash(&salt, value);
        Self::Digest(format!("{salt}:{hash}"))
    }

    /// The value, where it is known.
    pub fn value(&self) -> Option<&str> {
        match self {
            Self::Value(value) => Some(value),
            Self::Digest(_) => None,
        }
    }

    /// Whether this is what is stored; neither is something too.
    pub fn is(stored: Option<&Self>, value: Option<&str>) -> bool {
        match (stored, value) {
            (None, None) => true,
            (Some(Self::Value(stored)), Some(value)) => stored == value,
            (Some(Self::Digest(stored)), Some(value)) => stored
                .split_once(':')
                .is_some_and(|(salt, stored)| hash(salt, value) == stored),
            (None, Some(_)) | (Some(_), None) => false,
        }
    }

    /// Whether both stand for the same value; two digests do when they are the same one.
    pub(super) fn are_same(one: Option<&Self>, other: Option<&Self>) -> bool {
        match (one, other) {
            (None, None) => true,
            (Some(one), Some(other)) => {
                one == other
                    || Self::is(Some(one), other.value())
                    || Self::is(Some(other), one.value())
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}

fn hash(salt: &str, value: &str) -> String {
    let mut hasher = Sha256::new();
    hasher.update(salt.as_bytes());
    hasher.update(b":");
    hasher.update(value.as_bytes());
    let digest = hasher.finalize();
    let mut text = String::with_capacity(digest.len() * 2);
    for byte in digest {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").unwrap_or_default();
    }
    text
}
