//! The simulated services as their clients see them, on loopback.

mod dialects;
mod environment;
mod firehose;
mod intake;
mod s3;
