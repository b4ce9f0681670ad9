//! The shell: build the runtime, run, map the result to an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    backstop_extension::install_panic_hook();
    backstop_extension::forbid_core_dumps();
    backstop_extension::keep_freed_memory();
    // One thread: the extension shares a fraction of a core with the function.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(backstop_extension::run());
            // Nothing that is still under way may keep the process from ending.
            runtime.shutdown_background();
            code
        }
        Err(error) => {
            backstop_extension::cannot_start(&error);
            ExitCode::FAILURE
        }
    }
}
