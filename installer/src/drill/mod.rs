//! A drill: the primary of one function fails for a few invocations, and what becomes of the records.
//!
//! `aim` says where the primary leads meanwhile, `check` why a drill is refused, `invoke` invokes and reads
//! what was billed, `found` reads the archive, `restored` compares the function with
//! what it was, `summary` is the result and `page` shows it. The command puts
//! them together, and changes and restores the function as a run.
//!
//! Invariant: what is refused is refused before anything is invoked or changed. Must not: write to Lambda.

mod aim;
mod check;
mod found;
mod invoke;
mod page;
mod restored;
mod summary;

pub use aim::{Aim, Failure};
pub use check::{Facts, QUIET_HOURS, archive, has_stream, known, refusals};
pub use found::{Extent, Found, Known, look};
pub use invoke::{Invoked, once};
pub use page::page;
pub use restored::Restored;
pub use summary::{Billed, Phase, Summary};
