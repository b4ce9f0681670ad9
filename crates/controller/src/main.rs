//! The function's entry point: reads its settings, and answers invocations.
//!
//! Invariants: stdout has one line of metrics for each invocation; a request of `CloudFormation` is always
//! answered; an invocation whose plan failed is an error, so that SQS delivers its events again.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use backstop_controller::controller::Controller;
use backstop_controller::event::{self, Request};
use backstop_controller::settings::Settings;
use backstop_controller::{answer, result::Outcome};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;
use tokio::time::Instant;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => runtime.block_on(serve()),
        Err(error) => Err(error.into()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            writeln!(std::io::stderr(), "error: {error}").ok();
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), Error> {
    // A mistake in the settings is the answer to each invocation: CloudFormation must get one.
    let settings = Settings::read(|name| std::env::var(name).ok());
    let controller = Arc::new(settings.map(Controller::new));
    lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        let controller = Arc::clone(&controller);
        // Too large for the stack of every caller.
        async move { Box::pin(handle(&controller, event)).await }
    }))
    .await
}

async fn handle(
    controller: &Result<Controller, String>,
    event: LambdaEvent<Value>,
) -> Result<Value, Error> {
    let left = (UNIX_EPOCH + Duration::from_millis(event.context.deadline))
        .duration_since(SystemTime::now())
        .unwrap_or_default();
    let deadline = Instant::now() + left;
    let reply = event::reply(&event.payload);
    let done = match controller {
        Ok(controller) => invoke(controller, &event.payload, deadline).await,
        Err(problem) => Err(problem.clone()),
    };
    if let Some(reply) = reply {
        let problem = done.as_ref().err().map(String::as_str);
        answer::send(&reply, &answer::body(&reply, problem)).await?;
        // The stack knows: an error would only make Lambda invoke again.
        return Ok(Value::Null);
    }
    Ok(done?)
}

/// The result, or why a caller that waits must not go on.
async fn invoke(
    controller: &Controller,
    payload: &Value,
    deadline: Instant,
) -> Result<Value, String> {
    let request = event::read(payload, controller.name())?;
    let outcome = Box::pin(controller.handle(&request, deadline)).await;
    write(controller.name(), &outcome);
    let problem = match request {
        // The result of a plan is for people; what fails in it has an alarm.
        Request::Everything | Request::Changed(_) => outcome.error.clone(),
        Request::Resource(_) => outcome.problem(),
    };
    match problem {
        Some(problem) => Err(problem),
        None => {
            serde_json::to_value(&outcome).map_err(|_| "the result cannot be written".to_owned())
        }
    }
}

fn write(name: &str, outcome: &Outcome) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let metrics = outcome.metrics(name, now.as_millis());
    let result = serde_json::to_string(outcome).unwrap_or_default();
    // An invocation does not fail because a line cannot be written.
    writeln!(std::io::stdout(), "{metrics}\n{result}").ok();
}
