use std::collections::BTreeMap;

use serde_json::Value;

use super::*;

const MINUTE: u64 = 60;

fn at(seconds: u64) -> Wall {
    Wall(Duration::from_secs(1_800_000_000 + seconds))
}

fn begun(target: MetricsTarget) -> Metrics {
    let mut metrics = Metrics::new(target, "orders".to_owned());
    metrics.begin(&Ledger::default(), at(0));
    metrics
}

fn lines(metrics: &mut Metrics, ledger: &Ledger) -> Vec<Value> {
    let text = metrics.lines(ledger, &[], at(MINUTE));
    let line = |line: &str| {
        assert!(line.starts_with("{\"backstop\":"), "{line}");
        serde_json::from_str(line).unwrap()
    };
    text.lines().map(line).collect()
}

/// The values of all lines, by metric and part.
fn values(lines: &[Value]) -> BTreeMap<String, u64> {
    let mut values = BTreeMap::new();
    for line in lines {
        let part = line["Sink"].as_str().or(line["Reason"].as_str());
        for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]
            .as_array()
            .unwrap()
        {
            let name = metric["Name"].as_str().unwrap();
            let key = part.map_or(name.to_owned(), |part| format!("{name} {part}"));
            values.insert(key, line[name].as_u64().unwrap());
        }
    }
    values
}

#[test]
fn a_publication_holds_what_came_since_and_no_zeros() {
    let mut metrics = begun(MetricsTarget::Emf);
    let mut ledger = Ledger::default();
    ledger.receive(10);
    ledger.deliver(SinkName::Https, 6);
    ledger.deliver(SinkName::S3, 2);
    ledger.note_diverted(1);
    ledger.note_dead_letters(1);
    ledger.drop_records(DropReason::OwnLog, 1);
    metrics.held(Duration::from_micros(2_700));
    let first = lines(&mut metrics, &ledger);
    let expected = [
        ("AddedMilliseconds", 2),
        ("DeadLetters", 1),
        ("Delivered https", 6),
        ("Delivered s3", 2),
        ("Diverted", 1),
        ("DroppedIntentionally own_log", 1),
        ("Pending", 1),
        ("Received", 10),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(values(&first), BTreeMap::from(expected));

    ledger.drop_records(DropReason::Shutdown, 1);
    metrics.held(Duration::from_micros(400));
    let second = values(&lines(&mut metrics, &ledger));
    let expected = [
        // What was left of the first time.
        ("AddedMilliseconds", 1),
        ("Dropped", 1),
        ("Dropped shutdown", 1),
    ];
    let expected = expected.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(second, BTreeMap::from(expected));
    assert!(lines(&mut metrics, &ledger).is_empty());
}

#[test]
fn an_open_breaker_is_said_of_its_sink_once() {
    let mut metrics = begun(MetricsTarget::Both);
    let breakers = [
        (SinkName::Https, BreakerState::Open),
        (SinkName::Https, BreakerState::HalfOpen),
        (SinkName::S3, BreakerState::Closed),
    ];
    let open = Point {
        name: "breaker_open",
        kind: Kind::Level,
        part: Part::Sink("https"),
        value: 1,
    };
    assert_eq!(metrics.points(&Ledger::default(), &breakers), [open]);
}

#[test]
fn a_publication_comes_at_most_once_a_minute_and_not_for_its_own_sake() {
    let mut metrics = begun(MetricsTarget::Both);
    let mut ledger = Ledger::default();
    ledger.receive(1);
    assert!(!metrics.is_due(at(59)));
    assert_eq!(metrics.due_in(at(59)), Some(Duration::from_secs(1)));
    assert!(metrics.is_due(at(60)));
    assert_eq!(metrics.due_in(at(60)), None, "no timer that is in the past");
    assert!(metrics.is_due(Wall(Duration::from_secs(5))), "set back");
    assert!(metrics.has_news(&ledger));

    metrics.published(at(60));
    assert!(!metrics.points(&ledger, &[]).is_empty());
    ledger.derive(1);
    assert!(!metrics.lines(&ledger, &[], at(60)).is_empty());
    assert!(!metrics.is_due(at(119)));
    // The line comes back from Lambda, and the record with the points is delivered.
    ledger.receive(2);
    ledger.drop_records(DropReason::OwnLog, 2);
    ledger.deliver(SinkName::Https, 1);
    assert!(metrics.is_due(at(120)));
    assert!(!metrics.has_news(&ledger));
    ledger.deliver(SinkName::S3, 1);
    assert!(metrics.has_news(&ledger));
}

#[test]
fn counts_of_a_killed_run_are_not_published_again() {
    let mut metrics = Metrics::new(MetricsTarget::Emf, "orders".to_owned());
    let mut ledger = Ledger::default();
    ledger.receive(5);
    metrics.begin(&ledger, at(0));
    ledger.drop_records(DropReason::Killed, 5);
    let values = values(&lines(&mut metrics, &ledger));
    let expected = [("Dropped", 5), ("Dropped killed", 5)];
    let expected = expected.map(|(name, value)| (name.to_owned(), value));
    assert_eq!(values, BTreeMap::from(expected));
}

#[test]
fn off_it_says_nothing() {
    let mut metrics = begun(MetricsTarget::Off);
    let mut ledger = Ledger::default();
    ledger.receive(5);
    assert!(!metrics.is_due(at(1_000)));
    assert_eq!(metrics.due_in(at(1)), None);
    metrics.held(Duration::from_secs(1));
    assert!(metrics.points(&ledger, &[]).is_empty());
    assert_eq!(metrics.lines(&ledger, &[], at(0)), "");
}
