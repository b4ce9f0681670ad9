//! Who a sink is: its name, and what it is in the chain.

use std::fmt;

/// A sink's name in the ledger, the archive and the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SinkName {
    Https,
    /// A Firehose stream.
    Firehose,
    /// An S3 bucket.
    S3,
}

impl SinkName {
    /// The name as written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Firehose => "firehose",
            Self::S3 => "s3",
        }
    }
}

impl fmt::Display for SinkName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// What a sink is in the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Where the records are wanted.
    Primary,
    /// Where they are kept when the primary does not take them.
    Fallback,
}
