//! What neither an attacker nor a mistake may cause, tested with the real extension.
//!
//! `SECURITY.md` names the test behind each of its claims; most of them are here.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod answers;
mod archive;
mod echo;
mod forgery;
mod parameter;
mod redaction;
mod redirects;
mod secret_stores;
mod secrets;
mod starved;
mod tls;
mod unknown_redaction;

use std::time::Duration;

use backstop_simulator::EnvironmentBuilder;
use backstop_simulator::traffic::Traffic;
use backstop_tests::{Outcome, World, invocation};

const LINES: u64 = 10;

/// One invocation and the end.
async fn run(world: &World, environment: EnvironmentBuilder) -> Outcome {
    let environment = environment.start().await.unwrap();
    let mut traffic = Traffic::new(200);
    let lines = invocation(&mut traffic, 10, Duration::from_millis(15));
    environment.invoke(lines).await.unwrap();
    world.settle(&environment, LINES).await.unwrap()
}
