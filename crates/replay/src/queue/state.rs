//! How far a queue is.
//!
//! SQS counts approximately: a queue is empty once several answers in a row say so, which is the caller's to
//! judge.

use aws_sdk_sqs::types::QueueAttributeName as Name;
use serde::Deserialize;

use super::explained;
use super::send::Queue;

const DENIED: &str = "grant sqs:GetQueueAttributes on the queue";

/// What a queue says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Depth {
    pub arn: String,
    /// Messages that wait.
    pub waiting: u64,
    /// Messages that somebody works on.
    pub in_flight: u64,
    /// Messages that are not to be received yet.
    pub delayed: u64,
    /// Receives after which SQS moves a message to the dead-letter queue.
    pub most_receives: Option<u32>,
    /// The ARN of the dead-letter queue.
    pub dead_letters: Option<String>,
}

impl Depth {
    pub fn total(&self) -> u64 {
        self.waiting + self.in_flight + self.delayed
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Redrive {
    dead_letter_target_arn: String,
    max_receive_count: Number,
}

/// SQS gives it as it was set.
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Number(u32),
    Text(String),
}

impl Queue {
    /// How far it is.
    pub async fn depth(&self) -> anyhow::Result<Depth> {
        let request = self.client.get_queue_attributes().queue_url(&self.url);
        let answer = request.attribute_names(Name::All).send().await;
        let answer =
            answer.map_err(|error| explained("reading the state of the queue", &error, DENIED))?;
        let text = |name: Name| answer.attributes().and_then(|all| all.get(&name));
        let number = |name: Name| {
            let text = text(name).and_then(|text| text.parse().ok());
            text.unwrap_or_default()
        };
        let redrive = text(Name::RedrivePolicy);
        let redrive = redrive.and_then(|text| serde_json::from_str::<Redrive>(text).ok());
        Ok(Depth {
            arn: text(Name::QueueArn).cloned().unwrap_or_default(),
            waiting: number(Name::ApproximateNumberOfMessages),
            in_flight: number(Name::ApproximateNumberOfMessagesNotVisible),
            delayed: number(Name::ApproximateNumberOfMessagesDelayed),
            most_receives: redrive.as_ref().and_then(|it| match &it.max_receive_count {
                Number::Number(number) => Some(*number),
                Number::Text(text) => text.parse().ok(),
            }),
            dead_letters: redrive.map(|it| it.dead_letter_target_arn),
        })
    }
}
