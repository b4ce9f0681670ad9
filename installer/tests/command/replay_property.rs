//! Any archive, killed at any moment: each intact record is at the primary once by its id, each damaged
//! object is named, and of what was acknowledged no more is sent again than one batch a sender and kill.
//!
//! Each run has archives and kills of its own. It prints its seed: `BACKSTOP_REPLAY_SEED` repeats it.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::process::Stdio;
use std::time::{Duration, Instant};

use backstop_sinks::codec::gzip;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::replay::assert_balanced;
use crate::support::{Stage, line, run};

/// Cases that are always run; more follow until the time is over.
const CASES: u64 = 4;
const TIME: Duration = Duration::from_secs(20);
const BATCH: u32 = 16;
const SENDERS: u32 = 3;

/// What is in an archive, and what is wrong with it.
#[derive(Default)]
struct Made {
    intact: BTreeSet<String>,
    /// Records that may be lost with the object that they are in.
    doubtful: BTreeSet<String>,
    damaged: Vec<String>,
}

/// What a run begins with.
#[expect(clippy::print_stderr, reason = "who sees a failure can repeat it")]
fn seed() -> u64 {
    let set = std::env::var("BACKSTOP_REPLAY_SEED").ok();
    let seed = set.and_then(|it| it.parse().ok());
    let seed = seed.unwrap_or_else(|| RandomState::new().hash_one(0) >> 16);
    eprintln!("BACKSTOP_REPLAY_SEED={seed}");
    seed
}

/// Numbers by chance that a seed and a case determine: xorshift.
struct Chance(u64);

impl Chance {
    fn new(seed: u64, case: u64) -> Self {
        let mixed = (seed ^ case << 48).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        // Zero would stay zero.
        let mut chance = Self(mixed | 1);
        for _ in 0..8 {
            chance.below(2);
        }
        chance
    }

    fn below(&mut self, most: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32 % most
    }
}

