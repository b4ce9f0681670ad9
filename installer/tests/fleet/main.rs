//! The commands that change functions, against a control plane that is as strict as the real one.
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod aliases;
mod aliases_kept;
mod attach;
mod backends;
mod denied;
mod doctor;
mod grants;
mod init;
mod kills;
mod machines;
mod network;
mod nowhere;
mod profiles;
mod publishing;
mod races;
mod references;
mod screens;
mod select;
mod shared;
mod stage;
mod state;
mod status;
mod tampered;
mod terminal;
mod traps;
mod upgrades;
mod waves;
