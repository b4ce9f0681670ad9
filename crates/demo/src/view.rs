//! Progress of the demo: a few lines redrawn on a terminal, one line per phase elsewhere.
//!
//! Must not: be asked for numbers that the result needs; what it shows is as of now and no more.

use backstop_output::{Lines, Output, grouped};

use crate::stage::Stage;
use crate::timeline::Sample;

const BAR: &str = "invocations  {bar:40} {pos}/{len}  {elapsed}";

#[derive(Debug)]
pub struct View {
    output: Output,
    lines: Lines,
}

impl View {
    /// A view of this many invocations.
    pub fn new(output: Output, invocations: u32) -> Self {
        Self {
            output,
            lines: Lines::new(output.draws(), u64::from(invocations), BAR, 3),
        }
    }

    /// A new phase begins.
    pub(super) fn phase(&self, text: &str) {
        if !self.output.draws() {
            self.output.progress(text);
        }
    }

    /// Draws what is so after an invocation.
    pub(super) fn show(&self, stage: &Stage, sample: &Sample) {
        if !self.output.draws() {
            return;
        }
        let Sample {
            https,
            firehose,
            s3,
            ..
        } = *sample;
        let pending = (stage.environment.emitted()).saturating_sub(https + firehose + s3);
        let primary = if sample.primary_down { "DOWN" } else { "up" };
        let breaker = if sample.breaker_open {
            "open"
        } else {
            "closed"
        };
        self.lines.draw(
            u64::from(sample.invocation),
            [
                String::new(),
                format!("primary      {primary:8} breaker {breaker}"),
                format!(
                    "records      https {}  firehose {}  s3 {}",
                    grouped(https),
                    grouped(firehose),
                    grouped(s3)
                ),
                format!("in flight {}", grouped(pending)),
            ],
        );
    }

    /// Takes it away.
    pub fn clear(&self) {
        self.lines.clear();
    }
}