fn make(stage: &Stage, chance: &mut Chance) -> Made {
    let mut made = Made::default();
    let mut all: Vec<String> = Vec::new();
    for number in 0..12 + chance.below(12) {
        let count = chance.below(40);
        let mut lines: Vec<String> = (0..count)
            .map(|at| {
                let record = "x".repeat(chance.below(300) as usize);
                line(&format!("r-{number}-{at}"), &record)
            })
            .collect();
        // Some that another object has as well.
        for _ in 0..chance.below(5) {
            if !all.is_empty() {
                lines.push(
                    all[chance.below(u32::try_from(all.len()).unwrap_or(1)) as usize].clone(),
                );
            }
        }
        let folder = match chance.below(3) {
            0 => format!("stream=s/dt=2026-01-3{}", chance.below(2)),
            1 => "account=1/region=r/function=f".to_owned(),
            _ => format!(
                "account=1/region=r/function=g{}/dt=2026-01-31/hour=08",
                chance.below(3)
            ),
        };
        let odd = ["", " ", "+", "é", "&=?", "''"][chance.below(6) as usize];
        let key = format!("backstop/v1/{folder}/o{odd}{number}");
        let ids = lines
            .iter()
            .map(|line| line.split('"').nth(3).unwrap_or("").to_owned());
        let ids: Vec<String> = ids.collect();
        let (first, second) = lines.split_at(lines.len() / 2);
        let text = |lines: &[String]| {
            lines
                .iter()
                .fold(String::new(), |text, it| text + it + "\n")
        };
        let bytes = match chance.below(6) {
            0 => text(&lines).into_bytes(),
            1 => [gzip(text(first).as_bytes()), gzip(text(second).as_bytes())].concat(),
            2 => compress_to_vec(text(&lines).as_bytes(), CompressionLevel::Fastest),
            3 if lines.len() > 4 => {
                let whole = gzip(text(&lines).as_bytes());
                made.damaged.push(key.clone());
                made.doubtful.extend(ids);
                stage.put(&key, &whole[..whole.len() * 2 / 3]);
                continue;
            }
            4 if number % 3 == 0 => {
                made.damaged.push(key.clone());
                stage.put(&key, b"\xff\xd8not an archive\n\xff\n");
                continue;
            }
            _ => gzip(text(&lines).as_bytes()),
        };
        stage.put(&key, &bytes);
        made.intact.extend(ids);
        all.extend(lines);
    }
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn any_archive_is_replayed_once_whatever_interrupts_it() {
    let seed = seed();
    #[expect(
        clippy::disallowed_methods,
        reason = "more cases are begun while there is time"
    )]
    let began = Instant::now();
    let mut killed = 0;
    for case in (0..).take_while(|case| *case < CASES || began.elapsed() < TIME) {
        let mut chance = Chance::new(seed, case);
        let case = format!("BACKSTOP_REPLAY_SEED={seed}, case {case}");
        let stage = Stage::set().await;
        let made = make(&stage, &mut chance);
        let options = [
            "--batch-records",
            &BATCH.to_string(),
            "--concurrency",
            &SENDERS.to_string(),
        ]
        .map(str::to_owned);
        let (mut kills, mut is_over) = (0, false);
        for _ in 0..3 {
            let mut command = stage.replay();
            command.args(&options).args(["--rate", "400"]);
            let is_first = kills == 0;
            let child = command
                .args((!is_first).then_some("--resume"))
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn();
            let mut child = child.expect("the command runs");
            // From its first record on, or, where there is something to resume, from its start.
            let moment = Duration::from_millis(u64::from(chance.below(250)));
            if is_first || chance.below(2) == 0 {
                let now = stage.intake.record_count();
                (stage.intake)
                    .wait_for_records(now + 1, Duration::from_secs(5))
                    .await;
            }
            if tokio::time::timeout(moment, child.wait()).await.is_ok() {
                is_over = true;
                break;
            }
            child.kill().await.expect("it is ours");
            kills += 1;
        }
        killed += kills;
        let mut last = stage.replay();
        last.args(&options).arg("--resume");
        let finished = run(&mut last).await;
        // There is nothing to resume where the last one came to its end.
        let is_nothing = finished.stderr.contains("there is no replay to resume");
        assert!(is_nothing || !is_over, "{case}: {finished:?}");
        if !is_nothing {
            let summary = finished.json();
            assert_eq!(summary["failed"], 0, "{case}: {summary}");
            assert_balanced(&summary);
        }
        let taken = stage.intake.records();
        for id in &made.intact {
            assert!(taken.contains_key(id), "{case}: {id} is lost: {finished:?}");
        }
        for id in taken.keys() {
            assert!(
                made.intact.contains(id) || made.doubtful.contains(id),
                "{case}: {id}"
            );
        }
        let again: u32 = taken.values().map(|count| count - 1).sum();
        assert!(
            again <= kills * SENDERS * BATCH,
            "{case}: {again} again after {kills} kills"
        );
    }
    assert!(
        u64::from(killed) >= CASES,
        "BACKSTOP_REPLAY_SEED={seed}: only {killed} were killed under way"
    );
}

#[tokio::test]
async fn every_damaged_object_of_any_archive_is_named() {
    let seed = seed();
    for case in 0..6 {
        let mut chance = Chance::new(seed, case);
        let case = format!("BACKSTOP_REPLAY_SEED={seed}, case {case}");
        let stage = Stage::set().await;
        let made = make(&stage, &mut chance);
        let finished = run(&mut stage.replay()).await;
        let summary = finished.json();
        assert_balanced(&summary);
        let problems = summary["problems"].as_array().cloned().unwrap_or_default();
        for key in &made.damaged {
            let is_named = problems.iter().any(|it| it["object"].as_str() == Some(key));
            assert!(is_named, "{case}: {key} is not named: {problems:?}");
        }
        let code = if made.damaged.is_empty() { 0 } else { 3 };
        assert_eq!(finished.code, Some(code), "{case}: {summary}");
        let taken = stage.intake.records();
        assert!(
            made.intact.iter().all(|id| taken.get(id) == Some(&1)),
            "{case}"
        );
        let listed = run(&mut stage.archive("stats", "backstop")).await;
        for key in &made.damaged {
            assert!(listed.stderr.contains(key.as_str()), "{case}: {listed:?}");
        }
    }
}
