//! What the function talks to beside S3 and the primary: Lambda's Runtime API, two queues of SQS, and the
//! event source mapping between them and the function.
//!
//! The mapping takes visible messages, invokes the function, and does with them what the answer says, as
//! Lambda's poller does; the queue moves a message that was received too often. Each call is counted by its
//! action, so that a role can be held to them. Must not: share code with the function.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use serde_json::{Value, json};
use tokio::sync::oneshot;

const QUEUE: &str = "replay";
const DEAD_LETTERS: &str = "replay-dead-letters";
/// Visible again where nobody says otherwise.
const VISIBILITY: Duration = Duration::from_secs(2);

/// A message of a queue.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) body: String,
    pub(crate) reason: Option<String>,
    pub(crate) receives: u32,
    visible_at: SystemTime,
}

/// What the function answered.
pub(crate) type Answer = Result<Value, Value>;

#[derive(Debug, Default)]
struct Inner {
    queues: BTreeMap<String, Vec<Message>>,
    invocations: VecDeque<(String, Value, u64, oneshot::Sender<Answer>)>,
    running: BTreeMap<String, oneshot::Sender<Answer>>,
    calls: BTreeMap<String, u64>,
    next: u64,
    is_on: bool,
    most_receives: u32,
    on_mappings: Hook,
}

/// What a test does when the mappings are listed.
#[derive(Default)]
struct Hook(Option<Box<dyn Fn() + Send>>);

impl std::fmt::Debug for Hook {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Hook")
    }
}

/// The fake cloud.
#[derive(Debug, Clone)]
pub(crate) struct Cloud {
    inner: Arc<Mutex<Inner>>,
    pub(crate) address: std::net::SocketAddr,
}

type Shared = State<Arc<Mutex<Inner>>>;

