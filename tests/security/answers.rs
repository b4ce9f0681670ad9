//! An answer may be anything, and as long as its sender likes.

use backstop_simulator::traffic::Traffic;
use backstop_tests::{World, invocation};

use crate::LINES;
use crate::echo::{Echo, EchoBehaviour};

const MIB: u64 = 1024 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_without_end_takes_no_memory_and_no_record() {
    for status in [200, 503] {
        let world = World::start().await.unwrap();
        let primary = Echo::start(EchoBehaviour::Endless(status), "").await;
        let firehose = Echo::start(EchoBehaviour::Endless(status), "").await;
        // A primary that says 200 has the records, whatever else it says: here Firehose is to be asked.
        let url = if status == 200 {
            String::new()
        } else {
            primary.url()
        };
        let environment = world
            .environment()
            .env("BACKSTOP_PRIMARY_URL", url)
            .env("AWS_ENDPOINT_URL_FIREHOSE", firehose.url());
        let environment = environment.start().await.unwrap();
        let mut traffic = Traffic::new(200);
        for _ in 0..3 {
            let duration = std::time::Duration::from_millis(15);
            let lines = invocation(&mut traffic, 10, duration);
            environment.invoke(lines).await.unwrap();
        }
        let outcome = world.settle(&environment, 3 * LINES).await.unwrap();
        outcome.assert_nothing_lost();
        assert_eq!(
            outcome.archived.len() as u64,
            outcome.delivered("s3"),
            "{status}\n{}",
            outcome.stderr()
        );
        assert!(firehose.echoed() > 0, "{status}: it was asked");
        let peak = environment.peak_rss_bytes();
        assert!(peak < 32 * MIB, "{status}: {} MiB", peak / MIB);
    }
}
