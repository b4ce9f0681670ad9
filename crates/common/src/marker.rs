//! Where a listing stands, page by page.
//!
//! Invariant: a listing that gives a token again would never end, and is ended with an error. Every loop
//! over pages of our own goes through this; the SDK's paginators do the same.

use std::collections::HashSet;

use crate::failure::{Failure, Kind};

/// The token to ask for the next page with.
#[derive(Debug, Default)]
pub struct Marker {
    next: Option<String>,
    seen: HashSet<String>,
}

impl Marker {
    /// For the next request; none for the first page.
    pub fn current(&self) -> Option<String> {
        self.next.clone()
    }

    /// Takes the token of an answer; false after the last page.
    pub fn advance(&mut self, what: &str, next: Option<&str>) -> Result<bool, Failure> {
        self.next = next.filter(|next| !next.is_empty()).map(str::to_owned);
        let Some(next) = &self.next else {
            return Ok(false);
        };
        if self.seen.insert(next.clone()) {
            return Ok(true);
        }
        let reason = "the listing repeats a continuation token and would never end: something \
            other than AWS may have answered, check the AWS endpoint URL and the proxy";
        Err(Failure::new(what, reason, Kind::Invalid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_ends_with_its_last_page_or_where_it_would_begin_again() {
        let mut marker = Marker::default();
        assert_eq!(marker.current(), None);
        for token in ["a", "b", "c"] {
            assert!(
                marker
                    .advance("listing", Some(token))
                    .is_ok_and(|more| more)
            );
            assert_eq!(marker.current().as_deref(), Some(token));
        }
        let failure = marker.advance("listing", Some("a")).expect_err("a again");
        assert!(
            failure
                .to_string()
                .starts_with("listing: the listing repeats"),
            "{failure}"
        );
        for last in [None, Some("")] {
            assert!(marker.advance("listing", last).is_ok_and(|more| !more));
        }
    }
}
