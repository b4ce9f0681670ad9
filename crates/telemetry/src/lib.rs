//! Lenient, shallow decoder of Lambda Telemetry API batches.
//!
//! The flow: a POST body ([`decode`]) → one [`Event`] for each element of the array, in order and as
//! they are asked for → the few platform events that the lifecycle acts on ([`Platform`]).
//!
//! Invariants:
//! - Every element of the body becomes exactly one event, up to [`MOST_ELEMENTS`]; what follows those
//!   is one more. A broken or unknown element never costs its neighbours: what is not a well-formed
//!   telemetry event is kept as a record of type [`MALFORMED`] that holds the text as it came.
//! - An event's [`fragment`](Event::fragment) is always `"time":…,"type":…,"record":…`: between braces
//!   it is JSON that strict readers take, without a raw line break, so a line of NDJSON can be built
//!   around it without a second parse. In the usual case it is a slice of the body: nothing is copied.
//!
//! This crate reads JSON (`backstop-json`) and nothing else: it must not know of buffers, sinks or the clock.

mod decode;
mod escape_reader;
mod fragment;
mod level;
mod platform;
mod severity;
mod text;
mod word;

pub use backstop_json::is_json;
pub use decode::{Event, Events, Kind, MOST_ELEMENTS, decode};
pub use fragment::MALFORMED;
pub use level::Severity;
pub use platform::Platform;
