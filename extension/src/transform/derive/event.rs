//! A platform event, as far as something is derived of it.
//!
//! Invariant: what it does not say is absent, and not guessed.

use std::borrow::Cow;

use backstop_delivery::Wall;
use backstop_json::Json;

/// An event, taken apart.
pub(super) struct Event<'a> {
    pub(super) time: Cow<'a, str>,
    pub(super) kind: Cow<'a, str>,
    pub(super) at: Option<Wall>,
    /// What it says, but for its metrics.
    pub(super) record: Vec<(Cow<'a, str>, Json<'a>)>,
    pub(super) metrics: Vec<(Cow<'a, str>, Json<'a>)>,
}

impl<'a> Event<'a> {
    pub(super) fn of(fragment: &'a str) -> Self {
        /// Few objects have more members.
        const USUAL: usize = 8;
        let (mut time, mut kind) = (Cow::Borrowed(""), Cow::Borrowed(""));
        let mut record = None;
        let mut all = Json::members_in(fragment);
        while let Some((name, value)) = all.open() {
            if name == "record" {
                // It is the last member.
                record = Some(value);
                break;
            }
            let text = all.pass().and_then(Json::string).unwrap_or_default();
            match &*name {
                "time" => time = text,
                "type" => kind = text,
                _ => {}
            }
        }
        let (mut members, mut metrics) = (Vec::with_capacity(USUAL), Vec::new());
        let mut all = record.map_or(Json::members_in(""), Json::members);
        while let Some((name, value)) = all.open() {
            if name == "metrics" && value.is_object() {
                let mut inner = value.members();
                metrics.reserve(USUAL);
                metrics.extend(&mut inner);
                all.passed(inner.length());
            } else if let Some(value) = all.pass() {
                members.push((name, value));
            } else {
                break;
            }
        }
        Self {
            at: Wall::from_rfc3339(&time),
            time,
            kind,
            metrics,
            record: members,
        }
    }

    pub(super) fn get(&self, name: &str) -> Option<Json<'a>> {
        let mut members = self.record.iter();
        members.find(|(known, _)| known == name).map(|it| it.1)
    }

    pub(super) fn text(&self, name: &str) -> Cow<'a, str> {
        self.get(name).and_then(Json::string).unwrap_or_default()
    }

    pub(super) fn items(&self, name: &str) -> impl Iterator<Item = Json<'a>> {
        self.get(name).into_iter().flat_map(Json::items)
    }

    pub(super) fn metric(&self, name: &str) -> Option<f64> {
        let mut metrics = self.metrics.iter();
        metrics.find(|(known, _)| known == name)?.1.number()
    }

    pub(super) fn seconds(&self, name: &str) -> Option<f64> {
        self.metric(name).map(|milliseconds| milliseconds / 1000.0)
    }

    /// Why it failed; `None` where it did not.
    pub(super) fn failure(&self) -> Option<Cow<'a, str>> {
        let status = self.text("status");
        if matches!(&*status, "" | "success") {
            return None;
        }
        let error = self.text("errorType");
        Some(if error.is_empty() { status } else { error })
    }
}
