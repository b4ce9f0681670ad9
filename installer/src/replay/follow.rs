//! A replay that AWS runs, from outside: how far a queue, or an execution of Step Functions, is.
//!
//! Invariants: a queue is empty once two answers in a row say so, as SQS counts approximately; what was in the
//! dead-letter queue before is not of this replay. Must not: change anything.

use anyhow::bail;
use aws_sdk_sfn::types::ExecutionStatus;
use backstop_config::Arn;
use backstop_replay::queue::Queue;
use serde::Serialize;

use crate::aws::{Access, Failure};
use crate::output::{Report, Style, Table, grouped, plural};
use crate::usage::UsageError;

/// Answers in a row that say that nothing is left.
const SURE: u32 = 2;
const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(30);

/// How far a replay is.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Followed {
    /// Objects or batches that are done.
    pub done: u64,
    /// Objects or batches that wait, or are being replayed.
    pub left: u64,
    /// Objects that came into the dead-letter queue, or batches that failed.
    pub failed: u64,
    /// The state of the execution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    /// Nothing more happens.
    pub is_ended: bool,
    /// It is a queue, which counts objects.
    #[serde(skip)]
    is_queue: bool,
}

/// What is followed.
#[derive(Debug)]
pub struct Following(Kind);

#[derive(Debug)]
enum Kind {
    Queue {
        queue: Queue,
        dead_letters: Option<Queue>,
        /// In the dead-letter queue, before.
        buried: u64,
        most: u64,
        empty: u32,
    },
    Execution {
        client: aws_sdk_sfn::Client,
        arn: String,
    },
}

impl Following {
    /// A queue by its URL, or an execution by its ARN.
    pub async fn begin(place: &str, access: &Access) -> anyhow::Result<Self> {
        if let Some(arn) = Arn::parse(place) {
            if arn.service != "states" || !arn.resource.contains("execution:") {
                return Err(form().into());
            }
            let access = Access {
                region: Some(arn.region.to_owned()),
                ..access.clone()
            };
            access.check().await?;
            let client = aws_sdk_sfn::Client::new(&access.shared(TIMEOUT).await);
            let arn = place.to_owned();
            return Ok(Self(Kind::Execution { client, arn }));
        }
        let client = queue_client(place, access).await?;
        let queue = Queue::new(client.clone(), place);
        let depth = queue.depth().await?;
        let mut dead_letters = None;
        let mut buried = 0;
        if let Some(arn) = &depth.dead_letters {
            let arn = Arn::parse(arn);
            let (name, owner) = arn.map_or(("", ""), |arn| (arn.resource, arn.account));
            let found = client.get_queue_url().queue_name(name);
            let found = found.queue_owner_aws_account_id(owner).send().await;
            let found =
                found.map_err(|error| Failure::of("finding the dead-letter queue", &error))?;
            let queue = Queue::new(client, found.queue_url().unwrap_or_default());
            buried = queue.depth().await?.total();
            dead_letters = Some(queue);
        }
        Ok(Self(Kind::Queue {
            queue,
            dead_letters,
            buried,
            most: depth.total(),
            empty: 0,
        }))
    }

    /// How far it is now.
    pub async fn look(&mut self) -> anyhow::Result<Followed> {
        match &mut self.0 {
            Kind::Queue {
                queue,
                dead_letters,
                buried,
                most,
                empty,
            } => {
                let left = queue.depth().await?.total();
                let now = match dead_letters {
                    Some(queue) => queue.depth().await?.total(),
                    None => 0,
                };
                *most = left.max(*most);
                *empty = if left == 0 { *empty + 1 } else { 0 };
                let failed = now.saturating_sub(*buried);
                Ok(Followed {
                    done: (*most - left).saturating_sub(failed),
                    left,
                    failed,
                    status: None,
                    is_ended: *empty >= SURE,
                    is_queue: true,
                })
            }
            Kind::Execution { client, arn } => execution(client, arn).await,
        }
    }
}

fn form() -> UsageError {
    UsageError(
        "this is neither the URL of a queue nor the ARN of an execution: write it as \
         https://sqs.REGION.amazonaws.com/ACCOUNT/NAME or \
         arn:aws:states:REGION:ACCOUNT:execution:MACHINE:NAME"
            .to_owned(),
    )
}

