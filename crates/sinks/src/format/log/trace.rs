//! Ids of traces and spans, as X-Ray, W3C and OpenTelemetry write them, to OpenTelemetry's hexadecimal form.

/// 32 hexadecimal digits, from themselves or from X-Ray's `1-62e900b2-710d76f009d6e7785905449a`, alone or in a
/// header (`Root=…;Parent=…`), or from W3C's header (`00-…-…-01`).
pub fn trace_id(text: &str) -> Option<String> {
    if let Some((id, _)) = w3c(text) {
        return Some(id);
    }
    let root = member(text, "Root").unwrap_or(text);
    let digits = match root.strip_prefix("1-") {
        Some(rest) => rest.replacen('-', "", 1),
        None => root.to_owned(),
    };
    hexadecimal(&digits, 32)
}

/// 16 hexadecimal digits.
pub fn span_id(text: &str) -> Option<String> {
    hexadecimal(text, 16)
}

/// The id of the parent's span, from X-Ray's header or from W3C's.
pub fn parent_id(header: &str) -> Option<String> {
    let stated = member(header, "Parent").and_then(span_id);
    stated.or_else(|| w3c(header).map(|(_, parent)| parent))
}

/// The ids of a trace and of the parent's span (<https://www.w3.org/TR/trace-context/#traceparent-header>).
fn w3c(header: &str) -> Option<(String, String)> {
    let mut parts = header.split('-');
    let version = parts.next()?;
    let ids = (
        hexadecimal(parts.next()?, 32)?,
        hexadecimal(parts.next()?, 16)?,
    );
    (version.len() == 2 && version != "ff").then_some(ids)
}

fn member<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let mut members = header.split(';');
    members.find_map(|it| it.trim().strip_prefix(name)?.strip_prefix('='))
}

/// An id of zeros is none (W3C Trace Context, section 3.2.2.3).
fn hexadecimal(text: &str, length: usize) -> Option<String> {
    let is_id = text.len() == length
        && text.bytes().all(|byte| byte.is_ascii_hexdigit())
        && text.bytes().any(|byte| byte != b'0');
    is_id.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_in_each_form_and_nothing_else_is_one() {
        let id = Some("62e900b2710d76f009d6e7785905449a".to_owned());
        let header = "Root=1-62e900b2-710d76f009d6e7785905449a;Parent=0efbd19962d95b05;Sampled=1";
        assert_eq!(trace_id(header), id);
        assert_eq!(trace_id("1-62e900b2-710d76f009d6e7785905449a"), id);
        assert_eq!(trace_id("62E900B2710D76F009D6E7785905449A"), id);
        for text in ["", "Root=", "1-62e900b2", &"0".repeat(32), &"g".repeat(32)] {
            assert_eq!(trace_id(text), None, "{text}");
        }
        assert_eq!(
            span_id("0efbd19962d95b05").as_deref(),
            Some("0efbd19962d95b05")
        );
        assert_eq!(span_id("0efb"), None);
    }
}
