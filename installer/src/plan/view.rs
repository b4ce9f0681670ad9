//! A plan as people read it: what changes, function by function, in the words of a diff.
//!
//! Functions with the same change are shown together. Invariant: a value is shown only where the plan
//! has it, which holds no secret.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::{Action, Extras, Plan, Planned, Reason, Verdict};
use crate::change::{Change, LayerArn, Stored};
use crate::grants::{Goal, POLICY};
use crate::output::{Report, Style};

/// So many names are shown of functions with the same change.
const NAMES: usize = 4;

/// A plan, with or without every name.
#[derive(Debug, Serialize)]
pub struct View<'a> {
    /// The plan.
    #[serde(flatten)]
    pub plan: &'a Plan,
    /// Whether every name is shown.
    #[serde(skip)]
    pub is_full: bool,
}

/// What reasons mean.
#[derive(Debug, Serialize)]
pub struct Explanations {
    reasons: Vec<Explanation>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Explanation {
    code: &'static str,
    verdict: Verdict,
    #[serde(rename = "explanation")]
    text: &'static str,
}

impl Explanations {
    /// Of these.
    pub fn of(reasons: &[Reason]) -> Self {
        let reasons = reasons.iter().map(|reason| Explanation {
            code: reason.code(),
            verdict: reason.verdict(),
            text: reason.explanation(),
        });
        Self {
            reasons: reasons.collect(),
        }
    }
}

impl Report for Explanations {
    fn text(&self, _: Style) -> String {
        let lines = self.reasons.iter().map(|it| {
            let verdict = verb(it.verdict);
            format!("{} ({verdict})\n    {}\n", it.code, it.text)
        });
        lines.collect()
    }
}

fn verb(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Change => "change",
        Verdict::Same => "as it should be",
        Verdict::Refused => "refused",
    }
}

fn title_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Change => "To change:",
        Verdict::Same => "As they should be:",
        Verdict::Refused => "Refused:",
    }
}

impl Report for View<'_> {
    fn text(&self, style: Style) -> String {
        let plan = self.plan;
        let mut text = String::new();
        let mut line = |line: &str| {
            // Writing to a String cannot fail.
            writeln!(text, "{line}").unwrap_or_default();
        };
        let count = |verdict| plan.with(verdict).count() as u64;
        let what = match &plan.action {
            Action::Attach => "attach".to_owned(),
            Action::Detach => "detach".to_owned(),
            Action::Undo { run } => format!("undo {run}"),
        };
        let title = format!(
            "Plan to {what}: {} to change, {} as they should be, {} refused",
            count(Verdict::Change),
            count(Verdict::Same),
            count(Verdict::Refused),
        );
        line(&style.verdict(plan.is_whole(), &title));
        if plan.extras.publish_version {
            let alias = plan.extras.move_alias.as_ref();
            let alias =
                alias.map(|it| format!(", and alias {it} is moved to it where there is one"));
            line(&format!(
                "Of each function to change a version is published{}",
                alias.unwrap_or_default()
            ));
        }
        if !plan.rollout.is_default() {
            line(&format!("In waves: {}", plan.rollout));
        }
        for (diff, functions) in grouped(plan.with(Verdict::Change), |it| diff(it, &plan.extras)) {
            line("");
            self.names(&mut line, &functions);
            diff.lines().for_each(&mut line);
        }
        for grant in &plan.grants {
            line("");
            line(&format!("  policy {POLICY} of {}", grant.role));
            let (added, gone) = grant.difference();
            for (sign, permissions) in [('-', gone), ('+', added)] {
                for permission in permissions {
                    line(&format!("    {sign} {permission}"));
                }
            }
            if matches!(grant.goal, Goal::TakeBack { .. }) {
                line("    ! only where no function with the layer needs it any more");
            }
        }
        for verdict in [Verdict::Same, Verdict::Refused] {
            if count(verdict) > 0 {
                line("");
                line(title_of(verdict));
            }
            for ((reason, detail, notes), functions) in grouped(plan.with(verdict), |planned| {
                // A conflict is the detail.
                let notes = (planned.conflicts.is_empty()).then(|| notes(planned));
                (planned.reason, planned.detail.clone(), notes)
            }) {
                let detail = detail.map(|it| format!(": {it}")).unwrap_or_default();
                line(&format!("  {reason}{detail}"));
                self.names(&mut |name| line(&format!("  {name}")), &functions);
                notes
                    .iter()
                    .flatten()
                    .for_each(|note| line(&format!("  {note}")));
            }
        }
        for name in &plan.missing {
            line(&format!("\nNot found: {name}"));
        }
        for skipped in &plan.skipped {
            let region = skipped.region.as_deref().unwrap_or("(every region)");
            line(&format!(
                "\nLeft out: {} {region}: {}",
                skipped.account,
                skipped.reason.replace('\n', "\n  ")
            ));
        }
        if count(Verdict::Refused) > 0 {
            line("\n`backstop plan --explain CODE` says what a reason means and what to do.");
        }
        text
    }
}

