//! What happens, drawn from a seed: the same seed draws the same faults, lines and pauses.
//!
//! Each sink has outages of its own, so that they overlap in every combination. The kinds of faults
//! are dealt like cards: none comes again before all have come.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use backstop_simulator::traffic::Traffic;
use backstop_simulator::{Fault, Invocation, Outcome};
use backstop_tests::{Result, World};

use super::grouped;

const USAGE: &str = "usage: scripts/soak [--invocations N] [--seed N] [--strategy auto | end | periodic | continuous]";

/// What was asked for.
#[derive(Debug)]
pub(super) struct Options {
    pub(super) invocations: u64,
    pub(super) seed: u64,
    pub(super) strategy: String,
}

impl Options {
    /// Reads the command line; the error says how to write it.
    pub(super) fn parse(
        arguments: impl IntoIterator<Item = String>,
    ) -> std::result::Result<Self, String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let mut options = Self {
            invocations: 10_000,
            seed: now.map_or(1, |now| {
                u64::from(now.subsec_nanos()) + now.as_secs() % 1_000
            }),
            strategy: "auto".to_owned(),
        };
        let mut arguments = arguments.into_iter();
        while let Some(name) = arguments.next() {
            if name == "--bench" {
                continue;
            }
            let value = arguments.next().ok_or(USAGE)?;
            match name.as_str() {
                "--invocations" => options.invocations = value.parse().map_err(|_| USAGE)?,
                "--seed" => options.seed = value.parse().map_err(|_| USAGE)?,
                "--strategy" => options.strategy = value,
                _ => return Err(USAGE.to_owned()),
            }
        }
        Ok(options)
    }
}

/// Chance (splitmix64): one multiplication more than a counter, and every seed is a good one.
#[derive(Debug)]
struct Chance(u64);

impl Chance {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn between(&mut self, least: u64, most: u64) -> u64 {
        least + self.next() % (most - least + 1)
    }

    fn index(&mut self, length: usize) -> usize {
        usize::try_from(self.next() % length.max(1) as u64).unwrap_or_default()
    }

    fn once_in(&mut self, times: u64) -> bool {
        self.next().is_multiple_of(times)
    }
}

#[derive(Debug, Clone, Copy)]
enum Sink {
    Primary,
    Firehose,
    S3,
}

const SINKS: [Sink; 3] = [Sink::Primary, Sink::Firehose, Sink::S3];

/// A sink's far end: at fault or not, and for how many invocations yet.
#[derive(Debug)]
struct Health {
    fault: Option<Fault>,
    left: u64,
    deck: Vec<Fault>,
}

/// What happens in a run.
#[derive(Debug)]
pub(super) struct Plan {
    seed: u64,
    chance: Chance,
    health: [Health; 3],
    emitted: u64,
    invocations: u64,
    outages: u64,
    faulty: [u64; 3],
    all_faulty: u64,
}

impl Plan {
    pub(super) fn new(seed: u64) -> Self {
        let mut chance = Chance(seed);
        let health = SINKS.map(|_| Health {
            fault: None,
            left: chance.between(20, 400),
            deck: Vec::new(),
        });
        Self {
            seed,
            chance,
            health,
            emitted: 0,
            invocations: 0,
            outages: 0,
            faulty: [0; 3],
            all_faulty: 0,
        }
    }

    /// Faults begin and end, before an invocation.
    pub(super) async fn turn(&mut self, world: &World) -> Result {
        for (index, sink) in SINKS.into_iter().enumerate() {
            let health = &mut self.health[index];
            if health.left == 0 {
                if health.fault.is_some() {
                    health.fault = None;
                    health.left = self.chance.between(100, 700);
                } else {
                    health.fault = Some(deal(&mut health.deck, &mut self.chance));
                    health.left = self.chance.between(20, 350);
                    self.outages += 1;
                }
                set(world, sink, health.fault).await?;
            }
            health.left -= 1;
            self.faulty[index] += u64::from(health.fault.is_some());
        }
        let all = self.health.iter().all(|health| health.fault.is_some());
        self.all_faulty += u64::from(all);
        Ok(())
    }

    /// What is at fault now.
    pub(super) fn shown(&self) -> String {
        let shown = |health: &Health| match health.fault {
            Some(fault) => format!("{fault:?}"),
            None => "well".to_owned(),
        };
        let [primary, firehose, s3] = self.health.each_ref().map(shown);
        format!("primary {primary}, Firehose {firehose}, S3 {s3}")
    }

    /// Everything is well again.
    pub(super) async fn clear(&self, world: &World) -> Result {
        for sink in SINKS {
            set(world, sink, None).await?;
        }
        Ok(())
    }

    /// What the function does next.
    pub(super) fn invocation(&mut self) -> Invocation {
        self.invocations += 1;
        // Mostly short lines; once in fifty invocations long ones.
        let most = if self.chance.once_in(50) { 8_000 } else { 700 };
        let bytes = self.chance.between(60, most);
        let mut traffic =
            Traffic::new(usize::try_from(bytes).unwrap_or(usize::MAX)).starting_at(self.emitted);
        let lines = traffic.records(self.chance.index(51));
        self.emitted = traffic.position();
        let outcome = if self.chance.once_in(25) {
            Outcome::Error
        } else {
            Outcome::Success
        };
        Invocation {
            lines,
            duration: Duration::from_millis(self.chance.between(0, 20)),
            outcome,
        }
    }

    /// How long the environment is frozen after it.
    pub(super) fn gap(&mut self) -> Duration {
        let most = if self.chance.once_in(100) { 250 } else { 6 };
        Duration::from_millis(self.chance.between(0, most))
    }

    /// Function records emitted, numbered from 0.
    pub(super) fn emitted(&self) -> u64 {
        self.emitted
    }

    pub(super) fn rows(&self) -> Vec<(String, String)> {
        let [primary, firehose, s3] = self.faulty.map(grouped);
        let rows = [
            ("invocations", grouped(self.invocations)),
            ("seed", self.seed.to_string()),
            ("outages of a sink", grouped(self.outages)),
            (
                "invocations with the primary / Firehose / S3 at fault",
                format!("{primary} / {firehose} / {s3}"),
            ),
            ("with all three", grouped(self.all_faulty)),
        ];
        rows.map(|(figure, value)| (figure.to_owned(), value))
            .into()
    }
}

async fn set(world: &World, sink: Sink, fault: Option<Fault>) -> Result {
    match sink {
        Sink::Primary => world.intake.set_fault(fault).await,
        Sink::Firehose => world.firehose.set_fault(fault).await,
        Sink::S3 => world.s3.set_fault(fault).await,
    }
}

fn deal(deck: &mut Vec<Fault>, chance: &mut Chance) -> Fault {
    if deck.is_empty() {
        deck.extend([400, 401, 403, 404, 408, 429, 500, 503].map(Fault::Status));
        let limit = chance.between(300, 4_096);
        deck.extend([
            Fault::StatusWithRetryAfter(429, chance.between(1, 5)),
            Fault::StatusWithRetryAfter(503, chance.between(1, 5)),
            Fault::Refuse,
            Fault::Hang,
            Fault::Reset,
            Fault::ResetAfterBody,
            Fault::Slow(Duration::from_millis(chance.between(20, 700))),
            Fault::TooLarge {
                limit_bytes: usize::try_from(limit).unwrap_or(usize::MAX),
            },
        ]);
    }
    deck.swap_remove(chance.index(deck.len()))
}
