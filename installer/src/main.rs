//! The shell: everything else is in the library.

use std::process::ExitCode;

/// A plan of a hundred thousand functions grows beside the answers that it is made of: the C library's allocators
/// keep half as much again for the gaps, and musl's takes one thread at a time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    backstop::main()
}