/// The client of a queue, in the region that its URL names.
pub async fn queue_client(url: &str, access: &Access) -> anyhow::Result<aws_sdk_sqs::Client> {
    let parsed = url::Url::parse(url).ok().filter(|url| {
        let is_web = matches!(url.scheme(), "https" | "http");
        is_web && url.path_segments().is_some_and(|parts| parts.count() >= 2)
    });
    let Some(parsed) = parsed else {
        return Err(form().into());
    };
    let host = parsed.host_str().unwrap_or_default();
    let named = host
        .strip_prefix("sqs.")
        .and_then(|rest| rest.split('.').next());
    let mut access = access.clone();
    if access.region.is_none() {
        access.region = named.map(str::to_owned);
    }
    access.check().await?;
    Ok(aws_sdk_sqs::Client::new(&access.shared(TIMEOUT).await))
}

async fn execution(client: &aws_sdk_sfn::Client, arn: &str) -> anyhow::Result<Followed> {
    let described = client.describe_execution().execution_arn(arn).send().await;
    let described = described.map_err(|error| Failure::of("reading the execution", &error))?;
    let status = described.status().clone();
    let runs = client.list_map_runs().execution_arn(arn).send().await;
    let runs = runs.map_err(|error| Failure::of("listing the execution's map runs", &error))?;
    let mut followed = Followed {
        status: Some(status.as_str().to_owned()),
        is_ended: !matches!(
            status,
            ExecutionStatus::Running | ExecutionStatus::PendingRedrive
        ),
        ..Followed::default()
    };
    for run in runs.map_runs() {
        let run = client.describe_map_run().map_run_arn(run.map_run_arn());
        let run = run.send().await;
        let run = run.map_err(|error| Failure::of("reading the map run", &error))?;
        let Some(counts) = run.item_counts() else {
            continue;
        };
        let number = |count: i64| u64::try_from(count).unwrap_or_default();
        followed.done += number(counts.succeeded());
        followed.failed += number(counts.failed() + counts.timed_out() + counts.aborted());
        followed.left += number(counts.pending() + counts.running());
    }
    if followed.is_ended && followed.left > 0 {
        // What was not begun when it ended.
        followed.failed += std::mem::take(&mut followed.left);
    }
    if followed.status.as_deref() == Some("UNKNOWN") {
        bail!("the execution has a state that this version does not know");
    }
    Ok(followed)
}

impl Followed {
    /// Whether all of it is at the primary, as far as can be seen from here.
    pub fn is_complete(&self) -> bool {
        let is_well = self.status.as_deref().is_none_or(|it| it == "SUCCEEDED");
        self.is_ended && self.failed == 0 && is_well
    }
}

impl Report for Followed {
    fn text(&self, style: Style) -> String {
        let mut table = Table::default();
        if let Some(status) = &self.status {
            table.row("execution", status.clone(), String::new());
        }
        let noun = if self.is_queue { "object" } else { "item" };
        table.row("done", grouped(self.done), String::new());
        table.count_if("left", self.left);
        let failed = if self.is_queue {
            "in the dead-letter queue"
        } else {
            "failed"
        };
        table.count_if(failed, self.failed);
        let said = format!("{} replayed", plural(self.done, noun));
        let said = match (self.is_complete(), self.failed) {
            (true, _) => format!("{said}, none left"),
            (false, 0) => format!("{said}, {} left", grouped(self.left)),
            (false, failed) => format!("{said}, {} not", grouped(failed)),
        };
        format!("{table}\n{}\n", style.verdict(self.is_complete(), &said))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replay_is_complete_once_it_has_ended_and_nothing_failed() {
        let followed = |is_ended, failed, status: Option<&str>| Followed {
            is_ended,
            failed,
            status: status.map(str::to_owned),
            ..Followed::default()
        };
        for (it, is_complete) in [
            (followed(true, 0, None), true),
            (followed(false, 0, None), false),
            (followed(true, 1, None), false),
            (followed(true, 0, Some("SUCCEEDED")), true),
            (followed(true, 0, Some("ABORTED")), false),
        ] {
            assert_eq!(it.is_complete(), is_complete, "{it:?}");
        }
    }
}
