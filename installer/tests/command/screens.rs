//! The screens of `replay` at 80 and at 120 columns, where the environment names an endpoint at which nothing
//! answers: what is typed wins.

use crate::support::{DIRECT, Finished, Stage, line, run};

/// Nothing listens there.
const DEAD: &str = "http://127.0.0.1:9";

fn assert_fits(finished: &Finished, width: usize) {
    for line in finished.stdout.lines() {
        // A key is not cut, so that it can be copied.
        let is_one_word = line.split_whitespace().any(|word| word.len() + 4 > width);
        assert!(line.chars().count() <= width || is_one_word, "{line}");
    }
}

#[tokio::test]
async fn a_replay_fits_the_terminal_and_reads_from_where_it_was_typed() {
    let stage = Stage::set().await;
    let text = [
        line("e-0", "one"),
        "not a record".to_owned(),
        line("e-1", "two"),
    ];
    stage.put_lines(&format!("{DIRECT}/b1.ndjson.gz"), &text);
    for width in [80, 120] {
        let mut command = stage.replay_as("table");
        command
            .args(["--function", "checkout", "--function", "chekout"])
            .env("AWS_ENDPOINT_URL", DEAD)
            .env("AWS_ENDPOINT_URL_S3", DEAD)
            .env("COLUMNS", width.to_string());
        let finished = run(&mut command).await;
        assert_fits(&finished, width);
        let port = stage.intake.address().port().to_string();
        let shown = finished.snapshot().replace(&port, "PORT");
        insta::assert_snapshot!(format!("screen_replay_{width}"), shown);
    }
}
