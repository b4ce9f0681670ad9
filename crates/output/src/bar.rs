//! Progress bars on stderr, on a terminal only.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use indicatif::{
    HumanDuration, MultiProgress, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};

use crate::escape;

/// A progress bar; nothing at all where nothing may be drawn.
#[derive(Debug, Clone)]
pub struct Bar(ProgressBar);

impl Bar {
    /// A bar in the given template.
    pub fn new(draws: bool, template: &str) -> Self {
        let bar = ProgressBar::with_draw_target(Some(0), target(draws));
        bar.set_style(style(template));
        Self(bar)
    }

    /// There is so much more to do.
    pub fn lengthen(&self, by: u64) {
        self.0.inc_length(by);
    }

    /// One more is done.
    pub fn advance(&self, message: &str) {
        self.advance_by(1, message);
    }

    /// So much more is done.
    pub fn advance_by(&self, by: u64, message: &str) {
        self.0.set_message(escape::line(message));
        advance(&self.0, by);
    }

    /// Prints something above it.
    pub fn above(&self, print: impl FnOnce()) {
        self.0.suspend(print);
    }

    /// Takes it away.
    pub fn clear(&self) {
        self.0.finish_and_clear();
    }
}

/// A few lines, the first of them a bar.
#[derive(Debug)]
pub struct Lines {
    all: MultiProgress,
    lines: Vec<ProgressBar>,
}

impl Lines {
    /// A bar over `length` in the given template, and `count` lines below it.
    pub fn new(draws: bool, length: u64, template: &str, count: usize) -> Self {
        let all = MultiProgress::with_draw_target(target(draws));
        let bar = all.add(ProgressBar::new(length));
        bar.set_style(style(template));
        let mut lines = vec![bar];
        for _ in 0..count {
            let line = all.add(ProgressBar::new(0));
            line.set_style(style("{msg}"));
            lines.push(line);
        }
        Self { all, lines }
    }

    /// Draws the bar at `position`, and the lines.
    pub fn draw(&self, position: u64, messages: impl IntoIterator<Item = String>) {
        for (line, message) in self.lines.iter().zip(messages) {
            line.set_message(escape::line(&message));
        }
        if let Some(bar) = self.lines.first() {
            bar.set_position(position);
        }
    }

    /// Takes them away.
    pub fn clear(&self) {
        for line in &self.lines {
            line.finish_and_clear();
        }
        // What cannot be cleared is only left standing.
        self.all.clear().ok();
    }
}

/// A bar for each place with work in progress.
#[derive(Debug)]
pub struct PlaceBars {
    all: MultiProgress,
    bars: Mutex<BTreeMap<String, ProgressBar>>,
}

impl PlaceBars {
    pub fn new(draws: bool) -> Self {
        Self {
            all: MultiProgress::with_draw_target(target(draws)),
            bars: Mutex::default(),
        }
    }

    /// There is so much more to do there.
    pub fn lengthen(&self, place: &str, by: u64) {
        if by == 0 {
            // Where there is nothing to do there is nothing to draw.
            return;
        }
        let mut bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        let bar = bars.entry(place.to_owned()).or_insert_with(|| {
            let bar = self.all.add(ProgressBar::new(0));
            bar.set_style(style("{prefix} {bar:30} {pos}/{len}  {left}"));
            bar.with_prefix(escape::line(place))
        });
        bar.inc_length(by);
    }

    /// One more is done there.
    pub fn advance(&self, place: &str) {
        let bars = self.bars.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = bars.get(place) {
            advance(bar, 1);
        }
    }

    /// Has something be printed above them.
    pub fn above(&self, print: impl FnOnce()) {
        self.all.suspend(print);
    }

    /// Takes them away.
    pub fn clear(&self) {
        // What cannot be cleared is only left standing.
        self.all.clear().ok();
    }
}

fn target(draws: bool) -> ProgressDrawTarget {
    if draws {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    }
}

/// Never further than its end: what is found later is added to its length first.
fn advance(bar: &ProgressBar, by: u64) {
    let room = (bar.length()).map_or(by, |length| length.saturating_sub(bar.position()));
    bar.inc(by.min(room));
}

/// The time that is left, where it can be known: `{left}` in a template.
fn left(state: &ProgressState, text: &mut dyn fmt::Write) {
    let (done, all) = (state.pos(), state.len().unwrap_or(0));
    let seconds = state.eta().as_secs();
    if done > 0 && done < all && seconds > 0 {
        // What cannot be written is not drawn.
        write!(
            text,
            "{:#} left",
            HumanDuration(Duration::from_secs(seconds))
        )
        .ok();
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("left", left)
        .progress_chars("█▌ ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_never_beyond_its_end() {
        for (steps, expected) in [
            (&[5, 3][..], 8),
            (&[1; 9][..], 8),
            (&[5, u64::MAX][..], 8),
            (&[2][..], 2),
        ] {
            let bar = ProgressBar::hidden();
            bar.set_length(8);
            for by in steps {
                advance(&bar, *by);
            }
            assert_eq!(bar.position(), expected, "{steps:?}");
        }
    }

    #[test]
    fn a_place_without_work_has_no_bar() {
        let bars = PlaceBars::new(false);
        bars.lengthen("a", 0);
        bars.lengthen("b", 2);
        let bars = bars.bars.into_inner().expect("nothing panics");
        assert_eq!(bars.keys().collect::<Vec<_>>(), ["b"]);
    }
}
