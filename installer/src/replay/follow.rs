//! A replay that AWS runs, from outside: how far a queue, or an execution of Step Functions, is.
//!
//! Invariants: a queue is empty once it has said so for a minute, as SQS counts approximately; a replay that is
//! halted has ended, as nothing more happens; what was in the dead-letter queue before is not of this replay;
//! the address of a queue is not shown where it has a password. Must not: change anything.

use std::time::Duration;

use anyhow::bail;
use aws_config::SdkConfig;
use aws_sdk_sfn::types::ExecutionStatus;
use backstop_config::Arn;
use backstop_replay::queue::{Depth, Queue};
use serde::Serialize;

use crate::aws::{Access, Failure, Kind};
use crate::output::{Report, Style, Table, grouped, plural};
use crate::usage::UsageError;

/// How often it is looked at.
pub const OFTEN: Duration = Duration::from_secs(2);
/// Answers in a row that say that nothing is left: SQS's counts settle within a minute.
const EMPTY: u32 = 30;
/// Answers in a row that say that nothing is received any more.
const HALTED: u32 = 3;
const TIMEOUT: Duration = Duration::from_secs(30);

/// Nothing tells a replay that is halted from one that is slow.
const BLIND: &str = "Cannot see whether the replay is halted: grant lambda:ListEventSourceMappings";
const GO_ON: &str = "the replay is halted: the function's log says why; fix it, then invoke the function with \
    {\"mode\": \"resume\"}";

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
    /// The function receives nothing: its event source mapping is disabled.
    pub is_halted: bool,
    /// It is a queue, which counts objects.
    #[serde(skip)]
    is_queue: bool,
}

