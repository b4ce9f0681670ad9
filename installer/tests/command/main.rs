//! The real command, from its arguments to its exit code; loopback only.

mod about;
mod archive;
mod archive_listing;
mod archive_refused;
mod layer;
mod layer_documented;
mod layer_prune;
mod layer_publish;
mod layer_refused;
mod layer_stage;
mod owner;
mod readme;
mod replay;
mod replay_archive;
mod replay_like;
mod replay_loki;
mod replay_marks;
mod replay_property;
mod replay_refused;
mod replay_resume;
mod replay_s3;
mod screens;
mod support;
mod usage;
mod words;
