//! The breaker outside of the function: a marker in the bucket, and the event source mapping.
//!
//! The marker makes every environment fail fast; the mapping, once disabled, lets messages wait without being
//! received, so that none of them comes nearer to the dead-letter queue. Invariants: the marker is written
//! before the mapping is changed, and the mapping follows it, never a marker that was read earlier; what a
//! person stopped, a probe alone does not start.

use backstop_common::Failure;

use crate::app::App;
use crate::state::{Halted, Standing};

/// The marker may be written again while the mapping follows it.
const ROUNDS: usize = 3;

impl App {
    /// Stops all environments. True if they were not stopped before.
    pub(crate) async fn trip(&self, halted: &Halted) -> anyhow::Result<bool> {
        let is_new = self.state().await?.halt(halted).await?;
        self.follow_marker().await?;
        Ok(is_new)
    }

    /// Starts them again, unless somebody has stopped them again since the marker was read.
    pub(crate) async fn reset(&self, standing: &Standing) -> anyhow::Result<bool> {
        let is_reset = self.state().await?.resume(standing).await?;
        self.follow_marker().await?;
        Ok(is_reset)
    }

    /// Disables the mapping where the marker says so, and enables it where it does not.
    pub(crate) async fn follow_marker(&self) -> anyhow::Result<()> {
        if self.queue.is_none() {
            return Ok(());
        }
        let arn = self.queue_facts().await?.arn.clone();
        let state = self.state().await?;
        let mut is_on = state.halted().await?.is_none();
        for _ in 0..ROUNDS {
            set_mapping(&self.clients.lambda, &self.settings.function, &arn, is_on).await?;
            let was_on = std::mem::replace(&mut is_on, state.halted().await?.is_none());
            if was_on == is_on {
                break;
            }
        }
        Ok(())
    }
}

/// Enables or disables the mapping from a queue to a function.
pub(crate) async fn set_mapping(
    lambda: &aws_sdk_lambda::Client,
    function: &str,
    queue_arn: &str,
    is_on: bool,
) -> anyhow::Result<()> {
    let listed = lambda
        .list_event_source_mappings()
        .function_name(function)
        .event_source_arn(queue_arn)
        .send()
        .await
        .map_err(|error| Failure::of("listing the event source mappings", &error))?;
    for mapping in listed.event_source_mappings() {
        let (Some(id), state) = (mapping.uuid(), mapping.state().unwrap_or_default()) else {
            continue;
        };
        let is_as_wanted = match state {
            "Enabled" | "Enabling" => is_on,
            "Disabled" | "Disabling" => !is_on,
            // What is being created, changed or deleted cannot be judged: the call says.
            _ => false,
        };
        if is_as_wanted {
            continue;
        }
        lambda
            .update_event_source_mapping()
            .uuid(id)
            .enabled(is_on)
            .send()
            .await
            .map_err(|error| Failure::of("changing the event source mapping", &error))?;
    }
    Ok(())
}
