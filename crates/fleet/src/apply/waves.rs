//! Divides functions into waves. Pure.

use std::collections::{BTreeMap, VecDeque};

use crate::plan::Rollout;

/// Functions that are changed together, before any of the next wave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wave<T> {
    /// Whether it is the first one, in which any failure stops.
    pub(super) is_canary: bool,
    /// In the order in which they start.
    pub(super) functions: Vec<T>,
}

/// Every function in one wave. The same plan gives the same waves, so that a run that is taken up again
/// goes on in them.
///
/// Where there are several, functions are taken from every place in turn: a place where it does not work
/// is met in the first wave, as far as that reaches.
pub(super) fn split<P: Ord, T>(
    functions: impl IntoIterator<Item = (P, T)>,
    rollout: &Rollout,
) -> Vec<Wave<T>> {
    if rollout.canary.is_none() && rollout.wave.is_none() {
        let functions: Vec<T> = functions.into_iter().map(|(_, it)| it).collect();
        return wave(false, functions).into_iter().collect();
    }
    let mut functions = in_turn(functions);
    let all = functions.len();
    let mut waves = Vec::new();
    if let Some(canary) = rollout.canary {
        let first = functions.drain(..canary.of(all).min(all)).collect();
        waves.extend(wave(true, first));
    }
    let size = rollout.wave.map_or(all, |it| it.of(all));
    while !functions.is_empty() {
        let next = functions.drain(..size.min(functions.len())).collect();
        waves.extend(wave(false, next));
    }
    waves
}

fn wave<T>(is_canary: bool, functions: Vec<T>) -> Option<Wave<T>> {
    (!functions.is_empty()).then_some(Wave {
        is_canary,
        functions,
    })
}

fn in_turn<P: Ord, T>(functions: impl IntoIterator<Item = (P, T)>) -> VecDeque<T> {
    let mut places: BTreeMap<P, VecDeque<T>> = BTreeMap::new();
    for (place, function) in functions {
        places.entry(place).or_default().push_back(function);
    }
    let mut taken = VecDeque::new();
    while !places.is_empty() {
        for functions in places.values_mut() {
            taken.extend(functions.pop_front());
        }
        places.retain(|_, functions| !functions.is_empty());
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Portion;

    fn rollout(canary: Option<&str>, wave: Option<&str>) -> Rollout {
        let portion = |text: &str| text.parse::<Portion>().expect("it is one");
        Rollout {
            canary: canary.map(portion),
            wave: wave.map(portion),
            ..Rollout::default()
        }
    }

    /// So many functions in places a, b, c and so on, each called by its place and number.
    fn functions(counts: &[usize]) -> Vec<(char, String)> {
        let places = ('a'..).zip(counts);
        places
            .flat_map(|(place, count)| (0..*count).map(move |it| (place, format!("{place}{it}"))))
            .collect()
    }

    fn waves(counts: &[usize], canary: Option<&str>, wave: Option<&str>) -> Vec<String> {
        split(functions(counts), &rollout(canary, wave))
            .into_iter()
            .map(|wave| {
                let sign = if wave.is_canary { "!" } else { "" };
                format!("{sign}{}", wave.functions.join(" "))
            })
            .collect()
    }

    #[test]
    fn without_options_all_is_one_wave_in_the_plans_order() {
        assert_eq!(waves(&[2, 1], None, None), ["a0 a1 b0"]);
        assert!(waves(&[], None, None).is_empty());
        assert!(waves(&[], Some("5%"), Some("1")).is_empty());
    }

    #[test]
    fn the_first_wave_has_some_of_every_place() {
        assert_eq!(
            waves(&[4, 1, 2], Some("3"), None),
            ["!a0 b0 c0", "a1 c1 a2 a3"]
        );
        assert_eq!(
            waves(&[4, 1, 2], Some("1%"), Some("50%")),
            ["!a0", "b0 c0 a1 c1", "a2 a3"]
        );
    }

    #[test]
    fn later_waves_have_the_size_that_is_given() {
        assert_eq!(waves(&[5], None, Some("2")), ["a0 a1", "a2 a3", "a4"]);
        assert_eq!(waves(&[3], Some("9"), Some("1")), ["!a0 a1 a2"]);
    }

    #[test]
    fn every_function_is_in_one_wave_whatever_the_numbers() {
        for counts in [&[1][..], &[7, 3], &[1, 1, 1], &[20, 0, 13, 2], &[97]] {
            for canary in [None, Some("1"), Some("5%"), Some("100%"), Some("1000")] {
                for wave in [None, Some("1"), Some("25%"), Some("33.3%"), Some("40")] {
                    let all = functions(counts);
                    let rollout = rollout(canary, wave);
                    let split = split(all.clone(), &rollout);
                    let context = format!("{counts:?} {canary:?} {wave:?}");
                    let mut taken: Vec<String> =
                        (split.iter().flat_map(|wave| wave.functions.clone())).collect();
                    taken.sort_unstable();
                    let mut expected: Vec<String> = all.iter().map(|it| it.1.clone()).collect();
                    expected.sort_unstable();
                    assert_eq!(taken, expected, "{context}");
                    // Sizes: each as asked, but for the last one.
                    let sizes: Vec<usize> = split.iter().map(|it| it.functions.len()).collect();
                    for (number, wave) in split.iter().enumerate() {
                        let portion = if wave.is_canary {
                            rollout.canary
                        } else {
                            rollout.wave
                        };
                        let size = portion.map_or(all.len(), |it| it.of(all.len()));
                        let is_last = number + 1 == split.len();
                        let is_right = sizes[number] == size || is_last && sizes[number] < size;
                        assert!(is_right, "{context}: {sizes:?}");
                        assert_eq!(wave.is_canary, canary.is_some() && number == 0, "{context}");
                    }
                }
            }
        }
    }
}
