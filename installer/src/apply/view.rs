//! The result of a run, as text.
//!
//! Invariants: the headline counts what was done, and says what was not; a reason that many functions have
//! is said once. Must not: count anything itself.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use backstop_fleet::apply::{Left, Rise, RoleLeft, Summary};
use serde::Serialize;

use crate::fleet::left_out;
use crate::options::with_options;
use crate::output::{Item, Report, Style, by_reason, gist, grouped, names, plural};
use crate::plan::Action;

/// Roles that are listed for one reason.
const ROLES: usize = 4;

/// A summary, with or without every name.
#[derive(Debug, Serialize)]
pub struct View<'a> {
    #[serde(flatten)]
    pub summary: &'a Summary,
    /// Whether every name is shown.
    #[serde(skip)]
    pub is_full: bool,
    /// The profile that was used, where it has a name.
    #[serde(skip)]
    pub profile: Option<&'a str>,
}

impl Report for View<'_> {
    fn text(&self, style: Style) -> String {
        let it = self.summary;
        let mut text = String::new();
        // Writing to a String cannot fail.
        let mut line = |line: String| writeln!(text, "{line}").unwrap_or_default();
        line(style.verdict(it.is_complete(), &headline(it)));
        for (count, what) in counts(it) {
            if count > 0 {
                line(format!("  {:>7}  {what}", grouped(count)));
            }
        }
        let kept = it.kept_versions.iter().map(|kept| {
            let version = format!("{} version {}", kept.name, kept.version);
            (kept.place.to_string(), version)
        });
        for kept in names(kept, self.is_full) {
            line(format!("  {kept}"));
        }
        for (title, list) in [
            ("Failed", &it.left),
            ("Conflicts", &it.conflicts),
            (
                "Replaced a layer that was attached after the plan",
                &it.replaced,
            ),
            ("Aliases not moved", &it.aliases_left),
        ] {
            if !list.is_empty() {
                let list = by_reason(list.iter().map(item), self.is_full);
                line(format!("{title}:\n{}", list.trim_end()));
            }
        }
        for (title, list) in [
            ("Roles whose policy was kept", &it.roles_kept),
            ("Roles that failed", &it.roles_left),
        ] {
            if !list.is_empty() {
                line(format!("{title}:"));
            }
            for group in by_role(list, self.is_full) {
                line(group);
            }
        }
        for name in &it.missing {
            line(format!("Not found: {name}"));
        }
        for skipped in left_out(&it.skipped, self.is_full) {
            line(skipped);
        }
        if let Some(reason) = &it.stopped {
            line(format!("Stopped: {}", reason.replace('\n', "\n  ")));
        }
        for rise in &it.rises {
            let Rise { place, name, .. } = rise;
            let (before, after) = (rise.before, rise.after);
            line(format!(
                "  {place} {name}: {after:.1} % of invocations fail, up from {before:.1} %"
            ));
        }
        if let Some(undo) = &it.undo {
            line(format!("Undone at once, in run {}:", undo.run));
            let undo = View {
                summary: undo,
                ..*self
            };
            text.push_str(&undo.text(style));
            return with_options(&text);
        }
        self.next(&mut line);
        with_options(&text)
    }
}

impl View<'_> {
    /// What to do now.
    fn next(&self, line: &mut impl FnMut(String)) {
        let it = self.summary;
        let final_ones = it.left.iter().filter(|left| left.is_final).count();
        if final_ones > 0 {
            let functions = plural(final_ones as u64, "function");
            line(format!(
                "`backstop resume` cannot finish {functions}: fix the causes above, and plan again"
            ));
        }
        if let Some(profile) = self.profile.filter(|_| it.is_signed_out) {
            line(format!(
                "To sign in, if {profile} is an SSO profile: aws sso login --profile {profile}"
            ));
        }
        if final_ones < it.left.len() || !it.aliases_left.is_empty() || it.not_begun > 0 {
            line(format!("To continue: backstop resume {}", it.run));
        }
        if it.changed + it.done_before + it.aliases + it.roles_written > 0 {
            line(format!("To undo: backstop undo {}", it.run));
        }
    }
}

/// Roles by why they are left, each reason once.
fn by_role(roles: &[RoleLeft], is_full: bool) -> Vec<String> {
    let mut groups: BTreeMap<String, Vec<&RoleLeft>> = BTreeMap::new();
    for it in roles {
        let account = it.role.split(':').nth(4).unwrap_or_default();
        groups
            .entry(gist(&it.reason, account, "", ""))
            .or_default()
            .push(it);
    }
    let mut lines = Vec::new();
    for (reason, roles) in groups {
        if let [one] = roles.as_slice() {
            lines.push(format!("  {}: {}", one.role, one.reason));
            continue;
        }
        lines.push(format!(
            "  {}: {reason}",
            plural(roles.len() as u64, "role")
        ));
        let shown = if is_full { roles.len() } else { ROLES };
        lines.extend((roles.iter().take(shown)).map(|it| format!("    {}", it.role)));
        let more = roles.len().saturating_sub(shown);
        if more > 0 {
            lines.push(format!("    and {more} more (--full lists them)"));
        }
    }
    lines
}

fn item(left: &Left) -> Item<'_> {
    Item {
        account: &left.place.account,
        region: &left.place.region,
        name: &left.name,
        reason: &left.reason,
    }
}

fn headline(it: &Summary) -> String {
    let done = match it.action {
        Action::Attach => "attached",
        Action::Detach => "detached",
        Action::Undo { .. } => "restored",
        Action::Drill => "changed for the drill",
    };
    let mut parts = vec![if it.total == 0 {
        publishing(it, done)
    } else if it.done == it.total {
        format!("{} {done}", plural(it.done, "function"))
    } else {
        let total = plural(it.total, "function");
        format!("{} of {total} {done}", grouped(it.done))
    }];
    let left = it.total.saturating_sub(it.done);
    for (count, what) in [
        (it.in_part, "partly done"),
        (left, "not done"),
        (it.refused, "refused"),
    ] {
        if count > 0 {
            parts.push(format!("{} {what}", grouped(count)));
        }
    }
    parts.join("; ")
}

/// What was done where no function was to be changed.
fn publishing(it: &Summary, done: &str) -> String {
    let versions = it.versions.len() as u64;
    if versions > 0 {
        return format!("{} published", plural(versions, "version"));
    }
    if it.roles_written > 0 {
        return format!("Wrote the policies of {}", plural(it.roles_written, "role"));
    }
    if it.already > 0 {
        let functions = plural(it.already, "function");
        return format!("Nothing to do: {functions} unchanged");
    }
    format!("0 functions {done}")
}

fn counts(it: &Summary) -> [(u64, &'static str); 12] {
    let untried = it.left.iter().filter(|left| left.is_untried).count();
    [
        (it.changed, "changed now"),
        (it.done_before, "changed before this run was resumed"),
        (it.already, "unchanged, already as planned"),
        (
            it.merged,
            "merged with changes that others made since the plan",
        ),
        (it.refused, "refused by the plan"),
        (it.versions.len() as u64, "versions published"),
        (it.aliases, "aliases moved"),
        (it.roles_written, "policies of roles written"),
        (
            it.kept_versions.len() as u64,
            "published versions of that run kept",
        ),
        (it.left.len() as u64, "failed, for the reasons below"),
        (
            untried as u64,
            "of these not tried, because the same call was denied before",
        ),
        (it.not_begun, "not started"),
    ]
}
