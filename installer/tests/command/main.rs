//! The real command, from its arguments to its exit code; loopback only.

mod about;
mod layer;
mod layer_documented;
mod layer_prune;
mod layer_publish;
mod layer_refused;
mod layer_stage;
#[path = "../fleet/little_server.rs"]
#[expect(
    clippy::unwrap_used,
    dead_code,
    reason = "the other tests use all of it"
)]
mod little_server;
mod owner;
mod readme;
mod replay;
mod replay_archive;
mod replay_refused;
mod replay_s3;
mod screens;
mod support;
mod usage;
