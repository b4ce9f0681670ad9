//! The Backstop extension.
//!
//! The data's way, and the modules in its order:
//!
//! 1. `source`: Lambda posts telemetry to our listener, which takes the bytes and acknowledges.
//! 2. `backstop_transform`: records are filtered and redacted; `transform`: they get ids.
//! 3. `buffer`: records wait, within a bound, and leave as batches; while a freeze or a kill may come
//!    they have a copy in the spool.
//! 4. `backstop_delivery::Chain`: batches go to the primary, or to the fallbacks.
//! 5. `backstop_delivery::Ledger`: what became of each record, written at shutdown.
//!
//! `metrics` publishes those counts where the operator wants them.
//!
//! `pipeline` is the loop that drives that flow; `lifecycle` decides when to send and when to tell
//! Lambda that we are ready; `app` puts the parts together.

mod app;
mod buffer;
mod core_dumps;
mod diagnostics;
mod freed_memory;
mod lifecycle;
mod metrics;
#[cfg(test)]
mod model;
mod pipeline;
mod settings;
mod source;
mod transform;

pub use app::run;
pub use buffer::spool;
pub use core_dumps::forbid_core_dumps;
pub use diagnostics::{cannot_start, install_panic_hook};
pub use freed_memory::keep_freed_memory;
pub use transform::{Derivations, Derived, Deriver, Enricher};
