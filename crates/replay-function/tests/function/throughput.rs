//! What a replay costs in processor time: a measurement, for docs/replay.md.
//!
//! `scripts/bench replay` runs it, with the binary that is packed.

use std::fmt::Write as _;
use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::stage::{Stage, key, line};

const OBJECTS: usize = 64;
const RECORDS: usize = 4000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: scripts/bench replay"]
async fn a_gigabyte_takes_a_few_seconds_of_a_processor() {
    let stage = Stage::set(&[]).await;
    let mut bytes = 0;
    for object in 0..OBJECTS {
        let mut text = String::new();
        for record in 0..RECORDS {
            // Text that compresses as logs do.
            let noise = (object * RECORDS + record) as u64;
            let noise = noise.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let said =
                format!("order {noise:016x} accepted, stock reserved, parcel booked; ").repeat(12);
            writeln!(text, "{}", line(&format!("r{object}-{record}"), &said)).unwrap();
        }
        bytes += text.len();
        let mut packed = GzEncoder::new(Vec::new(), Compression::default());
        packed.write_all(text.as_bytes()).unwrap();
        stage.put(&key(object), &packed.finish().unwrap());
        stage.cloud.put(&stage.message(&key(object)));
    }
    let before = stage.processor_seconds();
    let started = tokio::time::Instant::now();
    stage.pump(5).await;
    let (taken, wall) = (stage.processor_seconds() - before, started.elapsed());
    assert_eq!(stage.intake.record_count(), OBJECTS * RECORDS);
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let megabytes = bytes as f64 / 1e6;
    let report = format!(
        "{megabytes:.0} MB in {OBJECTS} objects: {:.2} processor seconds a GB, {:.1} MB/s here, peak {} KiB\n",
        taken * 1000.0 / megabytes,
        megabytes / wall.as_secs_f64(),
        stage.peak_memory(),
    );
    std::io::stdout().write_all(report.as_bytes()).unwrap();
}
