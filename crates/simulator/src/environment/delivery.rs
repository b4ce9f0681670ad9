//! Delivers telemetry to the extension: one batch in flight, repeated until it is taken.
//!
//! A frozen environment is simply not delivered to. Invariants: a batch is acknowledged only by a
//! 2xx; a failed one is repeated with backoff for about ten seconds of thawed time, then dropped
//! and counted. Must not reorder, and must not give up because the environment is frozen.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use super::Subscription;
use super::queue::{Due, Event, Kind, Queue, TelemetryCounts};
use crate::error::SimulationError;
use crate::sync::lock;

const FELL_BEHIND: &str =
    "Consumer seems to have fallen behind as it has not acknowledged receipt of logs.";
/// Waits before the attempts after the first, about ten seconds in all.
const BACKOFF_MS: [u64; 9] = [25, 50, 100, 200, 400, 800, 1_600, 3_000, 4_000];

/// A client for plain HTTP on loopback, connections kept alive.
type HttpClient = Client<HttpConnector, Full<Bytes>>;

fn http_client() -> HttpClient {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(connector)
}

/// The platform's telemetry: the queue and the task that empties it.
#[derive(Debug)]
pub(super) struct Telemetry {
    worker: Arc<DeliveryWorker>,
    task: JoinHandle<()>,
}

#[derive(Debug)]
struct DeliveryWorker {
    queue: Mutex<Queue>,
    /// For the one delivery task.
    work: Notify,
    /// For tasks that wait for the queue to change.
    progress: watch::Sender<()>,
    frozen: watch::Sender<bool>,
    client: HttpClient,
}

impl Telemetry {
    pub(super) fn start(limit_bytes: usize) -> Self {
        let worker = Arc::new(DeliveryWorker {
            queue: Mutex::new(Queue::new(limit_bytes)),
            work: Notify::new(),
            progress: watch::Sender::new(()),
            frozen: watch::Sender::new(false),
            client: http_client(),
        });
        let task = tokio::spawn({
            let worker = Arc::clone(&worker);
            async move { worker.run().await }
        });
        Self { worker, task }
    }

    pub(super) fn subscribe(&self, subscription: Subscription) {
        lock(&self.worker.queue).subscribe(subscription);
        self.worker.work.notify_one();
    }

    pub(super) fn subscription(&self) -> Option<Subscription> {
        lock(&self.worker.queue).subscription().cloned()
    }

    pub(super) fn counts(&self) -> TelemetryCounts {
        lock(&self.worker.queue).counts
    }

    /// Queues events under one lock: a burst arrives as a burst.
    pub(super) fn emit(&self, events: impl IntoIterator<Item = (Kind, String)>) {
        let mut queue = lock(&self.worker.queue);
        for (kind, json) in events {
            queue.push(kind, json);
        }
        drop(queue);
        self.worker.changed();
    }

    /// Holds deliveries back, or lets them go again.
    pub(super) fn set_frozen(&self, frozen: bool) {
        self.worker.frozen.send_replace(frozen);
        self.worker.work.notify_one();
    }

    /// Sends what is queued at once and waits until it is taken; `false` when `limit` is over.
    pub(super) async fn flush(&self, limit: Duration) -> bool {
        lock(&self.worker.queue).flushing = true;
        self.worker.work.notify_one();
        let idle = self.wait_for(limit, Queue::is_idle).await;
        lock(&self.worker.queue).flushing = false;
        idle
    }

    /// Waits until nothing is queued or in flight, without hurrying; `false` when `limit` is over.
    pub(super) async fn wait_idle(&self, limit: Duration) -> bool {
        self.wait_for(limit, Queue::is_idle).await
    }

    async fn wait_for(&self, limit: Duration, condition: impl Fn(&Queue) -> bool) -> bool {
        let mut progress = self.worker.progress.subscribe();
        let reached = progress.wait_for(|()| condition(&lock(&self.worker.queue)));
        tokio::time::timeout(limit, reached)
            .await
            .is_ok_and(|reached| reached.is_ok())
    }

    /// Ends delivery: what is left counts as dropped.
    pub(super) fn close(&self) {
        self.task.abort();
        let mut queue = lock(&self.worker.queue);
        queue.close();
        drop(queue);
        self.worker.changed();
    }

    /// Posts a body of the caller's making to the listener, past the queue.
    pub(super) async fn post_raw(&self, body: Bytes) -> Result<StatusCode, SimulationError> {
        let subscription = self.subscription();
        let subscription = subscription
            .ok_or_else(|| SimulationError::Listener("there is no subscription".to_owned()))?;
        self.worker
            .post(&subscription.listener, body)
            .await
            .map_err(SimulationError::Listener)
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl DeliveryWorker {
    fn changed(&self) {
        self.work.notify_one();
        self.progress.send_replace(());
    }

    async fn run(&self) {
        loop {
            let (listener, batch) = self.next_batch().await;
            let body = Bytes::from(array(&batch));
            let delivered = self.deliver(&listener, body).await;
            let mut queue = lock(&self.queue);
            if delivered {
                queue.acknowledge(&batch);
            } else {
                queue.give_up(&batch, FELL_BEHIND);
            }
            drop(queue);
            self.progress.send_replace(());
        }
    }

    async fn next_batch(&self) -> (String, Vec<Event>) {
        loop {
            let due = if *self.frozen.borrow() {
                Due::Never
            } else {
                let mut queue = lock(&self.queue);
                let due = queue.due();
                let listener = queue.subscription().map(|it| it.listener.clone());
                if let (Due::Now, Some(listener)) = (&due, listener) {
                    return (listener, queue.take());
                }
                due
            };
            match due {
                Due::At(instant) => {
                    tokio::select! {
                        () = self.work.notified() => {}
                        () = tokio::time::sleep_until(instant) => {}
                    }
                }
                Due::Now | Due::Never => self.work.notified().await,
            }
        }
    }

    async fn deliver(&self, listener: &str, body: Bytes) -> bool {
        let mut waits = BACKOFF_MS.iter();
        loop {
            self.thawed().await;
            if self
                .post(listener, body.clone())
                .await
                .is_ok_and(|status| status.is_success())
            {
                return true;
            }
            let Some(wait) = waits.next() else {
                return false;
            };
            lock(&self.queue).counts.retries += 1;
            tokio::time::sleep(Duration::from_millis(*wait)).await;
        }
    }

    async fn thawed(&self) {
        // The sender is a field of this very value, so the wait can't fail.
        self.frozen
            .subscribe()
            .wait_for(|frozen| !frozen)
            .await
            .ok();
    }

    async fn post(&self, listener: &str, body: Bytes) -> Result<StatusCode, String> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(listener)
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| error.to_string())?;
        let response = self
            .client
            .request(request)
            .await
            .map_err(|error| error.to_string())?;
        let status = response.status();
        // Read to its end, so that the connection can be used again.
        response
            .into_body()
            .collect()
            .await
            .map_err(|error| error.to_string())?;
        Ok(status)
    }
}

fn array(batch: &[Event]) -> String {
    let size: usize = batch.iter().map(|event| event.json.len() + 1).sum();
    let mut array = String::with_capacity(size + 1);
    for (index, event) in batch.iter().enumerate() {
        array.push(if index == 0 { '[' } else { ',' });
        array.push_str(&event.json);
    }
    array.push(']');
    array
}
