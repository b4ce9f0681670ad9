//! All permissions that the recorded runs granted.

use std::collections::BTreeSet;

use crate::fleet::Place;

/// What was granted to a role by all runs together, and where its functions were.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Granted {
    /// The policy before the first of them.
    pub before: Option<String>,
    /// The policy after the last one.
    pub after: Option<String>,
    /// Someone else wrote it between two of them: what was before is not known.
    pub is_broken: bool,
    /// Where runs changed functions with the role.
    pub places: BTreeSet<Place>,
}
