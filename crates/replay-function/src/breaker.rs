//! The breaker outside of the function: a marker in the bucket, and the event source mapping.
//!
//! The marker makes every environment fail fast; the mapping, once disabled, lets messages wait without being
//! received, so that none of them comes nearer to the dead-letter queue. Invariants: the marker is written
//! before the mapping is disabled, and removed before it is enabled; what a person stopped, a probe alone does
//! not start.

use backstop_common::Failure;
use backstop_replay::queue::Order;

use crate::app::App;

impl App {
    /// Stops all environments. True if they were not stopped before.
    pub(crate) async fn trip(
        &self,
        reason: &str,
        is_manual: bool,
        order: Option<Order>,
    ) -> anyhow::Result<bool> {
        let is_new = self.state().await?.halt(reason, is_manual, order).await?;
        if self.queue.is_some() {
            let arn = self.queue_facts().await?.arn.clone();
            self.enable_mapping(&arn, false).await?;
        }
        Ok(is_new)
    }

    /// Starts them again.
    pub(crate) async fn reset(&self) -> anyhow::Result<()> {
        self.state().await?.resume().await?;
        let arn = self.queue_facts().await?.arn.clone();
        self.enable_mapping(&arn, true).await
    }

    /// Enables or disables the mapping from a queue to this function.
    pub(crate) async fn enable_mapping(&self, queue_arn: &str, is_on: bool) -> anyhow::Result<()> {
        set_mapping(
            &self.clients.lambda,
            &self.settings.function,
            queue_arn,
            is_on,
        )
        .await
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
