//! A plan as people read it: what changes, function by function, in the words of a diff.
//!
//! Functions with the same change are shown together. Invariant: a value is shown only where the plan
//! has it, which holds no secret.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt::Write as _;

use backstop_fleet::plan::{Action, Extras, Plan, Planned, Reason, Verdict};
use serde::Serialize;

use crate::change::{Change, LayerArn, Stored};
use crate::fleet::{Place, left_out};
use crate::grants::{Goal, Grant, POLICY};
use crate::output::{Report, Style, Tone, gist, names};

/// Roles that are listed with the same change of their policies.
const ROLES: usize = 4;

/// A plan, with or without every name.
#[derive(Debug, Serialize)]
pub struct View<'a> {
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
    fn text(&self, style: Style) -> String {
        let lines = self.reasons.iter().map(|it| {
            let verdict = verb(it.verdict);
            let code = style.word(tone(it.verdict), it.code);
            format!("{code} ({verdict})\n    {}\n", it.text)
        });
        lines.collect()
    }
}

fn verb(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Change => "change",
        Verdict::Same => "unchanged",
        Verdict::Refused => "refused",
    }
}

fn title_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Change => "To change:",
        Verdict::Same => "Unchanged:",
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
            Action::Drill => "drill".to_owned(),
        };
        let title = format!(
            "Plan to {what}: {} to change, {} unchanged, {} refused",
            count(Verdict::Change),
            count(Verdict::Same),
            count(Verdict::Refused),
        );
        line(&style.verdict(plan.is_whole(), &title));
        if plan.extras.publish_version {
            let alias = plan.extras.move_alias.as_ref();
            let alias = alias
                .map(|it| format!(", and moves the alias {it} to it, if the function has one"));
            line(&format!(
                "Publishes a version of each changed function{}",
                alias.unwrap_or_default()
            ));
        }
        if !plan.rollout.is_default() {
            line(&format!("In waves: {}", plan.rollout));
        }
        for group in grouped(plan.with(Verdict::Change), |it| {
            (Reason::Ok, [diff(it, &plan.extras), String::new()])
        }) {
            line("");
            self.names(&mut line, "  ", &group.functions);
            let [diff, _] = &group.texts;
            diff.lines().for_each(|it| line(&style.diff(it)));
        }
        for (diff, roles) in granted(&plan.grants) {
            line("");
            let shown = if self.is_full { roles.len() } else { ROLES };
            for role in roles.iter().take(shown) {
                line(&format!("  policy {POLICY} of {role}"));
            }
            let more = roles.len().saturating_sub(shown);
            if more > 0 {
                line(&format!("  and of {more} more roles (--full lists them)"));
            }
            diff.lines().for_each(|it| line(&style.diff(it)));
        }
        for verdict in [Verdict::Same, Verdict::Refused] {
            if count(verdict) > 0 {
                line("");
                line(title_of(verdict));
            }
            for group in grouped(plan.with(verdict), |planned| {
                let detail = planned.detail.clone();
                // A conflict is the detail.
                let notes = if planned.conflicts.is_empty() {
                    notes(planned)
                } else {
                    Vec::new()
                };
                let texts = [detail.unwrap_or_default(), notes.join("\n")];
                (planned.reason, texts)
            }) {
                let [detail, notes] = &group.texts;
                let detail = match detail.as_str() {
                    "" => String::new(),
                    detail => format!(": {}", detail.replace('\n', "\n      ")),
                };
                line(&format!(
                    "  {}{detail}",
                    style.word(tone(verdict), group.reason.code())
                ));
                self.names(&mut line, "    ", &group.functions);
                (notes.lines()).for_each(|note| line(&style.diff(&format!("  {note}"))));
            }
        }
        for name in &plan.missing {
            line(&format!("\nNot found: {name}"));
        }
        for skipped in left_out(&plan.skipped, self.is_full) {
            line(&format!("\n{skipped}"));
        }
        if count(Verdict::Refused) > 0 {
            line("\n`backstop plan --explain CODE` explains a reason and what to do.");
        }
        text
    }
}

impl View<'_> {
    /// By place, a line each.
    fn names(&self, line: &mut impl FnMut(&str), indent: &str, functions: &[&Planned]) {
        let named = (functions.iter()).map(|it| (it.place.to_string(), it.name.clone()));
        for names in names(named, self.is_full) {
            line(&format!("{indent}{names}"));
        }
    }
}

/// Roles by what is made of their policies.
fn granted(grants: &[Grant]) -> BTreeMap<String, Vec<&str>> {
    let mut groups: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for grant in grants {
        let (added, gone) = grant.difference();
        let mut diff = String::new();
        for (sign, permissions) in [('-', gone), ('+', added)] {
            for permission in permissions {
                // Writing to a String cannot fail.
                writeln!(diff, "    {sign} {permission}").unwrap_or_default();
            }
        }
        if matches!(grant.goal, Goal::TakeBack { .. }) {
            diff.push_str("    ! only if no function with the layer still needs it\n");
        }
        groups.entry(diff).or_default().push(&grant.role);
    }
    groups
}

/// Functions of which the same is said: a detail or a diff, and notes.
struct Group<'a> {
    reason: Reason,
    texts: [String; 2],
    functions: Vec<&'a Planned>,
}

/// By reason, and what is said but for the function's own name and place.
fn grouped<'a>(
    functions: impl Iterator<Item = &'a Planned>,
    say: impl Fn(&Planned) -> (Reason, [String; 2]),
) -> impl Iterator<Item = Group<'a>> {
    let mut groups: BTreeMap<(Reason, [String; 2]), Group<'a>> = BTreeMap::new();
    for planned in functions {
        let (reason, texts) = say(planned);
        let Place { account, region } = &planned.place;
        let gist = (texts.each_ref()).map(|text| gist(text, account, region, &planned.name));
        match groups.entry((reason, gist)) {
            Entry::Vacant(entry) => {
                entry.insert(Group {
                    reason,
                    texts,
                    functions: vec![planned],
                });
            }
            Entry::Occupied(mut entry) => {
                if entry.get().texts != texts {
                    let (_, gist) = entry.key().clone();
                    entry.get_mut().texts = gist;
                }
                entry.get_mut().functions.push(planned);
            }
        }
    }
    groups.into_values()
}

fn tone(verdict: Verdict) -> Tone {
    match verdict {
        Verdict::Change | Verdict::Same => Tone::Good,
        Verdict::Refused => Tone::Bad,
    }
}

/// What is added, taken away and kept.
fn diff(planned: &Planned, extras: &Extras) -> String {
    let mut lines = Vec::new();
    lines.extend(planned.alias.as_ref().map(|back| {
        let (alias, before, now) = (&back.alias, &back.before.version, &back.ours.version);
        format!("    ~ alias {alias}: version {before}, was {now}")
    }));
    lines.extend((planned.change.iter()).flat_map(|change| changed(change, planned)));
    if planned.change.is_none() && planned.alias.is_none() {
        let alias = extras.move_alias.as_ref();
        let alias = alias.map(|it| format!(", and moves the alias {it} to it"));
        lines.push(format!(
            "    + version of the current code and settings{}",
            alias.unwrap_or_default()
        ));
    }
    lines.extend(notes(planned));
    lines.join("\n")
}

/// What is not as one would think.
fn notes(planned: &Planned) -> Vec<String> {
    let kept = planned.kept.iter();
    let kept = kept.map(|name| {
        format!("    ! {name} has another value and is kept; --overwrite {name} replaces it")
    });
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
