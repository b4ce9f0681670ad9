//! What to do about an answer that ends a batch or the run, where its format has no words of its own.

use backstop_delivery::Cause;

/// What to do about a cause that no other attempt removes, whatever the format.
pub(super) fn advice_on(cause: Cause) -> Option<&'static str> {
    match cause.reason {
        "unproven" => Some(
            "its answer does not prove that it has them: check whether something else answers at \
             the address, such as a proxy or a login page",
        ),
        _ => None,
    }
}

/// `own` is the advice of the format.
pub(super) fn stop_advice(cause: Cause, own: Option<&str>) -> String {
    if let Some(own) = own {
        let what = match cause.reason {
            "unauthorized" => "rejected the credentials",
            _ => "does not accept records",
        };
        return format!("the primary {what}: {cause}; {own}, then replay again");
    }
    match cause.reason {
        "unauthorized" => format!(
            "the primary rejected the credentials: {cause}; check the token and the headers, then \
             replay again"
        ),
        "payment_required" => format!(
            "the primary's account cannot accept records: {cause}; check its plan and quota, then \
             replay again"
        ),
        "redirected" => format!(
            "the primary redirects, and Backstop follows no redirects: {cause}; give its new \
             address"
        ),
        "not_found" => {
            format!("the primary does not know this path: {cause}; check the path of the address")
        }
        _ => format!(
            "the primary does not accept such requests: {cause}; check the address, \
             the format and the headers"
        ),
    }
}
