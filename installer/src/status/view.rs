//! A status as people read it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;

use super::{LayerState, Seen, Status};
use crate::fleet::Place;
use crate::layer::Release;
use crate::output::{Columns, Report, Style, grouped, plural};

/// So many names are shown of functions of which the same is said.
const NAMES: usize = 8;

/// A status, or only what drifted.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct View {
    #[serde(flatten)]
    status: Status,
    #[serde(skip)]
    is_drift_only: bool,
}

impl View {
    /// All of it, or only the functions that drifted; counts are of all.
    pub fn new(mut status: Status, is_drift_only: bool) -> Self {
        if is_drift_only {
            status.functions.retain(|seen| !seen.drift.is_empty());
        }
        Self {
            status,
            is_drift_only,
        }
    }
}

impl Report for View {
    fn text(&self, style: Style) -> String {
        let status = &self.status;
        let coverage = status.coverage;
        let title = format!(
            "{} of {} with the layer, {} without, {} that cannot have it; {} drifted",
            grouped(coverage.with),
            plural(coverage.functions, "function"),
            grouped(coverage.without),
            grouped(coverage.cannot),
            grouped(coverage.drifted),
        );
        let is_good = status.is_whole() && status.is_as_wanted();
        let mut text = style.verdict(is_good, &title) + "\n";
        let mut paragraph = |paragraph: String| {
            if !paragraph.is_empty() {
                // Writing to a String cannot fail.
                write!(text, "\n{paragraph}").unwrap_or_default();
            }
        };
        if !self.is_drift_only {
            paragraph(places(status));
            paragraph(layers(status));
        }
        paragraph(drifted(status));
        if !self.is_drift_only {
            let groups = [
                ("Without the layer", LayerState::Without),
                ("Cannot have it", LayerState::Cannot),
            ];
            for (heading, state) in groups {
                paragraph(names(heading, status, |seen| seen.layer_state == state));
            }
            paragraph(names("Attached, not from here", status, |seen| {
                seen.layer_state == LayerState::With && !seen.is_from_here
            }));
            paragraph(names("Environment unreadable", status, |seen| {
                !seen.is_environment_readable
            }));
        }
        for name in &status.missing {
            paragraph(format!("Not found: {name}\n"));
        }
        for skipped in &status.skipped {
            let region = skipped.region.as_deref().unwrap_or("(every region)");
            let (account, reason) = (&skipped.account, skipped.reason.replace('\n', "\n  "));
            paragraph(format!("Left out: {account} {region}: {reason}\n"));
        }
        text
    }
}

fn places(status: &Status) -> String {
    if status.places.is_empty() {
        return String::new();
    }
    let mut columns = Columns::new(&[
        "Account",
        "Region",
        ">Functions",
        ">With",
        ">Without",
        ">Cannot",
        ">Drifted",
        ">Not from here",
    ]);
    for at in &status.places {
        let it = at.coverage;
        let counts = [
            it.functions,
            it.with,
            it.without,
            it.cannot,
            it.drifted,
            it.not_from_here,
        ];
        let place = [at.place.account.clone(), at.place.region.clone()];
        columns.row(place.into_iter().chain(counts.map(grouped)));
    }
    columns.to_string()
}

fn layers(status: &Status) -> String {
    if status.layers.is_empty() {
        return String::new();
    }
    let mut columns = Columns::new(&["Release", ">Functions", "Layer version"]);
    for it in &status.layers {
        let release =
            (it.release.as_ref()).map_or_else(|| "unknown".to_owned(), Release::to_string);
        columns.row([release, grouped(it.functions), it.layer.clone()]);
    }
    let skew = if status.is_skewed {
        "More than one release is in use: `backstop attach` with the layers of one brings them together\n"
    } else {
        ""
    };
    format!("{columns}{skew}")
}

fn drifted(status: &Status) -> String {
    let mut columns = Columns::new(&["Drifted", "Account", "Region", "What"]);
    let drifted: Vec<&Seen> = (status.functions.iter())
        .filter(|seen| !seen.drift.is_empty())
        .collect();
    if drifted.is_empty() {
        return String::new();
    }
    for seen in drifted {
        for drift in &seen.drift {
            let place = &seen.place;
            columns.row([
                seen.name.clone(),
                place.account.clone(),
                place.region.clone(),
                drift.to_string(),
            ]);
        }
    }
    columns.to_string()
}

/// A heading, and the names by place.
fn names(heading: &str, status: &Status, is_one: impl Fn(&Seen) -> bool) -> String {
    let mut places: BTreeMap<&Place, Vec<String>> = BTreeMap::new();
    for seen in status.functions.iter().filter(|seen| is_one(seen)) {
        let reason = (seen.reason.as_ref()).map_or_else(String::new, |it| format!(" ({it})"));
        let names = places.entry(&seen.place).or_default();
        names.push(format!("{}{reason}", seen.name));
    }
    if places.is_empty() {
        return String::new();
    }
    let mut text = format!("{heading}\n");
    for (place, names) in places {
        let shown = names.iter().take(NAMES).map(String::as_str);
        let shown = shown.collect::<Vec<_>>().join(", ");
        let more = names.len().saturating_sub(NAMES);
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        // Writing to a String cannot fail.
        writeln!(text, "  {place}: {shown}{more}").unwrap_or_default();
    }
    text
}