impl View<'_> {
    /// By place, a line each.
    fn names(&self, line: &mut impl FnMut(&str), functions: &[&Planned]) {
        for (place, functions) in grouped(functions.iter().copied(), |it| it.place.clone()) {
            let shown = if self.is_full { functions.len() } else { NAMES };
            let names: Vec<&str> = (functions.iter().take(shown))
                .map(|planned| planned.name.as_str())
                .collect();
            let more = functions.len() - names.len();
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            line(&format!("  {place}: {}{more}", names.join(", ")));
        }
    }
}

fn grouped<'a, K: Ord>(
    functions: impl Iterator<Item = &'a Planned>,
    key: impl Fn(&Planned) -> K,
) -> BTreeMap<K, Vec<&'a Planned>> {
    let mut groups: BTreeMap<K, Vec<&Planned>> = BTreeMap::new();
    for planned in functions {
        groups.entry(key(planned)).or_default().push(planned);
    }
    groups
}

/// What is added, taken away and kept.
fn diff(planned: &Planned, extras: &Extras) -> String {
    let mut lines = Vec::new();
    lines.extend(planned.alias.as_ref().map(|back| {
        let (alias, before, ours) = (&back.alias, &back.before.version, &back.ours.version);
        format!("    ~ alias {alias}: version {before}, was {ours}")
    }));
    lines.extend((planned.change.iter()).flat_map(|change| changed(change, planned)));
    if planned.change.is_none() && planned.alias.is_none() {
        let alias = extras.move_alias.as_ref();
        let alias = alias.map(|it| format!(", and alias {it} is moved to it"));
        lines.push(format!(
            "    + version of what is there{}",
            alias.unwrap_or_default()
        ));
    }
    lines.extend(notes(planned));
    lines.join("\n")
}

/// What is not as one would think.
fn notes(planned: &Planned) -> Vec<String> {
    let kept = planned.kept.iter();
    let kept = kept
        .map(|name| format!("    ! {name} is set otherwise, and kept; --overwrite {name} sets it"));
    let conflicts = planned.conflicts.iter().map(ToString::to_string);
    let traps = planned.traps.iter().map(ToString::to_string);
    let others = conflicts.chain(traps).chain(planned.notes.iter().cloned());
    kept.chain(others.map(|note| format!("    ! {note}")))
        .collect()
}

fn changed(change: &Change, planned: &Planned) -> Vec<String> {
    let mut lines = Vec::new();
    let (before, after) = (&change.before, &change.after);
    for (sign, from, without) in [
        ('-', &before.layers, &after.layers),
        ('+', &after.layers, &before.layers),
    ] {
        let changed = from.iter().filter(|arn| !without.contains(arn));
        lines.extend(changed.map(|arn| format!("    {sign} layer {}", short(arn, planned))));
    }
    for (name, after) in &after.variables {
        let before = before.variables.get(name).and_then(Option::as_ref);
        let shown = |stored: &Stored| stored.value().unwrap_or("***").to_owned();
        lines.push(match (before, after) {
            (None, Some(after)) => format!("    + {name}={}", shown(after)),
            (Some(before), None) => format!("    - {name}={}", shown(before)),
            (Some(before), Some(after)) => {
                format!("    ~ {name}={} was {}", shown(after), shown(before))
            }
            (None, None) => continue,
        });
    }
    lines
}

/// Without what is the function's own too, so that the same change in many regions is one.
fn short(arn: &str, planned: &Planned) -> String {
    match LayerArn::parse(arn) {
        Some(parts) if parts.account == planned.place.account => {
            format!("{}:{}", parts.name, parts.version)
        }
        Some(parts) => format!("{}:{} of {}", parts.name, parts.version, parts.account),
        None => arn.to_owned(),
    }
}
