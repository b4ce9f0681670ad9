//! A record as a log: its message, severity, time, ids and fields.

use super::*;

fn view(fragment: &str) -> (String, Option<&'static str>, u128, Option<String>) {
    let text = format!("{{{fragment}}}");
    let line = Line::parse(&text, Some("env-1".into()));
    let log = Log::of(&line, Wall::default());
    let request_id = log.request_id.as_deref().map(str::to_owned);
    let message = log.message.to_string();
    (
        message,
        log.level.map(Level::name),
        log.time.0.as_millis(),
        request_id,
    )
}

const EVENT: u128 = 1_767_225_600_000;

#[test]
fn each_kind_of_record_has_a_message_a_level_a_time_and_a_request_id() {
    let function = |record: &str| {
        format!(r#""time":"2026-01-01T00:00:00.000Z","type":"function","record":{record}"#)
    };
    let id = "8286a188-ba32-4475-8077-530cd35c09a9";
    for (record, message, level, time, request_id) in [
        (
            r#""hello\n""#.to_owned(),
            "hello".to_owned(),
            None,
            EVENT,
            None,
        ),
        (r#""\n""#.to_owned(), String::new(), None, EVENT, None),
        (r#""""#.to_owned(), String::new(), None, EVENT, None),
        ("12".to_owned(), "12".to_owned(), None, EVENT, None),
        (
            format!(r#""2026-01-01T00:00:00.000Z\t{id}\tERROR\tboom\n""#),
            format!("2026-01-01T00:00:00.000Z\t{id}\tERROR\tboom"),
            Some("ERROR"),
            EVENT,
            Some(id),
        ),
        (
            format!(r#""[WARNING]\t2026-01-01T00:00:00.000Z\t{id}\tboom\n""#),
            format!("[WARNING]\t2026-01-01T00:00:00.000Z\t{id}\tboom"),
            Some("WARN"),
            EVENT,
            Some(id),
        ),
        (
            format!(
                r#"{{"timestamp":"2026-01-01T00:00:01.500Z","level":"info","requestId":"{id}","message":"m","n":1}}"#
            ),
            "m".to_owned(),
            Some("INFO"),
            EVENT + 1500,
            Some(id),
        ),
        (
            r#""{\"level\":50,\"time\":1767225601000,\"msg\":\"pino\"}\n""#.to_owned(),
            "pino".to_owned(),
            Some("ERROR"),
            EVENT + 1000,
            None,
        ),
        (
            r#"{"timestamp":"2025-12-31T23:09:59Z","message":"old"}"#.to_owned(),
            "old".to_owned(),
            None,
            EVENT,
            None,
        ),
        (
            r#"{"level":"loud","n":1}"#.to_owned(),
            r#"{"level":"loud","n":1}"#.to_owned(),
            None,
            EVENT,
            None,
        ),
        (
            r#""{not json""#.to_owned(),
            "{not json".to_owned(),
            None,
            EVENT,
            None,
        ),
        (
            r#"{"message":{"a":1},"timestamp":7}"#.to_owned(),
            r#"{"message":{"a":1},"timestamp":7}"#.to_owned(),
            None,
            EVENT,
            None,
        ),
    ] {
        let expected = (message, level, time, request_id.map(str::to_owned));
        assert_eq!(view(&function(&record)), expected, "{record}");
    }
}

#[test]
fn the_own_time_of_a_log_is_one_at_which_it_may_have_been_logged() {
    for (value, time) in [
        (r#""2026-01-01T01:59:00.500+02:00""#, Some(-59_500)),
        (r#""2025-12-31T18:31:00-05:30""#, Some(60_000)),
        (r#""2026-01-01T00:00:07+00:00""#, Some(7_000)),
        (r#""2026-01-01T00:10:00Z""#, Some(600_000)),
        (r#""2026-01-01T00:10:00.001Z""#, None),
        (r#""2025-12-31T23:10:00Z""#, Some(-3_000_000)),
        (r#""2025-12-31T23:09:59.999Z""#, None),
        // The local time of one hour to the east, called UTC.
        (r#""2026-01-01T01:00:00Z""#, None),
        ("1767225600000", Some(0)),
        ("1767225600", None),
        (r#""2026-01-01T02:00:00+0200""#, None),
        (r#""2026-01-01T02:00:00+2é:00""#, None),
        (r#""1970-01-01T00:00:00+01:00""#, None),
        (r#""+02:00""#, None),
        ("true", None),
    ] {
        for record in [
            format!(r#"{{"timestamp":{value},"message":"m"}}"#),
            format!(r#"{{"@timestamp":{value},"time":"2026-01-01T00:00:01Z","message":"m"}}"#),
        ] {
            let other = record.contains("\"time\"").then_some(1_000);
            let fragment =
                format!(r#""time":"2026-01-01T00:00:00.000Z","type":"function","record":{record}"#);
            let expected =
                i128::from(time.or(other).unwrap_or(0)) + i128::try_from(EVENT).expect("it fits");
            let got = i128::try_from(view(&fragment).2).expect("it fits");
            assert_eq!(got, expected, "{record}");
        }
    }
}

/// API Gateway's request id has the same name, and another form.
#[test]
fn the_request_id_is_the_one_that_lambda_may_have_given() {
    let (own, other) = (
        "8286a188-ba32-4475-8077-530cd35c09a9",
        "9286a188-ba32-4475-8077-530cd35c09a9",
    );
    let lambda = "7286a188-ba32-4475-8077-530cd35c09a9";
    for (record, alone, beside, fields) in [
        (
            format!(r#"{{"function_request_id":"{own}","requestId":"Jz5="}}"#),
            Some(own),
            own,
            1,
        ),
        (
            format!(r#"{{"requestId":"Jz5=","function_request_id":"{own}"}}"#),
            Some(own),
            own,
            1,
        ),
        (
            format!(r#"{{"requestId":"{own}","AWSRequestId":"{other}"}}"#),
            Some(own),
            own,
            1,
        ),
        (
            r#"{"requestId":"Jz5=","a":1}"#.to_owned(),
            Some("Jz5="),
            lambda,
            2,
        ),
        (
            r#"{"requestId":77,"aws_request_id":"","message":"m"}"#.to_owned(),
            None,
            lambda,
            2,
        ),
        (
            format!(r#"{{"event":{{"requestContext":{{"requestId":"{own}"}}}}}}"#),
            None,
            lambda,
            1,
        ),
        (format!(r#"{{"requestIdentity":"{own}"}}"#), None, lambda, 1),
    ] {
        for (added, expected) in [("", alone), (lambda, Some(beside))] {
            let text = serde_json::to_string(&record).expect("it is a string");
            for record in [&record, &text] {
                let added = match added {
                    "" => String::new(),
                    id => format!(r#","request_id":"{id}""#),
                };
                let text = format!(
                    r#"{{"time":"2026-01-01T00:00:00.000Z","type":"function","record":{record}{added}}}"#
                );
                let line = Line::parse(&text, Some("env-1".into()));
                let log = Log::of(&line, Wall::default());
                assert_eq!(log.request_id.as_deref(), expected, "{text}");
                let taken = usize::from(added.is_empty() && alone.is_some_and(|id| id.len() < 36));
                assert_eq!(log.fields.len(), fields - taken, "{text}");
            }
        }
    }
}

#[test]
fn a_time_that_cannot_be_read_is_the_present() {
    let now = Wall(Duration::from_hours(490_896));
    for time in ["\"t\"", "\"1969-12-31T23:59:59Z\"", "5", "null"] {
        let text = format!(r#"{{"time":{time},"type":"function","record":"x"}}"#);
        let line = Line::parse(&text, None);
        assert_eq!(Log::of(&line, now).time, now, "{time}");
    }
}

#[test]
fn what_cannot_be_read_is_the_message() {
    assert_eq!(view("no json").0, "{no json}");
    assert_eq!(
        view(r#""time":"t","type":"x""#).0,
        r#"{"time":"t","type":"x"}"#
    );
}

#[test]
fn members_that_are_lifted_are_not_fields_and_the_original_is_whole() {
    let record = r#"{"level":"warn","message":"m","trace_id":"62e900b2710d76f009d6e7785905449a","span_id":"0efbd19962d95b05","user":{"id":7},"level2":"x"}"#;
    let fragment =
        format!(r#""time":"2026-01-01T00:00:00.000Z","type":"function","record":{record}"#);
    let text = format!("{{{fragment}}}");
    let line = Line::parse(&text, Some("env-1".into()));
    let log = Log::of(&line, Wall::default());
    let names: Vec<&str> = log.fields.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["user", "level2"]);
    assert_eq!(log.original(), record);
    assert_eq!(
        log.trace_id.as_deref(),
        Some("62e900b2710d76f009d6e7785905449a")
    );
    assert_eq!(log.span_id.as_deref(), Some("0efbd19962d95b05"));
}
