//! Why a record was given up, and whether the operator wanted that.
//!
//! Invariant: names are stable, as the ledger line holds them.

/// Why records were given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// The buffer's bound was reached and no sink took anything.
    BufferFull,
    /// The primary refused them and there is no fallback to archive them in.
    Rejected,
    /// Too large for the primary, alone, and no fallback to archive them in.
    TooLarge,
    /// The environment was taken down before any sink acknowledged them.
    Shutdown,
    /// A log line of the extension itself, which must not go round: dropped on purpose.
    OwnLog,
    /// Of a type that the operator does not want delivered: dropped on purpose.
    NotAsked,
    /// The process was killed; a later run of the environment found neither them nor their delivery.
    Killed,
    /// Older than the primary takes, and no fallback to archive them in.
    TooOld,
    /// The operator's filter drops them: dropped on purpose.
    Filtered,
    /// Of an invocation that is not in the sample: dropped on purpose.
    Sampled,
    /// Repeats of a line, which are in that line's count: dropped on purpose.
    Deduped,
}

impl DropReason {
    /// In the order of the counts that a run hands on: a change of it changes the version of their file.
    pub(crate) const ALL: [Self; 11] = [
        Self::BufferFull,
        Self::Rejected,
        Self::TooLarge,
        Self::Shutdown,
        Self::OwnLog,
        Self::NotAsked,
        Self::Killed,
        Self::TooOld,
        Self::Filtered,
        Self::Sampled,
        Self::Deduped,
    ];

    /// The name as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::BufferFull => "buffer_full",
            Self::Rejected => "rejected",
            Self::TooLarge => "too_large",
            Self::Shutdown => "shutdown",
            Self::OwnLog => "own_log",
            Self::NotAsked => "not_asked",
            Self::Killed => "killed",
            Self::TooOld => "too_old",
            Self::Filtered => "filtered",
            Self::Sampled => "sampled",
            Self::Deduped => "deduped",
        }
    }

    /// Whether dropping was what the operator wants.
    pub fn is_intentional(self) -> bool {
        matches!(
            self,
            Self::OwnLog | Self::NotAsked | Self::Filtered | Self::Sampled | Self::Deduped
        )
    }
}
