//! The archive as a library: what the commands `archive` and `replay` do, without options and printing.
//!
//! [`archive`] lists, reads, counts and marks; [`replay`] sends what is selected to a [`Target`], and a
//! [`Replayer`] the objects that it is given; [`queue`] has such objects as messages. A caller
//! gives an S3 client or a directory, and takes a [`Summary`]:
//!
//! ```no_run
//! # async fn example(client: aws_sdk_s3::Client) -> anyhow::Result<()> {
//! use backstop_replay::archive::{Archive, ArchiveOptions, Location};
//! use backstop_replay::{Options, Selection, Target, TargetOptions, replay};
//!
//! let location: Location = "s3://archive/backstop".parse().map_err(anyhow::Error::msg)?;
//! let archive = Archive::in_bucket(client, location, ArchiveOptions::default());
//! let options = TargetOptions {
//!     url: "https://intake.example.com/v1/logs",
//!     format: "ndjson",
//!     ..TargetOptions::default()
//! };
//! let target = Target::resolve(&options, &backstop_config::ProcessEnvironment)?;
//! let summary = replay(Selection::all(archive), target, Options::default(), &()).await?;
//! assert!(summary.is_complete());
//! # Ok(())
//! # }
//! ```
//!
//! Must not: print, read an option of a command line, or build an AWS client.

pub mod archive;
pub mod queue;
mod replay;

pub use replay::{
    Begin, Checkpoint, CheckpointPlace, CheckpointStore, Left, Options, Outcome, Problem, Progress,
    Rate, Replayer, Selection, Subject, Summary, Target, TargetOptions, replay,
};
