//! The transforms in a parameter as a dimension: it answers late, fails for a while, or never answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use backstop_delivery::NoSecret;
use futures_util::FutureExt as _;
use proptest::prelude::*;
use tokio::time::sleep;

use super::steps::Setup;
use crate::pipeline::{Ask, Late, Routes, TransformStage, Unknown};

/// Where the transforms and the route are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Parameter {
    /// In the environment.
    None,
    /// In a parameter, whose store answers after this number of milliseconds.
    Answers(u64),
    /// The same, after a number of reads that fail.
    Fails { times: u64, after_ms: u64 },
    /// It is never answered.
    Hangs,
}

impl Parameter {
    /// Whether it costs an invocation, or a shutdown, less time than a sink.
    pub(super) fn is_well(self) -> bool {
        matches!(self, Self::None | Self::Answers(0..=100))
    }
}

pub(super) fn parameter() -> impl Strategy<Value = Parameter> {
    prop_oneof![
        6 => Just(Parameter::None),
        2 => prop::sample::select(vec![0, 50, 100, 400, 2_000]).prop_map(Parameter::Answers),
        1 => (1..4_u64, prop::sample::select(vec![0, 50, 5_000]))
            .prop_map(|(times, after_ms)| Parameter::Fails { times, after_ms }),
        1 => Just(Parameter::Hangs),
    ]
}

impl Setup {
    /// What the pipeline begins with: transforms and routes, unless it has to ask.
    pub(super) fn beginning(&self) -> (TransformStage, Routes, Option<Unknown>) {
        if self.parameter == Parameter::None {
            return (self.transforms(), self.routes(), None);
        }
        let setup = self.clone();
        let tries = Arc::new(AtomicU64::new(0));
        let ask: Ask = Box::new(move || {
            let (setup, tries) = (setup.clone(), Arc::clone(&tries));
            async move {
                let tries = tries.fetch_add(1, Ordering::Relaxed);
                let (failures, after) = match setup.parameter {
                    Parameter::None => (0, 0),
                    Parameter::Answers(after) => (0, after),
                    Parameter::Fails { times, after_ms } => (times, after_ms),
                    // The client's own bound.
                    Parameter::Hangs => (u64::MAX, 5_000),
                };
                sleep(Duration::from_millis(after)).await;
                if tries < failures {
                    return Err(NoSecret::timed_out("Parameter Store").into());
                }
                Ok(Late {
                    transforms: setup.transforms(),
                    routes: setup.routes(),
                    errors: Vec::new(),
                })
            }
            .boxed()
        });
        let unknown = Unknown::Parameter(ask);
        (TransformStage::none(), Routes::default(), Some(unknown))
    }
}
