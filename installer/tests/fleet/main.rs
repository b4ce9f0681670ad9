//! The commands that change functions, against a control plane that is as strict as the real one.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod aliases;
mod attach;
mod backends;
mod doctor;
mod grants;
mod kills;
mod little_server;
mod machines;
mod network;
mod nowhere;
mod profiles;
mod publishing;
mod races;
mod select;
mod shared;
mod stage;
mod state;
mod status;
mod tampered;
mod traps;
mod upgrades;
mod waves;
