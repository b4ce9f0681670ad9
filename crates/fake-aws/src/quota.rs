//! The quotas of requests, which nobody can have raised: `GetFunction` 100 a second, `GetPolicy` 15, and
//! 15 for all other calls together, in each account and region.
//! (<https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>)

use std::collections::HashMap;

use tokio::time::Instant;

use crate::Place;

const GET_FUNCTION: f64 = 100.0;
const OTHERS: f64 = 15.0;
/// The smallest burst: with less than one, no call would ever pass.
const SMALLEST_BURST: f64 = 2.0;

/// Full buckets at first.
#[derive(Debug)]
pub(crate) struct Quota {
    /// The multiple of the real ones that is kept to.
    scale: f64,
    buckets: HashMap<(Place, &'static str), Bucket>,
}

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Instant,
}

impl Quota {
    pub(crate) fn scaled(scale: f64) -> Self {
        Self {
            scale,
            buckets: HashMap::new(),
        }
    }

    /// Whether this call is within it.
    pub(crate) fn allows(&mut self, place: &Place, operation: &'static str) -> bool {
        let (bucket, rate) = match operation {
            "GetFunction" => ("GetFunction", GET_FUNCTION),
            "GetPolicy" => ("GetPolicy", OTHERS),
            _ => ("all others", OTHERS),
        };
        let rate = rate * self.scale;
        let burst = if rate > 0.0 {
            rate.max(SMALLEST_BURST)
        } else {
            0.0
        };
        let now = Instant::now();
        let bucket = (self.buckets.entry((place.clone(), bucket))).or_insert(Bucket {
            tokens: burst,
            filled: now,
        });
        let passed = now.duration_since(bucket.filled).as_secs_f64();
        bucket.tokens = (bucket.tokens + passed * rate).min(burst);
        bucket.filled = now;
        let is_allowed = bucket.tokens >= 1.0;
        if is_allowed {
            bucket.tokens -= 1.0;
        }
        is_allowed
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn allowed(quota: &mut Quota, place: &Place, operation: &'static str) -> usize {
        (0..200).filter(|_| quota.allows(place, operation)).count()
    }

    #[tokio::test(start_paused = true)]
    async fn all_calls_share_fifteen_a_second_and_two_have_their_own() {
        let (mut quota, place) = (Quota::scaled(1.0), Place::new("111122223333", "eu-west-1"));
        assert_eq!(
            allowed(&mut quota, &place, "UpdateFunctionConfiguration"),
            15
        );
        assert_eq!(allowed(&mut quota, &place, "ListFunctions"), 0);
        assert_eq!(allowed(&mut quota, &place, "GetFunction"), 100);
        assert_eq!(allowed(&mut quota, &place, "GetPolicy"), 15);
        let elsewhere = Place::new("111122223333", "eu-north-1");
        assert_eq!(allowed(&mut quota, &elsewhere, "ListFunctions"), 15);
        tokio::time::advance(Duration::from_millis(200)).await;
        assert_eq!(allowed(&mut quota, &place, "PublishVersion"), 3);
    }

    #[tokio::test(start_paused = true)]
    async fn the_smallest_part_of_the_quotas_lets_calls_pass() {
        let (mut quota, place) = (Quota::scaled(0.05), Place::new("111122223333", "eu-west-1"));
        assert_eq!(allowed(&mut quota, &place, "ListFunctions"), 2);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert_eq!(allowed(&mut quota, &place, "ListFunctions"), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_multiple_of_the_quotas_is_one_of_bursts_and_of_rates() {
        let (mut quota, place) = (Quota::scaled(2.0), Place::new("111122223333", "eu-west-1"));
        assert_eq!(allowed(&mut quota, &place, "ListFunctions"), 30);
        assert_eq!(allowed(&mut quota, &place, "GetFunction"), 200);
        assert_eq!(allowed(&mut quota, &place, "GetPolicy"), 30);
        tokio::time::advance(Duration::from_millis(500)).await;
        assert_eq!(allowed(&mut quota, &place, "ListFunctions"), 15);
    }
}
