//! How fast records are sent at most.
//!
//! Invariant: over any time that is longer than one request, no more records and bytes are sent than the
//! rates allow. Must not: hold a request back once nothing more is to be sent.

use std::str::FromStr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const FORM: &str = "write records a second as 5000, or bytes a second as 2MB";

/// A rate that was typed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// Records a second.
    Records(f64),
    /// Bytes of records a second, before compression.
    Bytes(f64),
}

impl FromStr for Rate {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.strip_suffix("/s").unwrap_or(text).trim_end();
        let end = text.find(|one: char| one.is_ascii_alphabetic());
        let (number, unit) = text.split_at(end.unwrap_or(text.len()));
        let number: f64 = number.trim_end().parse().map_err(|_| FORM)?;
        if !number.is_finite() || number <= 0.0 {
            return Err(format!("a rate is more than 0: {FORM}"));
        }
        let bytes = match unit {
            "" => return Ok(Self::Records(number)),
            "B" => 1.0,
            "kB" | "KB" => 1e3,
            "MB" => 1e6,
            "GB" => 1e9,
            "KiB" => 1024.0,
            "MiB" => 1024.0 * 1024.0,
            "GiB" => 1024.0 * 1024.0 * 1024.0,
            _ => return Err(FORM.to_owned()),
        };
        Ok(Self::Bytes(number * bytes))
    }
}

/// Gives each request its turn.
#[derive(Debug, Default)]
pub(super) struct Pace {
    rates: Vec<Rate>,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    pub(super) fn new(rates: Vec<Rate>) -> Self {
        Self {
            rates,
            next: Mutex::default(),
        }
    }

    /// The most records of a request that takes no longer than a second.
    pub(super) fn most_records(&self, most: usize) -> usize {
        let records = self.rates.iter().filter_map(|rate| match rate {
            Rate::Records(rate) => Some(*rate),
            Rate::Bytes(_) => None,
        });
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a cast of a positive number saturates"
        )]
        records
            .fold(most, |most, rate| most.min(rate as usize))
            .max(1)
    }

    /// When a request of so much may begin. Its own time counts against those after it.
    pub(super) fn turn(&self, records: usize, bytes: usize) -> Option<Instant> {
        let takes = self.rates.iter().map(|rate| {
            #[expect(clippy::cast_precision_loss, reason = "a request is small")]
            let seconds = match rate {
                Rate::Records(rate) => records as f64 / rate,
                Rate::Bytes(rate) => bytes as f64 / rate,
            };
            Duration::from_secs_f64(seconds.min(86_400.0))
        });
        let takes = takes.max()?;
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let turn = next.map_or(now, |next| next.max(now));
        *next = Some(turn + takes);
        Some(turn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_records_or_bytes_a_second() {
        for (text, rate) in [
            ("5000", Rate::Records(5000.0)),
            ("0.5/s", Rate::Records(0.5)),
            ("2MB", Rate::Bytes(2e6)),
            ("2 MB/s", Rate::Bytes(2e6)),
            ("1.5MiB", Rate::Bytes(1.5 * 1024.0 * 1024.0)),
        ] {
            assert_eq!(text.parse(), Ok(rate), "{text}");
        }
        for text in ["", "fast", "0", "-1", "2 apples", "inf", "NaN", "MB"] {
            assert!(text.parse::<Rate>().is_err(), "{text}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn each_request_waits_for_those_before_it_and_for_the_slower_rate() {
        let start = Instant::now();
        let pace = Pace::new(vec![Rate::Records(100.0), Rate::Bytes(1000.0)]);
        let turns = [(100, 10), (10, 2000), (1, 1), (1, 1)].map(|(records, bytes)| {
            let turn = pace.turn(records, bytes).expect("there is a rate");
            (turn - start).as_millis()
        });
        assert_eq!(turns, [0, 1000, 3000, 3010]);
        // Time that was not used is not saved up.
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(pace.turn(1, 1), Some(Instant::now()));
        assert_eq!(pace.most_records(1000), 100);
        assert_eq!(Pace::default().turn(1, 1), None);
    }
}
