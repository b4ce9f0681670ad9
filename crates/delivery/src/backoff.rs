//! Exponential backoff with full jitter, and the small random source behind it.

use std::sync::Mutex;
use std::time::Duration;

/// The delays between attempts: a random part of a bound that doubles.
///
/// Full jitter, because the many environments of one function fail at the same moment and must not
/// come back at the same moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backoff {
    initial: Duration,
    max: Duration,
}

/// The bounds of a [`Backoff`] contradict each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidBackoff(pub &'static str);

impl std::fmt::Display for InvalidBackoff {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "invalid backoff: {}", self.0)
    }
}

impl std::error::Error for InvalidBackoff {}

impl Backoff {
    /// A backoff whose first bound is `initial` and whose last is `max`.
    pub fn try_new(initial: Duration, max: Duration) -> Result<Self, InvalidBackoff> {
        if initial.is_zero() {
            return Err(InvalidBackoff("the initial delay must not be zero"));
        }
        if max < initial {
            return Err(InvalidBackoff(
                "the longest delay must not be below the initial one",
            ));
        }
        Ok(Self { initial, max })
    }

    /// What the chain uses: short, because all of it happens inside a budget of some hundred ms.
    pub(crate) const fn within_a_flush() -> Self {
        Self {
            initial: Duration::from_millis(50),
            max: Duration::from_secs(2),
        }
    }

    /// The delay after the `failures`-th failure in a row (from 1), `random` being in `0.0..1.0`.
    pub fn delay(&self, failures: u32, random: f64) -> Duration {
        let bound = self
            .initial
            .saturating_mul(1 << failures.saturating_sub(1).min(20))
            .min(self.max);
        bound.mul_f64(fraction(random))
    }
}

/// A number in `0.0..=1.0`, whatever was given as random.
pub(crate) fn fraction(random: f64) -> f64 {
    if random.is_nan() {
        1.0
    } else {
        random.clamp(0.0, 1.0)
    }
}

/// A small generator (`SplitMix64`) for jitter, where nothing secret is at stake.
#[derive(Debug)]
pub struct Jitter(Mutex<Option<u64>>);

impl Jitter {
    /// A generator that starts from `seed`.
    pub fn seeded(seed: u64) -> Self {
        Self(Mutex::new(Some(seed)))
    }

    /// Always the full bound: for tests.
    pub fn none() -> Self {
        Self(Mutex::new(None))
    }

    /// The next number in `0.0..=1.0`.
    pub fn next(&self) -> f64 {
        let Ok(mut state) = self.0.lock() else {
            return 1.0;
        };
        let Some(state) = state.as_mut() else {
            return 1.0;
        };
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = *state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        // 32 bits are plenty for jitter, and convert without loss.
        f64::from(u32::try_from(mixed >> 32).unwrap_or(u32::MAX)) / f64::from(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_double_up_to_the_longest_and_jitter_takes_a_part() {
        let ms = Duration::from_millis;
        let backoff = Backoff::try_new(ms(50), ms(300)).expect("the bounds are in order");
        let delays: Vec<_> = [1, 2, 3, 4, 99]
            .map(|failures| backoff.delay(failures, 1.0))
            .into();
        assert_eq!(delays, [ms(50), ms(100), ms(200), ms(300), ms(300)]);
        assert_eq!(backoff.delay(2, 0.5), ms(50));
        assert!(Backoff::try_new(ms(0), ms(1)).is_err());
        assert!(Backoff::try_new(ms(2), ms(1)).is_err());
    }

    #[test]
    fn jitter_covers_its_range() {
        let jitter = Jitter::seeded(7);
        let drawn: Vec<f64> = (0..1000).map(|_| jitter.next()).collect();
        assert!(drawn.iter().all(|value| (0.0..=1.0).contains(value)));
        let mean = drawn.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "{mean}");
    }
}
