//! Lambda's API in one account and region, with a rate limit and retries.
//!
//! The SDK's own retries are off: they would not keep the pace, and a write that may have been done
//! must not be repeated blindly.

use std::any::TypeId;
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_sdk_lambda::Client;
use aws_sdk_lambda::config::http::HttpResponse;
use aws_sdk_lambda::error::{ProvideErrorMetadata, SdkError};
use backstop_delivery::{Backoff, Jitter};
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::in_flight;
use super::rate_limit::RateLimiter;
use super::refusal_guard::RefusalGuard;
use crate::aws::{Failure, Kind, is_known_region, region_meant};

/// For so long a throttled call is tried again: a deployment's burst is over by then.
const PATIENCE: Duration = Duration::from_mins(10);
const READ: Call = Call {
    attempts: 5,
    calls: 1,
};
const WRITE: Call = Call {
    attempts: 1,
    ..READ
};
/// The part of all calls in flight that one account and region may have.
const SHARE: usize = 8;

/// How many calls a second may be made in each account and region.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Rates {
    /// `GetFunction`, whose quota is 100.
    pub get_function: f64,
    /// Everything else together, whose quota is 15.
    pub others: f64,
}

impl Rates {
    /// What leaves others room: a half of `GetFunction`'s quota, and a third of the other.
    pub const USUAL: Self = Self {
        get_function: 50.0,
        others: 5.0,
    };

    /// Whether somebody may ask for this many calls a second; what to give, where not.
    pub fn check(rate: f64) -> Result<f64, String> {
        if (0.5..=10_000.0).contains(&rate) {
            return Ok(rate);
        }
        Err("give a number of calls per second, from 0.5 to 10000".to_owned())
    }
}

/// How a call is made.
#[derive(Debug, Clone, Copy)]
struct Call {
    /// So often it is tried when the service fails.
    attempts: u32,
    /// As how many it counts of those that are in flight.
    calls: u32,
}

/// Lambda in one account and region.
#[derive(Debug)]
pub struct Api {
    client: Client,
    get_function: RateLimiter,
    others: RateLimiter,
    in_flight: Semaphore,
    backoff: Backoff,
    jitter: Jitter,
    refusal_guard: RefusalGuard,
    /// What may be wrong where nothing answers: a region that this release does not know.
    hint: Option<String>,
}

impl Api {
    /// A paced client.
    pub fn new(
        config: &SdkConfig,
        rates: Rates,
    ) -> Result<Self, backstop_delivery::InvalidBackoff> {
        let hint = config
            .region()
            .map(ToString::to_string)
            .filter(|region| !is_known_region(region))
            .map(|region| {
                format!(
                    "check whether the region {region} exists{}",
                    region_meant(&region, [])
                )
            });
        let config = aws_sdk_lambda::config::Builder::from(config)
            .retry_config(RetryConfig::disabled())
            .build();
        Ok(Self {
            client: Client::from_conf(config),
            get_function: RateLimiter::new(rates.get_function),
            others: RateLimiter::new(rates.others),
            in_flight: Semaphore::new(in_flight::most() / SHARE),
            backoff: Backoff::try_new(Duration::from_millis(200), Duration::from_secs(10))?,
            jitter: Jitter::seeded(u64::from(std::process::id())),
            refusal_guard: RefusalGuard::default(),
            hint,
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
        self.turn::<E>(&self.get_function, what).await?;
        self.call(&self.get_function, READ, what, send).await
    }

    /// Any other call that changes nothing, or nothing more when it is made again.
    pub async fn read<T, E, F>(&self, what: &str, send: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        self.turn::<E>(&self.others, what).await?;
        self.call(&self.others, READ, what, send).await
    }

    /// The same for a page of functions, whose answer is large.
    pub async fn read_page<T, E, F>(&self, what: &str, send: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        let calls = in_flight::PAGE;
        self.turn::<E>(&self.others, what).await?;
        self.call(&self.others, Call { calls, ..READ }, what, send)
            .await
    }

    /// A call that changes something: made again only when it was throttled, which is to say not done.
    pub async fn write<T, E, F>(&self, what: &str, send: impl Fn() -> F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        self.turn::<E>(&self.others, what).await?;
        self.write_in_turn(what, send).await
    }

    /// Waits until a call may be made that would fail with an `E`: for [`Api::write_in_turn`], and for what is to
    /// be done at the last moment before it. Does not wait for a call that would be refused again.
    pub async fn turn_to_write<E: 'static>(&self, what: &str) -> Result<(), Failure> {
        self.turn::<E>(&self.others, what).await
    }

    /// Whether a call that would fail with an `E` is worth making.
    pub fn may<E: 'static>(&self, what: &str) -> Result<(), Failure> {
        self.refusal_guard.before(TypeId::of::<E>(), what)
    }

