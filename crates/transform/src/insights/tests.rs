//! Templates of lines as they are written, and what must hold of any.

use proptest::prelude::*;

use super::mask::{MOST_TEMPLATE, MOST_TEXT, template};
use super::message::template_of;
use super::*;

thread_local! {
    /// The bytes that the masks looked at.
    pub(super) static LOOKED_AT: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

fn line(record: &str) -> Vec<u8> {
    format!(r#""time":"2026-01-31T08:15:00.000Z","type":"function","record":{record}"#).into_bytes()
}

/// A line of text.
fn text(text: &str) -> Vec<u8> {
    line(&serde_json::Value::from(text).to_string())
}

#[test]
fn lines_of_common_loggers_have_the_template_that_a_person_would_give_them() {
    for (written, expected) in [
        // Python on Lambda, and elsewhere.
        (
            "[INFO]\t2026-01-31T08:15:00.123Z\t8476a536-e9f4-11e8-9739-2dfe598c3fcd\tProcessed order ORD-48151623 in 12.5 ms\n",
            "[INFO] <time> <uuid> Processed order ORD-<n> in <n> ms",
        ),
        (
            "2026-01-31 08:15:00,123 - app.orders - WARNING - retry 3 of 5 for ann@example.com",
            "<time> - app.orders - WARNING - retry <n> of <n> for <email>",
        ),
        (
            "Traceback (most recent call last):\n  File \"/var/task/app.py\", line 12, in handler",
            "Traceback (most recent call last):",
        ),
        ("[ERROR] KeyError: 'sku'", "[ERROR] KeyError: <text>"),
        // Node.js on Lambda.
        (
            "2026-01-31T08:15:00.123Z\t8476a536-e9f4-11e8-9739-2dfe598c3fcd\tINFO\tcache miss for user_42",
            "<time> <uuid> INFO cache miss for user_<n>",
        ),
        // Java.
        (
            "2026-01-31 08:15:00.123  INFO 12345 --- [main] com.example.Orders : Started Orders in 3.218 seconds (JVM running for 4.1)",
            "<time> INFO <n> --- [main] com.example.Orders : Started Orders in <n> seconds (JVM running for <n>)",
        ),
        (
            "08:15:00.123 [http-nio-8080-exec-7] DEBUG o.s.web.Dispatcher - GET /orders/42?full=true",
            "<time> [http-nio-<n>-exec-<n>] DEBUG o.s.web.Dispatcher - GET <path>",
        ),
        // Web servers.
        (
            r#"203.0.113.9 - - [31/Jan/2026:08:15:00 +0000] "GET /orders/42 HTTP/1.1" 200 512 "-" "curl/8.5.0""#,
            r#"<ip> - - [<time>] "GET <path> HTTP/<n>" <n> <n> <text> <text>"#,
        ),
        (
            "2026/01/31 08:15:00 [error] 31#31: *1 connect() failed (111: Connection refused), client: 10.0.0.7",
            "<time> [error] <n>#<n>: *<n> connect() failed (<n>: Connection refused), client: <ip>",
        ),
        // logfmt.
        (
            r#"time=2026-01-31T08:15:00Z level=info msg="payment 48 accepted" user=ann dur=12ms"#,
            "payment <n> accepted",
        ),
        (
            "level=warn user=ann action=login took=12ms",
            "level=warn user=<text> action=<text> took=<n>ms",
        ),
        // Addresses and ids.
        (
            "PUT https://api.example.com/v1/users/7 failed, trace 1-5759e988-bd862e3fe1be46a994272793",
            "PUT <url> failed, trace <id>",
        ),
        (
            "connected to 2001:db8::1 and 192.0.2.4:8443 as 0x7f3a, commit 9fceb02d0ae598e9",
            "connected to <ip> and <ip> as <hex>, commit <hex>",
        ),
        (
            "read s3 object key abz123def456 and utf8 text, don't retry and/or wait",
            "read s3 object key <id> and utf8 text, don't retry and/or wait",
        ),
        ("   ", ""),
        ("größe 42 € für Zoë", "größe <n> € für Zoë"),
    ] {
        assert_eq!(
            template_of(&text(written)).as_deref(),
            Some(expected),
            "{written}"
        );
    }
}

#[test]
fn what_follows_the_name_of_a_secret_is_masked() {
    for (written, expected) in [
        ("login with Bearer hunter", "login with Bearer <text>"),
        (
            "got Authorization: Basic YW5uOmh1bnRlcg==, sent",
            "got Authorization: Basic <text>, sent",
        ),
        (
            "AUTHORIZATION=bearer hunter next",
            "AUTHORIZATION=<text> <text> next",
        ),
        ("\"Authorization\": \"Bearer hunter\"", "<text>: <text>"),
        ("bearer: hunter", "bearer: <text>"),
        ("token: hunter", "token: <text>"),
        ("accessToken=hunter,other", "accessToken=<text>"),
        ("the password is hunter!", "the password is <text>"),
        ("Password :hunter", "Password :<text>"),
        ("PASSWD=$hunter;x y", "PASSWD=<text> y"),
        ("secret => (hunter)", "secret => <text>)"),
        (
            "client_secret: 'hunter two' end",
            "client_secret: <text> end",
        ),
        (
            "{'password': hunter, 'user': 'x'}",
            "{<text>: <text>, <text>: <text>}",
        ),
        (r#"secret="hunter \" two" end"#, "secret=<text> end"),
        ("secret: 'hunter two", "secret: <text>"),
        ("api_key:hunter", "api_key:<text>"),
        ("x-api-key: hunter", "x-api-key: <text>"),
        ("apikey is 12hunter", "apikey is <text>"),
        ("authorization: hunter", "authorization: <text>"),
        ("password: token", "password: <text>"),
        ("password: ünter", "password: <text>"),
        // A name alone says nothing of a value.
        ("no token found: retry", "no token found: retry"),
        ("the secret was rotated", "the secret was rotated"),
        ("password: ", "password:"),
        ("tokens: many", "tokens: many"),
    ] {
        let made = template(written);
        assert_eq!(made, expected, "{written}");
        assert_eq!(template(&made), made, "a template is its own");
    }
    let object = r#"{"level":"INFO","message":"password: hunter"}"#;
    assert_eq!(
        template_of(&line(object)).as_deref(),
        Some("password: <text>")
    );
}

#[test]
fn the_message_of_an_object_is_what_counts() {
    for (record, expected) in [
        (
            r#"{"level":30,"time":1769847300000,"pid":7,"hostname":"h","reqId":"a1","msg":"order 42 placed"}"#,
            "order <n> placed",
        ),
        (
            r#"{"timestamp":"t","level":"INFO","fields":{"message":"no"},"message":"took 3 ms \"x\""}"#,
            "took <n> ms <text>",
        ),
        (
            r#"{"errorType":"Error","errorMessage":"no stock for 7","stack":["a","b"]}"#,
            "no stock for <n>",
        ),
        (
            r#"{"path":"/a","status":200,"list":[1,{"message":"no"}]}"#,
            "{path status list}",
        ),
        (r#"{"message":{"a":1},"n":1}"#, "{message n}"),
        // As text, which Lambda does not parse.
        (
            r#""{\"level\":30,\"msg\":\"order 42 placed\"}\n""#,
            "order <n> placed",
        ),
        ("17", "<n>"),
        ("{}", "{}"),
    ] {
        assert_eq!(
            template_of(&line(record)).as_deref(),
            Some(expected),
            "{record}"
        );
    }
}

#[test]
fn patterns_are_counted_named_and_new_once() {
    let mut insights = Insights::<u32>::default();
    assert_eq!(insights.take(), None);
    for (id, number) in (0..).zip([1, 2, 3]) {
        let pattern = insights.count(&text(&format!("order {number} placed")));
        insights.name(pattern.expect("there is room"), id);
    }
    insights.count(&text("[ERROR] out of stock"));
    let report = insights.take().expect("there are lines");
    assert!(report.is_first);
    assert_eq!((report.lines, report.errors, report.other), (4, 1, (0, 0)));
    let [orders, stock] = &report.patterns[..] else {
        panic!("{report:?}");
    };
    assert_eq!(
        (&*orders.template, orders.lines, orders.errors),
        ("order <n> placed", 3, 0)
    );
    assert_eq!((orders.severity, orders.example), (Severity::Info, Some(0)));
    assert_eq!(
        (stock.severity, stock.errors, stock.example),
        (Severity::Error, 1, None)
    );

    insights.count(&text("order 9 placed"));
    insights.count(&text("refund 9 made"));
    let report = insights.take().expect("there are lines");
    assert!(!report.is_first);
    let news: Vec<_> = report
        .patterns
        .iter()
        .map(|it| (&*it.template, it.is_new))
        .collect();
    assert_eq!(
        news,
        [("order <n> placed", false), ("refund <n> made", true)]
    );
}

/// How many bytes the mask of a line looks at.
fn work_of(line: &str) -> usize {
    LOOKED_AT.set(0);
    template(line);
    LOOKED_AT.get()
}

/// Parts that repeated make lines in which much could begin and nothing does.
const REPEATED: &[&str] = &[
    ":",
    ".",
    "=",
    ",",
    "@",
    "'",
    "/",
    "-",
    "+",
    "#",
    "..",
    ".:",
    "=.",
    "a=",
    "=a.",
    "'a",
    "\\'",
    "\\'\\\"`",
    "'\\'a",
    ".@",
    "@.",
    "a@",
    "a.b@",
    "1.",
    "1,",
    "+1.",
    "1:",
    "::1",
    "1.1_",
    "1-",
    "a1_",
    "1e1",
    "://",
    "a://",
    "../",
    "./",
    "~/",
    "x:\\",
    "Jan ",
    "Jan  1",
    "08:15:",
    "2026-",
    "1.1.1.",
    "a.b:",
    "f:",
    "€",
    "#€",
    "token=\"",
    "token:.",
    "bearer ",
    "token: '",
    "token: '\\'",
    "token is ",
    "level=",
    "<",
    "<n>",
    "%2",
];

/// What stands at the end, so that what could begin does not.
const ENDS: &[&str] = &[
    "", "_", "1_1", "@", "@a.b", "@a.b!", "://", "'b", "=", "::g", "…",
];

#[test]
fn the_mask_is_linear_in_lines_that_are_made_to_be_slow() {
    for start in ["", "'", "+", "/", "a@b.c/", "token=", "token: "] {
        for part in REPEATED {
            for end in ENDS {
                let middle = part.repeat((MOST_TEXT - start.len() - end.len()) / part.len());
                let line = format!("{start}{middle}{end}");
                let work = work_of(&line);
                assert!(work <= 12 * line.len(), "{work} for {line}");
            }
        }
    }
}

#[test]
fn memory_is_bounded_and_what_has_no_room_is_counted_together() {
    let mut insights = Insights::<u32>::default();
    let word = |number: usize| -> String {
        let letter = |digit: u8| char::from(digit - b'0' + b'a');
        number.to_string().bytes().map(letter).collect()
    };
    for number in 0..MOST_PATTERNS + 50 {
        insights.count(&text(&format!(
            "ERROR {} {}",
            word(number),
            "x ".repeat(5000)
        )));
    }
    let report = insights.take().expect("there are lines");
    assert_eq!(report.patterns.len(), MOST_PATTERNS);
    assert_eq!(report.other, (50, 50));
    let longest = report.patterns.iter().map(|it| it.template.len()).max();
    assert!(longest <= Some(MOST_TEMPLATE));
    // Those that do not come again make room.
    insights.count(&text(&format!("ERROR {}", word(1))));
    insights.take();
    assert!(insights.count(&text("something else")).is_some());
}

/// One that is masked, in two ways.
fn slot() -> impl Strategy<Value = (String, String)> {
    let two = |pattern: &'static str| (pattern, pattern).boxed();
    let hex = "[0-9][a-f][0-9a-f]{8}";
    prop_oneof![
        two("-?[0-9]{1,9}([.][0-9]{1,3})?"),
        two("[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]([.][0-9]{3})?Z"),
        two("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"),
        two(hex),
        two("(/[a-z0-9_-]{1,8}){1,4}"),
        two("\"[a-zA-Z0-9 .,/=-]{0,30}\""),
        two("https://[a-z]{1,8}[.]com/[a-z0-9/]{0,9}"),
        two("[1-9][0-9]{0,2}[.][0-9]{1,3}[.][0-9]{1,3}[.][0-9]{1,3}"),
        two("[a-z]{1,8}[.][a-z]{1,8}@[a-z]{1,8}[.]com"),
    ]
}

proptest! {
    #[test]
    fn lines_that_differ_in_what_is_masked_only_have_one_template(
        words in prop::collection::vec(("[a-zA-Z]{1,8}:?", slot()), 1..5),
        end in "[a-zA-Z]{1,8}",
    ) {
        let of = |choose: fn(&(String, String)) -> &String| {
            let words = words.iter().map(|(word, slot)| format!("{word} {} ", choose(slot)));
            template(&(words.collect::<String>() + &end))
        };
        let (one, other) = (of(|slot| &slot.0), of(|slot| &slot.1));
        prop_assert_eq!(&one, &other);
        prop_assert!(one.contains('<'), "{}", one);
        prop_assert_eq!(template(&one), one.clone(), "a template is its own");
    }

    #[test]
    fn the_mask_is_linear_in_any_line(
        parts in prop::collection::vec(prop::sample::select(REPEATED), 1..4),
        end in prop::sample::select(ENDS),
    ) {
        let parts = parts.concat();
        let line = format!("{}{end}", parts.repeat((MOST_TEXT - end.len()) / parts.len()));
        let work = work_of(&line);
        prop_assert!(work <= 12 * line.len(), "{} for {}", work, line);
    }

    #[test]
    fn any_text_has_a_template_within_its_bound(line in any::<String>(), record in any::<Vec<u8>>()) {
        let made = template(&line);
        prop_assert!(made.len() <= MOST_TEMPLATE && !made.contains('\n'), "{}", made);
        let fragment = [&b"\"time\":\"t\",\"type\":\"function\",\"record\":{"[..], &record].concat();
        let mut insights = Insights::<u32>::default();
        insights.count(&fragment);
        insights.count(&text(&line));
        prop_assert!(insights.lines() >= 1);
    }
}

/// A log that the function posted: its record as the receiver writes it, with a resource.
fn posted(resource: &str, item: &str) -> Vec<u8> {
    format!(
        r#""time":"2026-01-31T08:15:00.000Z","type":"otlp.logs","record":{{"resourceLogs":[{{"resource":{{"attributes":[{{"key":"a","value":{{"stringValue":{}}}}}]}},"scopeLogs":[{{"scope":{{"name":"s"}},"logRecords":[{item}]}}]}}]}}"#,
        serde_json::Value::from(resource)
    )
    .into_bytes()
}

#[test]
fn a_posted_log_counts_by_its_body_with_its_severity() {
    // The resource looks like an item, and is longer than what is looked at of one.
    let resource = r#""logRecords":[{"body":{"stringValue":"not this"}}]"#.repeat(200);
    for (item, expected) in [
        (
            r#"{"timeUnixNano":"1","severityNumber":17,"body":{"stringValue":"no stock for \"x\" in 3 ms"}}"#,
            "no stock for <text> in <n> ms",
        ),
        (
            r#"{"body":{"stringValue":"{\"msg\":\"cache miss 7\"}"},"severityNumber":17}"#,
            "cache miss <n>",
        ),
        (
            r#"{"severityNumber":17,"body":{"kvlistValue":{"values":[{"key":"sku","value":{"intValue":"7"}},{"key":"message","value":{"stringValue":"sold 3"}}]}}}"#,
            "sold <n>",
        ),
        (
            r#"{"severityNumber":17,"body":{"kvlistValue":{"values":[{"key":"sku","value":{"intValue":"7"}},{"value":{},"key":"when"},{"key":"none"}]}}}"#,
            "{sku when none}",
        ),
        (r#"{"severityNumber":17,"body":{"intValue":"42"}}"#, "<n>"),
        (
            r#"{"severityNumber":17,"eventName":"order.placed","attributes":[{"key":"body","value":{"stringValue":"x"}}]}"#,
            "order.placed",
        ),
        (r#"{"severityNumber":17}"#, ""),
    ] {
        let mut insights: Insights<u32> = Insights::default();
        assert_eq!(insights.count(&posted(&resource, item)), Some(0), "{item}");
        let report = insights.take().expect("it counts");
        assert_eq!(report.patterns[0].template, expected, "{item}");
        assert_eq!((report.lines, report.errors), (1, 1), "{item}");
    }
}

#[test]
fn of_a_posted_log_that_is_cut_off_or_long_no_more_is_looked_at() {
    let item = r#"{"severityNumber":9,"body":{"kvlistValue":{"values":[{"key":"message","value":{"stringValue":"sold 3"}}]}}}"#;
    let whole = posted("r", item);
    for end in 0..whole.len() {
        let mut insights: Insights<u32> = Insights::default();
        insights.count(&whole[..end]);
    }
    LOOKED_AT.set(0);
    let long = format!(
        r#"{{"body":{{"stringValue":"{}"}}}}"#,
        "a b".repeat(1 << 20)
    );
    let mut insights: Insights<u32> = Insights::default();
    insights.count(&posted("r", &long));
    assert!(LOOKED_AT.get() <= 16 * MOST_TEXT, "{}", LOOKED_AT.get());
}
