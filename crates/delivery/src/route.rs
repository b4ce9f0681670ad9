//! Where a record is to go: decided at intake.

/// Where a record is to go.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Route {
    /// To the primary, and to a fallback where that does not take it.
    #[default]
    Deliver,
    /// To a fallback: a copy, under the same id, of a record that is delivered.
    Mirrored,
    /// To a fallback only: the primary is not to have it.
    Archived,
}

impl Route {
    /// Its name in the archive.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deliver => "deliver",
            Self::Mirrored => "mirrored",
            Self::Archived => "archived",
        }
    }

    /// Whether only fallbacks are to have the record.
    pub fn is_archive_only(self) -> bool {
        self != Self::Deliver
    }

    /// As a number of two bits.
    pub(crate) fn number(self) -> u64 {
        match self {
            Self::Deliver => 0,
            Self::Mirrored => 1,
            Self::Archived => 2,
        }
    }

    pub(crate) fn of_number(number: u64) -> Option<Self> {
        let all = [Self::Deliver, Self::Mirrored, Self::Archived];
        all.into_iter().find(|route| route.number() == number)
    }
}
