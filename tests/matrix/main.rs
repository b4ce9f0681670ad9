//! The fault matrix: every way in which a server fails, at each sink, from the first request on, for a
//! while, and at shutdown only; and the primary of each format through the faults that its answers and its
//! batches may make a difference to. Whatever happens, each record is somewhere, or counted as dropped.
//!
//! `cell` is the table, `run` plays one of its cells through the real extension, `verdict` says what
//! must hold afterwards. All cells are run, and all that fail are named together. Some of them alone:
//! `MATRIX_CELLS=drip cargo test -p backstop-tests --test matrix`.

mod cell;
mod run;
mod verdict;

use std::io::Write as _;

use backstop_tests::in_parallel;

#[tokio::test(flavor = "multi_thread")]
async fn no_fault_of_any_sink_at_any_moment_loses_a_record_silently() {
    let wanted = std::env::var("MATRIX_CELLS").unwrap_or_default();
    let cells = cell::all().filter(|cell| cell.to_string().contains(&wanted));
    let outcomes = in_parallel(cells.map(|cell| async move { (cell, run::run(cell).await) })).await;
    let failures: Vec<String> = outcomes
        .iter()
        .filter(|(_, wrong)| !wrong.is_empty())
        .map(|(cell, wrong)| format!("{cell}:\n  {}", wrong.join("\n  ")))
        .collect();
    let count = outcomes.len();
    // Past the harness, which keeps what a test prints to itself.
    writeln!(std::io::stderr(), "fault matrix: {count} cells").ok();
    assert!(count > 0, "no cell is called {wanted}");
    assert!(
        failures.is_empty(),
        "{} of {count} cells:\n{}",
        failures.len(),
        failures.join("\n")
    );
}
