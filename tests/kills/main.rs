//! What becomes of records when the environment itself is in trouble: a function that times out, a
//! fraction of a core, no memory, an extension that is killed and started again in the same sandbox.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod files;
mod killed;
mod starved;
mod throttle;
mod timeout;

use std::time::Duration;

/// For what must happen but may take a while on a busy machine.
const LIMIT: Duration = Duration::from_secs(30);
const HANDLER: Duration = Duration::from_millis(15);