    /// Whether a call passed where others like it were not made: those are worth a try.
    pub fn has_passed(&self) -> bool {
        self.refusal_guard.has_fallen()
    }

    async fn turn<E: 'static>(&self, rate_limit: &RateLimiter, what: &str) -> Result<(), Failure> {
        let turn = rate_limit.turn();
        tokio::pin!(turn);
        loop {
            // Watched from before the look, so that no wall rises unseen.
            let rises = self.refusal_guard.rises();
            self.may::<E>(what)?;
            tokio::select! {
                biased;
                () = &mut turn => return self.may::<E>(what),
                () = rises => {}
            }
        }
    }

    /// The same as [`Api::write`], after [`Api::turn_to_write`].
    pub async fn write_in_turn<T, E, F>(
        &self,
        what: &str,
        send: impl Fn() -> F,
    ) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: std::error::Error + ProvideErrorMetadata + 'static,
    {
        self.call(&self.others, WRITE, what, send).await
    }

    /// Waits before the next attempt, longer after each failure.
    pub async fn back_off(&self, failures: u32) {
        let delay = self.backoff.delay(failures, self.jitter.next());
        tokio::time::sleep(delay).await;
    }

    /// The caller has waited for its turn.
    async fn call<T, E, F>(
        &self,
        rate_limit: &RateLimiter,
        call: Call,
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
            // One place that does not answer shall not have all.
            let of_place = self.in_flight.acquire().await;
            let permit = in_flight::permit_as(call.calls).await;
            // In a box, because the SDK's futures are large: otherwise each future that calls this holds one.
            let answer = Box::pin(send()).await;
            drop((permit, of_place));
            let failure = match answer {
                Ok(answer) => {
                    rate_limit.answered();
                    self.refusal_guard.answered(TypeId::of::<E>());
                    return Ok(answer);
                }
                Err(error) => Failure::of(what, &error),
            };
            self.refusal_guard.refused(TypeId::of::<E>(), &failure);
            if failure.kind == Kind::Throttled {
                rate_limit.throttled(failure.retry_after);
                if start.elapsed() >= PATIENCE {
                    return Err(failure);
                }
                rate_limit.turn().await;
                continue;
            }
            failures += 1;
            if !failure.kind.may_be_done() || failures >= call.attempts {
                let is_unanswered = failure.kind == Kind::Unanswered;
                return Err(match self.hint.as_ref().filter(|_| is_unanswered) {
                    Some(hint) => failure.with(hint),
                    None => failure,
                });
            }
            self.back_off(failures).await;
            rate_limit.turn().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::sync::{Arc, Mutex};

    use aws_config::{BehaviorVersion, Region};
    use aws_sdk_lambda::config::{Credentials, SharedCredentialsProvider};
    use aws_smithy_runtime_api::client::http::{
        HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
    };
    use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    /// Answers in their order, and how many were asked for.
    #[derive(Debug, Clone, Default)]
    struct Replay(
        Arc<Mutex<VecDeque<(u16, &'static str)>>>,
        Option<&'static str>,
    );

    impl HttpConnector for Replay {
        fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
            let (status, kind) = (self.0.lock().expect("nothing panics"))
                .pop_front()
                .expect("there is an answer left");
            let status = status.try_into().expect("it is a status");
            let mut answer = HttpResponse::new(status, SdkBody::from("{}"));
            answer.headers_mut().insert("x-amzn-errortype", kind);
            if let Some(seconds) = self.1.filter(|_| status.as_u16() == 429) {
                answer.headers_mut().insert("retry-after", seconds);
            }
            HttpConnectorFuture::ready(Ok(answer))
        }
    }

    impl Replay {
        /// An API that is answered so, at ten calls a second.
        fn api(answers: &[(u16, &'static str)]) -> (Api, Self) {
            Self::api_after(answers, "2")
        }

        /// The same, with what a throttled call is to wait for.
        fn api_after(answers: &[(u16, &'static str)], seconds: &'static str) -> (Api, Self) {
            let answers = Arc::new(Mutex::new(answers.iter().copied().collect()));
            let replay = Self(answers, Some(seconds));
            let connector = SharedHttpConnector::new(replay.clone());
            let credentials = Credentials::new("key", "secret", None, None, "test");
            let config = SdkConfig::builder()
                .behavior_version(BehaviorVersion::latest())
                .region(Region::new("eu-west-1"))
                .credentials_provider(SharedCredentialsProvider::new(credentials))
                .http_client(http_client_fn(move |_, _| connector.clone()))
                .build();
            let rates = Rates {
                get_function: 10.0,
                others: 10.0,
            };
            (Api::new(&config, rates).expect("it is valid"), replay)
        }

        fn left(&self) -> usize {
            self.0.lock().expect("nothing panics").len()
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_without_credentials_is_not_asked_again_and_waits_for_nothing() {
        let (api, replay) = Replay::api(&[(403, "ExpiredTokenException"), FINE]);
        let start = Instant::now();
        let (one, other) = tokio::join!(publish(&api), list(&api));
        for failure in [one.expect_err("refused"), other.expect_err("not asked")] {
            assert_eq!(failure.kind, Kind::Credentials);
        }
        assert_eq!(replay.left(), 1);
        assert!(start.elapsed() < Duration::from_secs(1));
    }

    async fn list(api: &Api) -> Result<(), Failure> {
        let sent = api.read("listing", || api.client().list_functions().send());
        sent.await.map(|_| ())
    }

    async fn publish(api: &Api) -> Result<(), Failure> {
        let sent = api.write("publishing", || {
            (api.client().publish_version())
                .function_name("orders")
                .send()
        });
        sent.await.map(|_| ())
    }

    const THROTTLED: (u16, &str) = (429, "TooManyRequestsException");
    const BROKEN: (u16, &str) = (500, "ServiceException");
    const FINE: (u16, &str) = (200, "");

    #[tokio::test(start_paused = true)]
    async fn what_is_throttled_is_not_told_and_comes_later() {
        let (api, replay) = Replay::api(&[THROTTLED, THROTTLED, FINE]);
        let start = Instant::now();
        publish(&api).await.expect("it is published");
        // Each time as long as was asked for.
        assert!(start.elapsed() >= Duration::from_secs(4));
        assert_eq!(replay.left(), 0);
    }

    /// The number is a stranger's: no clock can add all of them.
    #[tokio::test(start_paused = true)]
    async fn a_huge_retry_after_is_cut_to_what_can_be_waited_for() {
        for seconds in ["18446744073709551615", "99999999999", "-1", "1e300"] {
            let (api, replay) = Replay::api_after(&[THROTTLED, FINE], seconds);
            let start = Instant::now();
            publish(&api).await.expect("it is published");
            assert!(start.elapsed() <= Duration::from_mins(6), "{seconds}");
            assert_eq!(replay.left(), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_throttled_for_ever_is_told_in_the_end() {
        let (api, replay) = Replay::api(&vec![THROTTLED; 1000]);
        let failure = list(&api).await.expect_err("it is throttled");
        assert_eq!(failure.kind, Kind::Throttled);
        assert!(replay.left() > 0 && failure.to_string().contains("lower the rate"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_read_is_patient_and_a_write_is_made_once() {
        let (api, _) = Replay::api(&[BROKEN, BROKEN, BROKEN, BROKEN, FINE]);
        list(&api).await.expect("the fifth time");
        let (api, replay) = Replay::api(&[BROKEN; 6]);
        assert_eq!(
            list(&api).await.expect_err("broken").kind,
            Kind::Unavailable
        );
        assert_eq!(replay.left(), 1);
        let (api, replay) = Replay::api(&[BROKEN, FINE]);
        let failure = publish(&api).await.expect_err("it may have been done");
        assert!(failure.kind.may_be_done());
        assert_eq!(replay.left(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_an_answer_means_is_known_by_its_status_and_code() {
        for (answer, kind) in [
            ((412, "PreconditionFailedException"), Kind::Stale),
            ((409, "ResourceConflictException"), Kind::Conflict),
            ((404, "ResourceNotFoundException"), Kind::NotFound),
            ((403, "AccessDeniedException"), Kind::Denied),
            ((403, "UnrecognizedClientException"), Kind::Credentials),
            ((400, "InvalidParameterValueException"), Kind::Invalid),
            ((413, "RequestEntityTooLargeException"), Kind::Invalid),
        ] {
            let (api, replay) = Replay::api(&[answer, FINE]);
            let failure = publish(&api).await.expect_err("it is refused");
            assert_eq!(failure.kind, kind, "{answer:?}");
            assert!(!kind.may_be_done() && replay.left() == 1);
        }
    }
}
