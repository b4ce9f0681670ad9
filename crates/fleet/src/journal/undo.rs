//! What undo restores besides functions: aliases and roles' policies.

use std::collections::BTreeMap;

use super::{Progress, Step};
use crate::plan::{AliasBack, Plan, Planned, Verdict};

impl Plan {
    /// Moves aliases back; published versions stay and are reported.
    pub fn put_back_aliases(&mut self, progress: &Progress) {
        let mut by_arn: BTreeMap<String, &mut Planned> = BTreeMap::new();
        for planned in &mut self.functions {
            by_arn.insert(planned.arn.clone(), planned);
        }
        for state in &progress.steps {
            match &state.step {
                Some(Step::Version { arn }) => {
                    if let Some(planned) = by_arn.get_mut(arn) {
                        planned.version.clone_from(&state.version);
                    }
                }
                Some(Step::Alias {
                    arn,
                    alias,
                    before,
                    after,
                }) if before != after => {
                    if let Some(planned) = by_arn.get_mut(arn) {
                        planned.put_back(AliasBack {
                            alias: alias.clone(),
                            ours: after.clone(),
                            before: before.clone(),
                        });
                    }
                }
                _ => {}
            }
        }
    }
}

impl Planned {
    /// Also where nothing of `$LATEST` can be put back, or need be: the alias is what is invoked.
    fn put_back(&mut self, alias: AliasBack) {
        if self.verdict != Verdict::Change {
            self.verdict = Verdict::Change;
            // A conflict is a note already.
            if self.conflicts.is_empty() {
                self.notes.extend(self.detail.clone());
            }
        }
        self.alias = Some(Box::new(alias));
    }
}
