//! What keeps the process's memory, in which credentials and telemetry are, out of files.

use rustix::process::{Resource, Rlimit, setrlimit};

/// Prevents core dumps of this process: one would hold its secrets, in a file that the function can
/// read and that may outlive it.
///
/// The limit alone does not hold where the kernel pipes dumps into a program. That the process is not
/// dumpable does, and keeps other processes of the same user from reading its memory and environment.
/// Where a system refuses either, the extension runs without it.
pub fn forbid_core_dumps() {
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    setrlimit(Resource::Core, none).ok();
    #[cfg(target_os = "linux")]
    {
        use rustix::process::{DumpableBehavior, set_dumpable_behavior};
        set_dumpable_behavior(DumpableBehavior::NotDumpable).ok();
    }
}
