//! The delivery policy, from outside and on a paused clock.
//!
//! - [`chain`], [`edges`], [`outages`], [`parts`], [`records`], [`signals`], [`isolation`]: the chain over scripted sinks.
//! - [`halving`], [`limits`], [`values`]: the pure parts, alone.
//! - [`secrets`]: what a request needs before it can leave.
//! - [`properties`]: whatever sinks answer, nothing is lost.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod chain;
mod edges;
mod halving;
mod isolation;
mod limits;
mod outages;
mod parts;
mod properties;
mod records;
mod routes;
mod secrets;
mod signals;
mod support;
mod values;
