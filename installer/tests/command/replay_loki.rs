//! `backstop replay` to Loki, which refuses what is an hour behind the newest line of its stream.

use std::time::{Duration, SystemTime};

use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use backstop_simulator::{Dialect, FakeIntake};

use crate::replay::{counts, lines};
use crate::support::{DIRECT, Finished, Stage, TIME, run};

const HOUR: u32 = 60;

/// Ten lines of this many minutes ago.
fn ago(minutes: u32) -> Vec<String> {
    let then = SystemTime::now() - Duration::from_mins(minutes.into());
    let then = DateTime::from_secs(DateTime::from(then).secs());
    let then = then.fmt(Format::DateTime).expect("it has a form");
    let lines = lines(minutes * 10..minutes * 10 + 10, "one");
    lines.iter().map(|it| it.replace(TIME, &then)).collect()
}

async fn replay(stage: &Stage) -> Finished {
    let mut command = stage.replay();
    command.args(["--format", "loki", "--after", "keep"]);
    run(command.env("BACKSTOP_PRIMARY_TOKEN", Dialect::Loki.token())).await
}

#[tokio::test]
async fn hours_that_are_past_are_stored_beside_what_is_live_and_once() {
    let mut stage = Stage::set().await;
    stage.intake = FakeIntake::start_speaking(Dialect::Loki)
        .await
        .expect("it starts");
    stage.put_lines(&format!("{DIRECT}/live.ndjson.gz"), &ago(0));
    let said = replay(&stage).await;
    assert_eq!(said.code, Some(0), "{said:?}");
    // The newest of them first, and some of one hour.
    let past = [20, 2 * HOUR, 26 * HOUR, 3 * HOUR, 26 * HOUR + 1].map(ago);
    stage.put_lines(&format!("{DIRECT}/past.ndjson.gz"), &past.concat());
    for _ in 0..2 {
        let said = replay(&stage).await;
        assert_eq!(said.code, Some(0), "{said:?}");
        assert_eq!(
            counts(&said.json(), &["records", "sent", "rejected", "failed"]),
            [60, 60, 0, 0]
        );
        assert_eq!(stage.intake.record_count(), 60);
        assert_eq!(stage.intake.refusals(), [""; 0]);
        assert!(stage.intake.records().values().all(|count| *count == 1));
    }
}
