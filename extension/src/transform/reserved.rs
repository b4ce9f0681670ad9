//! Types that only this extension gives: spans and points of its own, and what the function posted by OTLP.
//!
//! Under such a type a record is read as what it says: its ids are a span's, its resource is the resource. An event of
//! the Telemetry API that bears one was not made here, and is kept as text.

use backstop_archive::is_reserved;
use backstop_json::push_string;
use backstop_telemetry::{Event, Kind, MALFORMED};
use backstop_transform::Parts;

/// The event as it is to be believed.
pub(crate) fn believed(event: Event) -> Event {
    if event.kind != Kind::Unknown {
        return event;
    }
    let Some(parts) = Parts::of(&event.fragment).filter(|parts| is_reserved(&name(parts.kind)))
    else {
        return event;
    };
    let whole = [b"{", &event.fragment[..], b"}"].concat();
    let time = String::from_utf8_lossy(parts.time);
    let mut text = format!(r#""time":{time},"type":"{MALFORMED}","record":"#);
    push_string(&mut text, &String::from_utf8_lossy(&whole));
    Event {
        kind: Kind::Malformed,
        fragment: text.into(),
        ..event
    }
}

/// The text of a type, of which there are the bytes between its quotes.
fn name(kind: &[u8]) -> Vec<u8> {
    let text = [b"\"", kind, b"\""].concat();
    let read: Option<String> = serde_json::from_slice(&text).ok();
    read.map_or_else(|| kind.to_vec(), String::into_bytes)
}

#[cfg(test)]
mod tests {
    use backstop_archive::fragment_holds;
    use backstop_telemetry::decode;
    use bytes::Bytes;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn an_event_of_a_type_that_only_we_give_is_text() {
        let spans = r#"{"spans":[{"traceId":"62e900b2710d76f009d6e7785905449a","spanId":"0efbd19962d95b05"}]}"#;
        for kind in [
            "derived.spans",
            "derived.metrics",
            "derived.exception",
            "otlp.traces",
            "otlp.logs",
            "\\u0064erived.spans",
        ] {
            let element = format!(r#"{{"time":"t","type":"{kind}","record":{spans}}}"#);
            let body = Bytes::from(format!("[{element}]"));
            let event = believed(decode(&body, "now").next().unwrap());
            assert_eq!(event.kind, Kind::Malformed, "{kind}");
            assert_eq!(fragment_holds(&event.fragment), None, "{kind}");
            let text = format!("{{{}}}", String::from_utf8_lossy(&event.fragment));
            let read: Value = serde_json::from_str(&text).unwrap();
            let expected = json!({"time": "t", "type": MALFORMED, "record": element});
            assert_eq!(read, expected, "nothing of it is lost");
        }
        for kind in ["function", "platform.report", "a.new.one"] {
            let body = Bytes::from(format!(
                r#"[{{"time":"t","type":"{kind}","record":{spans}}}]"#
            ));
            let event = decode(&body, "now").next().unwrap();
            assert_eq!(believed(event.clone()), event, "{kind}");
        }
    }
}