fn lock(inner: &Arc<Mutex<Inner>>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cloud {
    pub(crate) async fn start(most_receives: u32) -> Self {
        let inner = Arc::new(Mutex::new(Inner {
            is_on: true,
            most_receives,
            ..Inner::default()
        }));
        let routes = Router::new()
            .route("/", post(sqs))
            .route("/2015-03-31/event-source-mappings", get(mappings))
            .route("/2015-03-31/event-source-mappings/", get(mappings))
            .route("/2015-03-31/event-source-mappings/{id}", put(mapping))
            .route("/2018-06-01/runtime/invocation/next", get(next))
            .route(
                "/2018-06-01/runtime/invocation/{id}/response",
                post(response),
            )
            .route("/2018-06-01/runtime/invocation/{id}/error", post(error))
            .with_state(Arc::clone(&inner));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self { inner, address }
    }

    pub(crate) fn queue_url(&self) -> String {
        format!("http://{}/000000000000/{QUEUE}", self.address)
    }

    pub(crate) fn dead_letter_url(&self) -> String {
        format!("http://{}/000000000000/{DEAD_LETTERS}", self.address)
    }

    /// Invokes the function, whatever the mapping says, with this many milliseconds until its timeout.
    pub(crate) async fn invoke(&self, event: Value, timeout: u64) -> Option<Answer> {
        let (sender, answer) = oneshot::channel();
        {
            let mut inner = lock(&self.inner);
            inner.next += 1;
            let id = format!("request-{}", inner.next);
            inner.invocations.push_back((id, event, timeout, sender));
        }
        answer.await.ok()
    }

    /// One turn of the poller: false where there was nothing to take. A function that never answers leaves
    /// its messages invisible for a time.
    pub(crate) async fn poll(&self, batch: usize, timeout: u64) -> bool {
        let taken: Vec<Message> = {
            let mut inner = lock(&self.inner);
            if !inner.is_on {
                return false;
            }
            let most = inner.most_receives;
            let now = SystemTime::now();
            let queue = inner.queues.entry(QUEUE.to_owned()).or_default();
            let (dead, rest) = std::mem::take(queue)
                .into_iter()
                .partition(|it: &Message| it.visible_at <= now && it.receives >= most);
            *queue = rest;
            let ready = queue
                .iter_mut()
                .filter(|it| it.visible_at <= now)
                .take(batch);
            let taken = ready.map(|message| {
                message.receives += 1;
                message.visible_at = now + VISIBILITY;
                message.clone()
            });
            let taken = taken.collect();
            inner
                .queues
                .entry(DEAD_LETTERS.to_owned())
                .or_default()
                .extend(dead);
            taken
        };
        if taken.is_empty() {
            return false;
        }
        let records = taken.iter().map(|message| {
            json!({
                "messageId": message.id,
                "receiptHandle": message.id,
                "body": message.body,
                "attributes": { "ApproximateReceiveCount": message.receives.to_string() },
                "eventSource": "aws:sqs",
                "eventSourceARN": format!("arn:aws:sqs:eu-west-1:000000000000:{QUEUE}"),
            })
        });
        let event = json!({ "Records": records.collect::<Vec<_>>() });
        let Some(Ok(answer)) = self.invoke(event, timeout).await else {
            return true;
        };
        let failures = answer["batchItemFailures"].as_array().unwrap();
        let is_failed = |id: &str| failures.iter().any(|it| it["itemIdentifier"] == id);
        let mut inner = lock(&self.inner);
        let queue = inner.queues.entry(QUEUE.to_owned()).or_default();
        queue.retain(|it| !taken.iter().any(|taken| taken.id == it.id) || is_failed(&it.id));
        true
    }

    /// The messages of the queue.
    pub(crate) fn waiting(&self) -> Vec<Message> {
        lock(&self.inner)
            .queues
            .get(QUEUE)
            .cloned()
            .unwrap_or_default()
    }

    /// The messages of the dead-letter queue.
    pub(crate) fn dead_letters(&self) -> Vec<Message> {
        lock(&self.inner)
            .queues
            .get(DEAD_LETTERS)
            .cloned()
            .unwrap_or_default()
    }

    /// Puts a message there by hand.
    pub(crate) fn put(&self, body: &str) {
        lock(&self.inner).put(QUEUE, body.to_owned(), None);
    }

    /// Has this done at each listing of the mappings.
    pub(crate) fn on_mappings(&self, act: impl Fn() + Send + 'static) {
        lock(&self.inner).on_mappings = Hook(Some(Box::new(act)));
    }

    /// Whether the mapping is enabled.
    pub(crate) fn is_on(&self) -> bool {
        lock(&self.inner).is_on
    }

    /// Gives up on what a process was doing that is gone.
    pub(crate) fn forget_running(&self) {
        lock(&self.inner).running.clear();
    }

    /// How often each action was called.
    pub(crate) fn calls(&self) -> BTreeMap<String, u64> {
        lock(&self.inner).calls.clone()
    }
}

impl Inner {
    fn put(&mut self, queue: &str, body: String, reason: Option<String>) -> String {
        self.next += 1;
        let id = format!("message-{}", self.next);
        self.queues
            .entry(queue.to_owned())
            .or_default()
            .push(Message {
                id: id.clone(),
                body,
                reason,
                receives: 0,
                visible_at: SystemTime::now(),
            });
        id
    }

    fn count(&mut self, action: &str) {
        *self.calls.entry(action.to_owned()).or_default() += 1;
    }
}

async fn sqs(State(inner): Shared, headers: HeaderMap, body: Bytes) -> Response {
    let target = headers["x-amz-target"].to_str().unwrap();
    let action = target.strip_prefix("AmazonSQS.").unwrap();
    let request: Value = serde_json::from_slice(&body).unwrap();
    let url = request["QueueUrl"].as_str().unwrap();
    let queue = url.rsplit('/').next().unwrap().to_owned();
    let mut inner = lock(&inner);
    inner.count(&format!("{action} {queue}"));
    let answer = match action {
        "SendMessageBatch" => {
            let entries = request["Entries"].as_array().unwrap();
            assert!((1..=10).contains(&entries.len()));
            let sent = entries.iter().map(|entry| {
                let text = entry["MessageBody"].as_str().unwrap().to_owned();
                let id = inner.put(&queue, text, None);
                json!({ "Id": entry["Id"], "MessageId": id, "MD5OfMessageBody": "" })
            });
            json!({ "Successful": sent.collect::<Vec<_>>(), "Failed": [] })
        }
        "SendMessage" => {
            let reason = &request["MessageAttributes"]["backstop-reason"]["StringValue"];
            let reason = reason.as_str().map(str::to_owned);
            let text = request["MessageBody"].as_str().unwrap().to_owned();
            json!({ "MessageId": inner.put(&queue, text, reason) })
        }
        "ChangeMessageVisibilityBatch" => {
            let entries = request["Entries"].as_array().unwrap();
            for entry in entries {
                let seconds = entry["VisibilityTimeout"].as_u64().unwrap();
                let messages = inner.queues.get_mut(&queue).unwrap();
                let mut messages = messages.iter_mut();
                if let Some(message) = messages.find(|it| entry["ReceiptHandle"] == it.id.as_str())
                {
                    message.visible_at = SystemTime::now() + Duration::from_secs(seconds);
                }
            }
            json!({ "Successful": entries, "Failed": [] })
        }
        "GetQueueAttributes" => {
            let now = SystemTime::now();
            let messages = inner.queues.get(&queue).cloned().unwrap_or_default();
            let visible = messages.iter().filter(|it| it.visible_at <= now).count();
            let redrive = json!({
                "deadLetterTargetArn": format!("arn:aws:sqs:eu-west-1:000000000000:{DEAD_LETTERS}"),
                "maxReceiveCount": inner.most_receives,
            });
            json!({ "Attributes": {
                "QueueArn": format!("arn:aws:sqs:eu-west-1:000000000000:{queue}"),
                "ApproximateNumberOfMessages": visible.to_string(),
                "ApproximateNumberOfMessagesNotVisible": (messages.len() - visible).to_string(),
                "ApproximateNumberOfMessagesDelayed": "0",
                "RedrivePolicy": redrive.to_string(),
            }})
        }
        other => panic!("the function calls {other}"),
    };
    (
        [("content-type", "application/x-amz-json-1.0")],
        answer.to_string(),
    )
        .into_response()
}

async fn mappings(
    State(inner): Shared,
    Query(query): Query<BTreeMap<String, String>>,
) -> axum::Json<Value> {
    assert_eq!(query["FunctionName"], "replay");
    assert!(query["EventSourceArn"].ends_with(":replay"), "{query:?}");
    let mut inner = lock(&inner);
    inner.count("ListEventSourceMappings");
    if let Some(act) = &inner.on_mappings.0 {
        act();
    }
    let state = if inner.is_on { "Enabled" } else { "Disabled" };
    axum::Json(json!({ "EventSourceMappings": [{ "UUID": "mapping", "State": state }] }))
}

async fn mapping(State(inner): Shared, Path(id): Path<String>, body: Bytes) -> Response {
    assert_eq!(id, "mapping");
    let request: Value = serde_json::from_slice(&body).unwrap();
    let mut inner = lock(&inner);
    inner.count("UpdateEventSourceMapping");
    inner.is_on = request["Enabled"].as_bool().unwrap();
    (
        StatusCode::ACCEPTED,
        axum::Json(json!({ "UUID": "mapping" })),
    )
        .into_response()
}

async fn next(State(inner): Shared) -> Response {
    loop {
        let taken = {
            let mut inner = lock(&inner);
            inner
                .invocations
                .pop_front()
                .map(|(id, event, timeout, sender)| {
                    inner.running.insert(id.clone(), sender);
                    (id, event, timeout)
                })
        };
        if let Some((id, event, timeout)) = taken {
            let now = SystemTime::now()
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap();
            let deadline = now.as_millis() + u128::from(timeout);
            return (
                [
                    ("lambda-runtime-aws-request-id", id),
                    ("lambda-runtime-deadline-ms", deadline.to_string()),
                    (
                        "lambda-runtime-invoked-function-arn",
                        "arn:aws:lambda:eu-west-1:000000000000:function:replay".to_owned(),
                    ),
                ],
                axum::Json(event),
            )
                .into_response();
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn answer(inner: &Arc<Mutex<Inner>>, id: &str, answer: Answer) -> StatusCode {
    if let Some(sender) = lock(inner).running.remove(id) {
        // The test may have stopped waiting.
        sender.send(answer).ok();
    }
    StatusCode::ACCEPTED
}

async fn response(State(inner): Shared, Path(id): Path<String>, body: Bytes) -> StatusCode {
    answer(&inner, &id, Ok(serde_json::from_slice(&body).unwrap()))
}

async fn error(State(inner): Shared, Path(id): Path<String>, body: Bytes) -> StatusCode {
    answer(&inner, &id, Err(serde_json::from_slice(&body).unwrap()))
}
