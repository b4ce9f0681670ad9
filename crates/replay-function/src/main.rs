//! The function's process: one invocation after the other, as Lambda's Runtime API gives them.

use std::process::ExitCode;
use std::sync::Arc;

use backstop_replay_function::Function;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::Value;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return ExitCode::FAILURE;
    };
    let ran = runtime.block_on(async {
        let function = Arc::new(Function::of_environment());
        let handler = service_fn(move |event: LambdaEvent<Value>| {
            let function = Arc::clone(&function);
            async move { function.handle(event).await }
        });
        Box::pin(lambda_runtime::run(handler)).await
    });
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
