//! Telemetry of a busy function, the same in each run.

use std::fmt::Write as _;

use bytes::Bytes;

/// Events in the body.
pub(crate) const EVENTS: u32 = 500;

/// Invocations of a busy function: what the platform says of each, and between it lines of all
/// shapes. Ids, times and numbers differ from one to the next, as they do in life: gzip must not
/// have it easier here.
pub(crate) fn body() -> Bytes {
    const EVENTS_EACH: u32 = 10;
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    let mut body = String::from("[");
    let mut request = String::new();
    let mut trace = String::new();
    for number in 0..EVENTS {
        let time = format!(
            "2026-01-01T00:{:02}:{:02}.{:03}Z",
            number / 60,
            number % 60,
            noise.below(1000)
        );
        let place = number % EVENTS_EACH;
        if place == 0 {
            request = noise.uuid();
            trace = format!(
                r#"{{"spanId":"{:016x}","type":"X-Amzn-Trace-Id","value":"Root=1-{:08x}-{:016x}{:08x};Parent={:016x};Sampled=1"}}"#,
                noise.next(),
                noise.below(u32::MAX.into()),
                noise.next(),
                noise.below(u32::MAX.into()),
                noise.next(),
            );
        }
        let (kind, record) = record(place, &time, &request, &trace, &mut noise);
        let comma = if number == 0 { "" } else { "," };
        write!(
            body,
            r#"{comma}{{"time":"{time}","type":"{kind}","record":{record}}}"#
        )
        .expect("a string takes everything");
    }
    body.push(']');
    body.into()
}

/// The event at this place of an invocation: its type and its record.
fn record(
    place: u32,
    time: &str,
    request: &str,
    trace: &str,
    noise: &mut Noise,
) -> (&'static str, String) {
    let (order, amount, took) = (
        noise.below(1_000_000),
        noise.below(50_000),
        noise.below(900),
    );
    let word = [
        "accepted",
        "reserved",
        "authorised",
        "parcelled",
        "declined",
    ][usize::try_from(noise.below(5)).unwrap_or_default()];
    let (customer, session) = (
        noise.uuid(),
        format!("{:016x}{:016x}", noise.next(), noise.next()),
    );
    let function = |record| ("function", record);
    match place {
        0 => (
            "platform.start",
            format!(r#"{{"requestId":"{request}","version":"$LATEST","tracing":{trace}}}"#),
        ),
        1 | 5 => function(format!(
            r#""{time}\t{request}\tINFO\tOrder {order} {word}: customer=\"{customer}\" amount={amount} in {took} ms; stock checked, payment by \"card\", cart={session}, next step is shipping\n""#
        )),
        2 | 6 => function(format!(
            r#"{{"timestamp":"{time}","level":"INFO","requestId":"{request}","message":"order {word}","order":{{"id":{order},"customer":"{customer}","amount":{amount},"currency":"EUR","items":[{},{}]}},"durationMs":{took}.25,"path":"/v1/orders/{order}","session":"{session}"}}"#,
            order / 3,
            amount / 7
        )),
        3 => function(format!(
            r#""[INFO]\t{time}\t{request}\tGET https://stock.internal/items/{order}?customer={customer} -> 200 in {took} ms, {amount} bytes, session {session}\n""#
        )),
        4 => function(format!(
            r#"{{"timestamp":"{time}","level":"ERROR","requestId":"{request}","errorType":"OrderError","errorMessage":"order {order} {word}: \"insufficient stock\"","session":"{session}","stackTrace":["at place (/var/task/orders.js:{took}:9)","at async handler (/var/task/index.js:31:5)"]}}"#
        )),
        7 => function(format!(
            r#""Traceback (most recent call last):\n  File \"/var/task/app.py\", line {took}, in handler\n    place(order)\n  File \"/var/task/orders.py\", line {}, in place\n    raise ValueError('order {order} of {customer}')\nValueError: order {order}: {word}\n""#,
            took / 2
        )),
        8 => (
            "platform.runtimeDone",
            format!(
                r#"{{"requestId":"{request}","status":"success","tracing":{trace},"metrics":{{"durationMs":{took}.481,"producedBytes":{amount}}}}}"#
            ),
        ),
        _ => (
            "platform.report",
            format!(
                r#"{{"requestId":"{request}","status":"success","metrics":{{"durationMs":{took}.481,"billedDurationMs":{},"memorySizeMB":512,"maxMemoryUsedMB":{}}},"tracing":{trace},"spans":[{{"name":"extensionOverhead","start":"{time}","durationMs":0.9}}]}}"#,
                took + 1,
                took % 512
            ),
        ),
    }
}

/// The same numbers in each run (xorshift).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    fn uuid(&mut self) -> String {
        let (first, second) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            first >> 32,
            first >> 16 & 0xffff,
            first & 0xfff,
            second >> 48 & 0x3fff | 0x8000,
            second & 0xffff_ffff_ffff,
        )
    }
}
