//! Whether a process grows with the time: samples from `/proc`, and what they say.
//!
//! Growth is judged by quarters of a run, after a warm-up. Memory by medians, since a burst that waited
//! for a sink may leave pages behind that the allocator keeps; descriptors and threads by maxima, since
//! none may be left.

use backstop_simulator::SimulationError;

use crate::Result;

/// Samples that find caches cold and pools empty.
const WARM_UP: usize = 5;
/// Connections that one quarter happens to have open and another does not.
const FEW_DESCRIPTORS: u64 = 8;
const MIB: u64 = 1024 * 1024;

/// A process at one time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sample {
    /// Resident memory, in bytes.
    pub rss: u64,
    /// The most of it so far, in bytes.
    pub peak: u64,
    /// Open file descriptors.
    pub descriptors: u64,
    pub threads: u64,
}

impl Sample {
    /// The process with this id, now.
    pub fn of(pid: u32) -> Result<Self> {
        let unreadable = |error: std::io::Error| {
            SimulationError::Process(format!("/proc/{pid} cannot be read: {error}"))
        };
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).map_err(unreadable)?;
        let number = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let digits = line.and_then(|rest| rest.split_ascii_whitespace().next());
            digits
                .and_then(|digits| digits.parse().ok())
                .unwrap_or_default()
        };
        let descriptors = std::fs::read_dir(format!("/proc/{pid}/fd")).map_err(unreadable)?;
        Ok(Self {
            rss: number("VmRSS:") * 1024,
            peak: number("VmHWM:") * 1024,
            descriptors: descriptors.count() as u64,
            threads: number("Threads:"),
        })
    }
}

/// The samples after the warm-up in four parts of the same size, or none where there are too few.
pub fn quarters(samples: &[Sample]) -> Vec<&[Sample]> {
    let warm = samples.get(WARM_UP..).unwrap_or_default();
    match warm.len() / 4 {
        0 => Vec::new(),
        size => warm.chunks(size).take(4).collect(),
    }
}

/// The middle one of the memory sizes.
pub fn median_rss(samples: &[Sample]) -> u64 {
    let mut sizes: Vec<u64> = samples.iter().map(|sample| sample.rss).collect();
    sizes.sort_unstable();
    sizes.get(sizes.len() / 2).copied().unwrap_or_default()
}

/// Bytes as MiB with one decimal.
pub fn mebibytes(bytes: u64) -> String {
    let tenths = bytes * 10 / MIB;
    format!("{}.{} MiB", tenths / 10, tenths % 10)
}

/// What has grown, in words; nothing where all is flat.
pub fn growth(samples: &[Sample]) -> Vec<String> {
    let mut problems = Vec::new();
    let [first, second, .., last] = &quarters(samples)[..] else {
        return problems;
    };
    let (before, after) = (median_rss(second), median_rss(last));
    if after > before + before / 4 + 2 * MIB {
        problems.push(format!(
            "memory grows: {} in the second quarter, {} in the last (medians)",
            mebibytes(before),
            mebibytes(after)
        ));
    }
    let most = |samples: &[Sample], of: fn(&Sample) -> u64| {
        samples.iter().map(of).max().unwrap_or_default()
    };
    let mut judge = |what: &str, of: fn(&Sample) -> u64, tolerance: u64| {
        let (before, after) = (most(first, of), most(last, of));
        if after > before + tolerance {
            problems.push(format!(
                "{what} grow: at most {before} in the first quarter, {after} in the last"
            ));
        }
    };
    judge("descriptors", |sample| sample.descriptors, FEW_DESCRIPTORS);
    judge("threads", |sample| sample.threads, 0);
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(of: impl Fn(u64) -> Sample) -> Vec<Sample> {
        (0..100).map(of).collect()
    }

    fn flat() -> Sample {
        Sample {
            peak: 0,
            rss: 20 * MIB,
            descriptors: 20,
            threads: 1,
        }
    }

    #[test]
    fn a_flat_process_with_bursts_has_not_grown() {
        let bursts = samples(|index| Sample {
            peak: 0,
            rss: flat().rss + if index % 7 == 0 { 30 * MIB } else { 0 },
            descriptors: 20 + index % 6,
            ..flat()
        });
        assert_eq!(growth(&bursts), [""; 0]);
        assert_eq!(growth(&bursts[..8]), [""; 0], "too few to judge");
    }

    #[test]
    fn what_is_left_over_by_each_invocation_is_told() {
        let leaks = samples(|index| Sample {
            peak: 0,
            rss: flat().rss + index * 400 * 1024,
            descriptors: 20 + index / 5,
            threads: 1 + index / 50,
        });
        let messages = growth(&leaks);
        assert_eq!(messages.len(), 3, "{messages:?}");
        for (problem, what) in messages.iter().zip(["memory", "descriptors", "threads"]) {
            assert!(problem.starts_with(what), "{problem}");
        }
    }

    #[test]
    fn a_process_is_sampled_from_outside() {
        let sample = Sample::of(std::process::id()).expect("this process is there");
        assert!(sample.rss > MIB && sample.descriptors > 2 && sample.threads > 0);
        assert!(Sample::of(u32::MAX).is_err());
    }
}
