//! What most readers of a run need of its plan: all but its functions.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use crate::fleet::{Place, Targets};
use crate::plan::Action;
use crate::secrets::Source;

/// A plan without its functions, of which there may be a hundred thousand.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Outline {
    pub action: Action,
    pub targets: Targets,
    /// Where the secrets are that it needs.
    pub sources: BTreeMap<String, Source>,
    /// The resource that asks for it, where one does.
    #[serde(default)]
    pub owner: Option<String>,
    /// The execution roles of its functions, and where functions have them.
    #[serde(rename = "functions", deserialize_with = "roles")]
    pub roles: Roles,
}

pub(super) type Roles = BTreeMap<String, BTreeSet<Place>>;

#[derive(Deserialize)]
struct OfFunction {
    role: String,
    #[serde(flatten)]
    place: Place,
}

/// One function after the other, none of which is kept.
fn roles<'de, D: Deserializer<'de>>(functions: D) -> Result<Roles, D::Error> {
    struct Functions;

    impl<'de> Visitor<'de> for Functions {
        type Value = Roles;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("the functions of a plan")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut functions: A) -> Result<Roles, A::Error> {
            let mut roles = Roles::new();
            while let Some(OfFunction { role, place }) = functions.next_element()? {
                roles.entry(role).or_default().insert(place);
            }
            Ok(roles)
        }
    }

    functions.deserialize_seq(Functions)
}
