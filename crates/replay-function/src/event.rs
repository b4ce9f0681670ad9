//! What the function is invoked with.
//!
//! Invariant: each form is known by its own members; what is none of them is refused with the forms that
//! there are. Must not: judge what a message says.

use serde::Deserialize;
use serde_json::Value;

const FORMS: &str = "the event has none of the forms that this function knows: messages of SQS, a batch of a \
    Distributed Map (`Items`) or one object of it (`Key`), an alarm of CloudWatch, or {\"mode\": \"probe\"}, \
    {\"mode\": \"resume\"} or {\"mode\": \"halt\"}";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// Messages of the queue.
    Messages(Vec<Message>),
    /// Objects of a Distributed Map.
    Items(Items),
    /// Look whether there is something to replay and whether the primary answers, and begin.
    Probe,
    /// Look whether the primary answers, and go on with what is in the queue.
    Resume,
    /// Stop, for this reason.
    Halt(String),
    /// An alarm that ended: nothing is done.
    Nothing,
}

/// A message of the queue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Message {
    /// What a failure is reported under.
    #[serde(rename = "messageId")]
    pub(crate) id: String,
    /// What its visibility is changed with.
    #[serde(default)]
    pub(crate) receipt_handle: String,
    /// What it says.
    pub(crate) body: String,
    /// What SQS says of it.
    #[serde(default)]
    pub(crate) attributes: Attributes,
    /// The ARN of the queue.
    #[serde(default, rename = "eventSourceARN")]
    pub(crate) queue_arn: String,
}

/// What SQS says of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Attributes {
    /// How often it was received, this time included.
    pub(crate) approximate_receive_count: String,
}

impl Message {
    /// How often it was received, this time included.
    pub(crate) fn receives(&self) -> u32 {
        let count = self.attributes.approximate_receive_count.parse();
        count.unwrap_or(1).max(1)
    }
}

/// A batch of a Distributed Map.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Items {
    /// The objects, as S3 lists them.
    pub(crate) items: Vec<Item>,
}

/// An object of a Distributed Map.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Item {
    pub(crate) key: String,
    #[serde(default)]
    pub(crate) size: u64,
    /// What tells it from another one under its key.
    #[serde(default, alias = "ETag")]
    pub(crate) etag: Option<String>,
}

impl Event {
    /// Reads one. An error quotes nothing of it.
    pub(crate) fn parse(event: Value) -> Result<Self, &'static str> {
        if event.get("Records").is_some() {
            #[derive(Deserialize)]
            #[serde(rename_all = "PascalCase")]
            struct Records {
                records: Vec<Message>,
            }
            let records = serde_json::from_value::<Records>(event);
            return records
                .map(|it| Self::Messages(it.records))
                .map_err(|_| "the event has `Records` that are not messages of SQS");
        }
        if event.get("Items").is_some() {
            let items = serde_json::from_value::<Items>(event);
            return items
                .map(Self::Items)
                .map_err(|_| "the event has `Items` that are not objects as S3 lists them");
        }
        // A map without an `ItemBatcher`.
        if event.get("Key").is_some() {
            let item = serde_json::from_value::<Item>(event);
            return item
                .map(|item| Self::Items(Items { items: vec![item] }))
                .map_err(|_| "the event has a `Key` and is not an object as S3 lists it");
        }
        if event["source"] == "aws.cloudwatch" {
            let data = &event["alarmData"];
            if data["state"]["value"] != "ALARM" {
                return Ok(Self::Nothing);
            }
            let name = data["alarmName"].as_str().unwrap_or_default();
            let name: String = name.chars().filter(|it| !it.is_control()).collect();
            return Ok(Self::Halt(format!("the alarm {name}")));
        }
        match event["mode"].as_str() {
            Some("probe") => Ok(Self::Probe),
            Some("resume") => Ok(Self::Resume),
            Some("halt") => Ok(Self::Halt("by hand".to_owned())),
            _ => Err(FORMS),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_form_of_an_event_is_known_by_its_members() {
        let sqs = json!({ "Records": [{
            "messageId": "m", "receiptHandle": "r", "body": "b", "eventSource": "aws:sqs",
            "attributes": { "ApproximateReceiveCount": "3", "SentTimestamp": "1" },
        }]});
        let Ok(Event::Messages(messages)) = Event::parse(sqs) else {
            panic!("they are messages");
        };
        assert_eq!(
            (messages[0].receives(), messages[0].body.as_str()),
            (3, "b")
        );
        let object = json!(
            { "Key": "k", "Size": 7, "Etag": "\"e\"", "StorageClass": "STANDARD", "LastModified": 1 }
        );
        for map in [json!({ "BatchInput": {}, "Items": [object] }), object] {
            let Ok(Event::Items(items)) = Event::parse(map) else {
                panic!("they are objects");
            };
            assert_eq!(items.items.len(), 1);
            assert_eq!(
                (items.items[0].size, items.items[0].etag.as_deref()),
                (7, Some("\"e\""))
            );
        }
        let alarm = |state: &str| {
            json!({ "source": "aws.cloudwatch", "alarmArn": "a", "alarmData": {
                "alarmName": "dlq\n", "state": { "value": state },
            }})
        };
        assert_eq!(
            Event::parse(alarm("ALARM")),
            Ok(Event::Halt("the alarm dlq".to_owned()))
        );
        assert_eq!(Event::parse(alarm("OK")), Ok(Event::Nothing));
        assert_eq!(Event::parse(json!({ "mode": "probe" })), Ok(Event::Probe));
        assert_eq!(Event::parse(json!({ "mode": "resume" })), Ok(Event::Resume));
        for foreign in [
            json!({}),
            json!(7),
            json!({ "mode": "hunter2" }),
            json!({ "Records": 7 }),
            json!({ "Key": 7 }),
        ] {
            let error = Event::parse(foreign.clone()).expect_err("it has no form");
            assert!(!error.contains("hunter2"), "{foreign}");
        }
    }
}
