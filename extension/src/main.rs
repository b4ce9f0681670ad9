//! The shell: build the runtime, run, map the result to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    backstop_extension::hush_panics();
    // One thread: the extension shares a fraction of a core with the function.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(backstop_extension::run()),
        Err(_) => ExitCode::FAILURE,
    }
}
