//! The shell: everything else is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    backstop::main()
}
