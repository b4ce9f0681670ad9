//! Lambda's API in one account and region: paced, and patient with what passes.
//!
//! The SDK's own retries are off: they would not keep the pace, and a write that may have been done
//! must not be repeated blindly.

use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::http::HttpResponse;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use backstop_delivery::{Backoff, Jitter};
use tokio::time::Instant;

use super::pace::Pace;
use crate::aws::{Failure, Kind};

/// For so long a throttled call is tried again: a deployment's burst is over by then.
const PATIENCE: Duration = Duration::from_mins(10);
/// So often a read is tried when the service fails.
const ATTEMPTS: u32 = 5;

/// How many calls a second may be made in each account and region.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Rates {
    /// `GetFunction`, whose quota is 100.
    pub get_function: f64,
    /// Everything else together, whose quota is 15.
    pub others: f64,
}

/// Lambda in one account and region.
#[derive(Debug)]
pub struct Api {
    client: Client,
    get_function: Pace,
    others: Pace,
    backoff: Backoff,
    jitter: Jitter,
}

impl Api {
    /// A paced client.
    pub fn new(
        config: &SdkConfig,
        rates: Rates,
    ) -> Result<Self, backstop_delivery::InvalidBackoff> {
        let config = aws_sdk_lambda::config::Builder::from(config)
            .retry_config(RetryConfig::disabled())
            .build();
        Ok(Self {
            client: Client::from_conf(config),
            get_function: Pace::new(rates.get_function),
            others: Pace::new(rates.others),
            backoff: Backoff::try_new(Duration::from_millis(200), Duration::from_secs(10))?,
            jitter: Jitter::seeded(u64::from(std::process::id())),
        })
    }

    /// For the requests to hand to [`Api::read`] and [`Api::write`].
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// `GetFunction`, which has a quota of its own.
    pub async fn get_function<T, E, F>(
        &self,
        what: &str,
        send: impl Fn() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        self.call(&self.get_function, ATTEMPTS, what, send).await
    }

    /// Any other call that changes nothing, or nothing more when it is made again.
    pub async fn read<T, E, F>(&self, what: &str, send: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        self.call(&self.others, ATTEMPTS, what, send).await
    }

    /// A call that changes something: made again only when it was throttled, which is to say not done.
    pub async fn write<T, E, F>(&self, what: &str, send: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        self.call(&self.others, 1, what, send).await
    }

    /// Waits before trying again what failed so many times.
    pub async fn back_off(&self, failures: u32) {
        let delay = self.backoff.delay(failures, self.jitter.next());
        tokio::time::sleep(delay).await;
    }

    async fn call<T, E, F>(
        &self,
        pace: &Pace,
        attempts: u32,
        what: &str,
        send: impl Fn() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let start = Instant::now();
        let mut failures = 0;
        loop {
            pace.turn().await;
            let failure = match send().await {
                Ok(answer) => {
                    pace.answered();
                    return Ok(answer);
                }
                Err(error) => Failure::of(what, &error),
            };
            if failure.kind == Kind::Throttled {
                pace.throttled(failure.retry_after);
                if start.elapsed() >= PATIENCE {
                    return Err(failure);
                }
                continue;
            }
            failures += 1;
            if !failure.kind.may_be_done() || failures >= attempts {
                return Err(failure);
            }
            self.back_off(failures).await;
        }
    }
}
