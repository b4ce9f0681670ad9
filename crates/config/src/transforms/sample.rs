//! `BACKSTOP_SAMPLE` and `BACKSTOP_SAMPLE_KEEP`: which invocations are kept whole.

use std::time::Duration;

/// A share of the invocations, and those that are kept in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SampleSettings {
    /// The share that is kept, in millionths.
    pub millionths: u32,
    /// What is kept beside it.
    pub keep: SampleKeep,
}

/// Which invocations are kept in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SampleKeep {
    /// Those that failed, ran out of memory, or wrote an error.
    pub error: bool,
    /// Those that timed out.
    pub timeout: bool,
    /// The first one of an environment.
    pub cold: bool,
    /// Those that took longer.
    pub slow: Option<Duration>,
}

/// `10%`, as millionths.
pub(crate) fn share(text: &str) -> Result<u32, String> {
    const USE_THIS: &str = "use 0% to 100%, with at most 4 decimals";
    let number = text.strip_suffix('%').map(str::trim_end);
    let number = number.ok_or_else(|| format!("has no percent sign: {USE_THIS}"))?;
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let is_number = |text: &str, most| {
        (1..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
    };
    let millionths = (is_number(whole, 3) && is_number(part, 4))
        .then(|| format!("{whole}{part:0<4}").parse::<u32>().ok())
        .flatten();
    let millionths = millionths.filter(|millionths| *millionths <= 1_000_000);
    millionths.ok_or_else(|| format!("is not a share: {USE_THIS}"))
}

/// `error,timeout,cold,slow>1s`.
pub(crate) fn keep(text: &str) -> Result<SampleKeep, String> {
    const USE_THIS: &str = "use none, or some of error, timeout, cold and slow>1s";
    let mut keep = SampleKeep::default();
    if text == "none" {
        return Ok(keep);
    }
    for (index, entry) in crate::parse::entries(text).enumerate() {
        match entry {
            "error" => keep.error = true,
            "timeout" => keep.timeout = true,
            "cold" => keep.cold = true,
            _ => {
                let slow = entry.strip_prefix("slow").map(str::trim_start);
                let slow = slow.and_then(|it| duration(it.strip_prefix('>')?.trim_start()));
                let position = index + 1;
                keep.slow = Some(slow.ok_or_else(|| {
                    format!("has an entry that is not known: {USE_THIS} (entry {position})")
                })?);
            }
        }
    }
    Ok(keep)
}

/// `1s`, `1.5s`, `500ms`; a day at most.
fn duration(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|char: char| char.is_ascii_alphabetic());
    let is_number = digits.starts_with(|char: char| char.is_ascii_digit())
        && digits.bytes().all(|it| it.is_ascii_digit() || it == b'.');
    let number: f64 = digits.parse().ok().filter(|_| is_number)?;
    let seconds = match &text[digits.len()..] {
        "s" => number,
        "ms" => number / 1000.0,
        _ => return None,
    };
    (seconds <= 86_400.0).then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage() {
        for (text, millionths) in [
            ("0%", 0),
            ("10%", 100_000),
            ("0.5 %", 5_000),
            ("0.0001%", 1),
            ("100.0%", 1_000_000),
        ] {
            assert_eq!(share(text), Ok(millionths), "{text}");
        }
        for text in [
            "10", "101%", "-1%", "1e1%", ".5%", "5.%", "1.23456%", "%", "ten%",
        ] {
            assert!(share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_kept_is_named() {
        let all = SampleKeep {
            error: true,
            timeout: true,
            cold: true,
            slow: Some(Duration::from_millis(1500)),
        };
        assert_eq!(keep("error, timeout,cold,slow>1.5s"), Ok(all));
        assert_eq!(
            keep("slow > 500ms"),
            Ok(SampleKeep {
                slow: Some(Duration::from_millis(500)),
                ..SampleKeep::default()
            })
        );
        assert_eq!(keep("none"), Ok(SampleKeep::default()));
        for text in [
            "errors",
            "slow",
            "slow>1",
            "slow>1m",
            "slow>-1s",
            "slow>1e9s",
        ] {
            assert!(keep(text).is_err(), "{text}");
        }
    }
}
