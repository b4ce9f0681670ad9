//! The text of skipped accounts and regions.

use std::collections::BTreeMap;

use backstop_fleet::fleet::Skipped;

use crate::options::with_options;
use crate::output::{gist, plural};

/// Places that are listed for one reason.
const LISTED: usize = 6;

/// A paragraph for each reason, with the places that are left out for it; all of them where `full`.
pub fn left_out(skipped: &[Skipped], full: bool) -> Vec<String> {
    let mut groups: BTreeMap<usize, (&Skipped, Vec<String>)> = BTreeMap::new();
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for one in skipped {
        let region = one.region.as_deref().unwrap_or_default();
        let reason = gist(&one.reason, &one.account, region, "");
        let count = known.len();
        let at = *known.entry(reason).or_insert(count);
        let group = groups.entry(at).or_insert_with(|| (one, Vec::new()));
        group.1.push(one.place());
    }
    let groups = groups.into_values();
    groups
        .map(|(first, places)| {
            let region = first.region.as_deref().unwrap_or_default();
            if places.len() == 1 {
                let reason = first.reason.replace('\n', "\n  ");
                return format!("Skipped: {}: {reason}", first.place());
            }
            let reason = gist(&first.reason, &first.account, region, "").replace('\n', "\n  ");
            let shown = if full { places.len() } else { LISTED };
            let more = places.len().saturating_sub(shown);
            let more = if more > 0 {
                format!(" and {more} more (--full lists them)")
            } else {
                String::new()
            };
            let count = plural(places.len() as u64, "place");
            let shown: Vec<&str> = places.iter().take(shown).map(String::as_str).collect();
            format!("Skipped: {count}: {reason}\n  {}{more}", shown.join(", "))
        })
        .map(|paragraph| with_options(&paragraph))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_that_are_left_out_for_the_same_reason_are_one_group() {
        let skipped = |account: &str, region: &str, reason: &str| Skipped {
            account: account.to_owned(),
            region: Some(region.to_owned()),
            reason: format!("listing the functions in {account} {region}: {reason}"),
            is_failure: true,
        };
        let mut all: Vec<Skipped> = (0..8)
            .map(|it| skipped("111122223333", &format!("r-{it}"), "broken\ntry again"))
            .collect();
        all.insert(1, skipped("444455556666", "r-0", "closed"));
        assert_eq!(
            left_out(&all, false),
            [
                "Skipped: 8 places: listing the functions: broken\n  try again\n  111122223333 \
                 r-0, 111122223333 r-1, 111122223333 r-2, 111122223333 r-3, 111122223333 r-4, \
                 111122223333 r-5 and 2 more (--full lists them)",
                "Skipped: 444455556666 r-0: listing the functions in 444455556666 r-0: closed",
            ]
        );
        let full = left_out(&all, true);
        assert!(full[0].ends_with("111122223333 r-7"), "{full:?}");
    }

    #[test]
    fn what_to_do_is_said_in_options() {
        let skipped = Skipped {
            account: "111122223333".to_owned(),
            region: Some("eu-west-1".to_owned()),
            reason: "listing: no answer\ncheck the network, the region and the AWS endpoint URL"
                .to_owned(),
            is_failure: true,
        };
        let text = left_out(&[skipped], false).concat();
        let options = "\n  check the network, --region and --endpoint-url";
        assert!(text.ends_with(options), "{text}");
    }
}
