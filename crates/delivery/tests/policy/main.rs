//! The delivery policy, from outside and on a paused clock.
//!
//! - [`classification`]: what each answer means.
//! - [`chain`], [`shares`], [`probes`], [`freezes`], [`shutdown`], [`outages`]: the chain over scripted sinks, and time.
//! - [`parts`], [`records`], [`dead_letters`], [`isolation`], [`routes`], [`signals`]: which record goes where.
//! - [`halving`], [`limits`], [`values`]: the pure parts, alone.
//! - [`secrets`]: what a request needs before it can leave.
//! - [`properties`]: whatever sinks answer, nothing is lost.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod chain;
mod classification;
mod dead_letters;
mod freezes;
mod halving;
mod isolation;
mod limits;
mod outages;
mod parts;
mod probes;
mod properties;
mod records;
mod routes;
mod secrets;
mod shares;
mod shutdown;
mod signals;
mod support;
mod values;