/// What is followed.
#[derive(Debug)]
pub struct Following(Followee, Option<&'static str>);

#[derive(Debug)]
enum Followee {
    Queue {
        queue: Queue,
        dead_letters: Option<Queue>,
        /// Of the event source mappings, until the caller turns out not to be allowed to see them.
        lambda: Option<aws_sdk_lambda::Client>,
        counted: Counted,
    },
    Execution {
        client: aws_sdk_sfn::Client,
        arn: String,
    },
}

/// What was seen of a queue so far.
#[derive(Debug, Default)]
struct Counted {
    /// In the dead-letter queue, before.
    buried: u64,
    most: u64,
    empty: u32,
    halted: u32,
}

impl Counted {
    fn look(&mut self, depth: &Depth, buried: u64, is_received: bool) -> Followed {
        let left = depth.total();
        self.most = left.max(self.most);
        self.empty = if left == 0 { self.empty + 1 } else { 0 };
        // What is in flight is still being worked on.
        let is_halted = !is_received && left > 0 && depth.in_flight == 0;
        self.halted = if is_halted { self.halted + 1 } else { 0 };
        let failed = buried.saturating_sub(self.buried);
        Followed {
            done: (self.most - left).saturating_sub(failed),
            left,
            failed,
            status: None,
            is_ended: self.empty >= EMPTY || self.halted >= HALTED,
            is_halted: self.halted >= HALTED,
            is_queue: true,
        }
    }
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
            return Ok(Self(Followee::Execution { client, arn }, None));
        }
        let shared = queue_config(place, access).await?;
        let client = aws_sdk_sqs::Client::new(&shared);
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
        Ok(Self(
            Followee::Queue {
                queue,
                dead_letters,
                lambda: Some(aws_sdk_lambda::Client::new(&shared)),
                counted: Counted {
                    buried,
                    most: depth.total(),
                    ..Counted::default()
                },
            },
            None,
        ))
    }

    /// What the caller should know of it, once.
    pub fn warning(&mut self) -> Option<&'static str> {
        self.1.take()
    }

    /// How far it is now.
    pub async fn look(&mut self) -> anyhow::Result<Followed> {
        match &mut self.0 {
            Followee::Queue {
                queue,
                dead_letters,
                lambda,
                counted,
            } => {
                let depth = queue.depth().await?;
                let buried = match dead_letters {
                    Some(queue) => queue.depth().await?.total(),
                    None => 0,
                };
                let is_received = match lambda {
                    Some(client) => match is_received(client, &depth.arn).await {
                        Ok(is_received) => is_received,
                        Err(failure) if failure.kind == Kind::Denied => {
                            *lambda = None;
                            self.1 = Some(BLIND);
                            true
                        }
                        Err(failure) => return Err(failure.into()),
                    },
                    None => true,
                };
                Ok(counted.look(&depth, buried, is_received))
            }
            Followee::Execution { client, arn } => execution(client, arn).await,
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

/// Whether a function receives from a queue, or none is known to.
async fn is_received(client: &aws_sdk_lambda::Client, arn: &str) -> Result<bool, Failure> {
    let listed = client.list_event_source_mappings().event_source_arn(arn);
    let listed = listed.send().await;
    let listed = listed.map_err(|error| Failure::of("listing the queue's mappings", &error))?;
    let mut states = listed.event_source_mappings().iter().map(|it| it.state());
    Ok(states.len() == 0 || states.any(|it| !matches!(it, Some("Disabled" | "Disabling"))))
}

/// The client of a queue, in the region that its URL names.
pub async fn queue_client(url: &str, access: &Access) -> anyhow::Result<aws_sdk_sqs::Client> {
    Ok(aws_sdk_sqs::Client::new(&queue_config(url, access).await?))
}

async fn queue_config(url: &str, access: &Access) -> anyhow::Result<SdkConfig> {
    let parsed = url::Url::parse(url).ok().filter(|url| {
        let is_web = matches!(url.scheme(), "https" | "http");
        is_web && url.path_segments().is_some_and(|parts| parts.count() >= 2)
    });
    let Some(parsed) = parsed else {
        return Err(form().into());
    };
    if !parsed.username().is_empty() || parsed.password().is_some() {
        let problem = "the URL of a queue has no user name and no password: take them out";
        return Err(UsageError(problem.to_owned()).into());
    }
    let mut access = access.clone();
    // The region that was typed is the bucket's.
    if let Some(region) = region_of(parsed.host_str().unwrap_or_default()) {
        access.region = Some(region.to_owned());
    }
    access.check().await?;
    let shared = access.shared(TIMEOUT).await;
    if shared.region().is_none() {
        let problem = "the URL of the queue names no region: give the queue's with --region";
        return Err(UsageError(problem.to_owned()).into());
    }
    Ok(shared)
}

/// The region in the name of a host of SQS.
fn region_of(host: &str) -> Option<&str> {
    let labels: Vec<&str> = host.split('.').collect();
    let at = labels
        .iter()
        .position(|label| ["sqs", "sqs-fips"].contains(label));
    match at {
        Some(at) => labels.get(at + 1).copied(),
        // As it was written before 2011.
        None => (labels.get(1) == Some(&"queue")).then(|| labels[0]),
    }
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
        self.is_ended && !self.is_halted && self.failed == 0 && is_well
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
            _ if self.is_halted => format!("{said}, {} left; {GO_ON}", grouped(self.left)),
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
    fn a_queue_is_followed_until_it_is_surely_empty_or_nothing_receives_from_it() {
        let depth = |waiting, in_flight| Depth {
            waiting,
            in_flight,
            ..Depth::default()
        };
        let mut counted = Counted {
            buried: 2,
            ..Counted::default()
        };
        // It is followed before the first message shows.
        for _ in 0..EMPTY - 1 {
            assert!(!counted.look(&depth(0, 0), 2, true).is_ended);
        }
        let running = counted.look(&depth(7, 3), 2, true);
        assert_eq!((running.left, running.is_ended), (10, false));
        for _ in 0..EMPTY - 1 {
            assert!(!counted.look(&depth(0, 0), 3, true).is_ended);
        }
        let end = counted.look(&depth(0, 0), 3, true);
        assert_eq!(
            (end.done, end.failed, end.is_ended, end.is_halted),
            (9, 1, true, false)
        );

        // What is in flight is still being worked on.
        for _ in 0..2 * HALTED {
            assert!(!counted.look(&depth(4, 1), 3, false).is_ended);
        }
        let looks = (0..HALTED).map(|_| counted.look(&depth(4, 0), 3, false));
        let halted = looks.last().expect("it was looked at");
        assert!(halted.is_ended && halted.is_halted && !halted.is_complete());
        assert!(!counted.look(&depth(4, 0), 3, true).is_ended, "it goes on");
    }

    #[test]
    fn the_region_of_a_queue_is_in_its_address() {
        for (host, region) in [
            ("sqs.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("sqs-fips.us-east-1.amazonaws.com", Some("us-east-1")),
            ("vpce-1.sqs.eu-west-1.vpce.amazonaws.com", Some("eu-west-1")),
            ("eu-west-1.queue.amazonaws.com", Some("eu-west-1")),
            ("127.0.0.1", None),
            ("localhost", None),
        ] {
            assert_eq!(region_of(host), region, "{host}");
        }
    }

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
