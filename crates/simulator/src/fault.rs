//! What can be wrong with a sink's far end: one vocabulary for the intake, Firehose and S3.
//!
//! A fault replaces the healthy answer to every request from the moment it is set, also on
//! connections that are already open, until it is replaced or cleared.

use std::fmt;
use std::net::SocketAddr;
use std::str::FromStr;
use std::time::Duration;

/// The delay of `slow` on a command line.
pub const SLOW: Duration = Duration::from_millis(300);
/// The limit of `413` on a command line, in bytes of the request's body as it was sent.
pub const TOO_LARGE_LIMIT_BYTES: usize = 4 * 1024;

/// The pause between two bytes of [`Fault::Drip`]: an answer takes a second or so.
pub const DRIP: Duration = Duration::from_millis(5);

/// A way in which a server fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Reads the request and answers with this status.
    Status(u16),
    /// The same, with a `Retry-After` in seconds.
    StatusWithRetryAfter(u16, u64),
    /// The same, with a `Retry-After` that is a date, this many seconds from now.
    StatusWithRetryDate(u16, u64),
    /// A page in HTML with this status, as a portal or a proxy before the server gives it.
    Page(u16),
    /// Sends the client to the same path at another address, in plain HTTP, with this status.
    Redirect(u16, SocketAddr),
    /// Nobody listens: open connections are reset and new ones refused. The port stays reserved,
    /// so that no other process can take it before the fault is cleared.
    Refuse,
    /// Fails the TLS handshake: open connections are reset, and new ones get an alert instead of a
    /// certificate. A server without TLS resets new ones as well.
    Tls,
    /// Open connections are reset, and new ones get a certificate that has expired. A server
    /// without TLS resets them.
    ExpiredCertificate,
    /// Takes the request and never answers.
    Hang,
    /// Answers with this status, a healthy answer below 300, and never sends the body.
    HangAfterHead(u16),
    /// Answers as if healthy, byte by byte with [`DRIP`] between them.
    Drip,
    /// Takes the request and sends interim answers (100), without an end and without a pause.
    Interim,
    /// Resets the connection when the head of a request has come.
    Reset,
    /// Resets the connection when the first piece of a request's body has come.
    ResetInBody,
    /// Takes the whole request, does what it asks, and resets the connection instead of
    /// answering: the client can't know.
    ResetAfterBody,
    /// Answers with this status, a healthy answer below 300, promises a longer body than it sends,
    /// and closes the connection.
    ShortBody(u16),
    /// Answers with this status, a healthy answer below 300, and a body that never ends.
    EndlessBody(u16),
    /// Answers as if healthy, after this delay. A client that gives up earlier has sent nothing.
    Slow(Duration),
    /// 413 for a body above the limit, healthy below it.
    TooLarge {
        /// The largest body taken, in bytes as they were sent.
        limit_bytes: usize,
    },
}

impl Fault {
    /// Whether it shows when a connection is made, so that the open ones must go.
    pub(crate) fn is_of_connections(self) -> bool {
        matches!(self, Self::Refuse | Self::Tls | Self::ExpiredCertificate)
    }
}

/// An unknown name of a fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown fault `{0}`: expected refuse, tls, expired-certificate, hang, hang-after-head, drip, interim, \
     reset, reset-in-body, reset-after-body, short-body, endless-body, slow, 413 or another status of three digits"
)]
pub struct UnknownFault(String);

impl FromStr for Fault {
    type Err = UnknownFault;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let unknown = || UnknownFault(name.to_owned());
        Ok(match name {
            "refuse" => Self::Refuse,
            "tls" => Self::Tls,
            "expired-certificate" => Self::ExpiredCertificate,
            "hang" => Self::Hang,
            "hang-after-head" => Self::HangAfterHead(200),
            "drip" => Self::Drip,
            "interim" => Self::Interim,
            "reset" => Self::Reset,
            "reset-in-body" => Self::ResetInBody,
            "reset-after-body" => Self::ResetAfterBody,
            "short-body" => Self::ShortBody(200),
            "endless-body" => Self::EndlessBody(200),
            "slow" => Self::Slow(SLOW),
            "413" => Self::TooLarge {
                limit_bytes: TOO_LARGE_LIMIT_BYTES,
            },
            number => match number.parse() {
                Ok(status @ 100..=999) => Self::Status(status),
                Ok(_) | Err(_) => return Err(unknown()),
            },
        })
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status)
            | Self::StatusWithRetryAfter(status, _)
            | Self::Redirect(status, _) => {
                write!(formatter, "{status}")
            }
            Self::StatusWithRetryDate(status, _) => write!(formatter, "{status} until a date"),
            Self::Page(status) => write!(formatter, "page with {status}"),
            Self::Refuse => formatter.write_str("refuse"),
            Self::Tls => formatter.write_str("tls"),
            Self::ExpiredCertificate => formatter.write_str("expired-certificate"),
            Self::Hang => formatter.write_str("hang"),
            Self::HangAfterHead(200) => formatter.write_str("hang-after-head"),
            Self::HangAfterHead(status) => write!(formatter, "hang-after-head of {status}"),
            Self::Drip => formatter.write_str("drip"),
            Self::Interim => formatter.write_str("interim"),
            Self::ShortBody(200) => formatter.write_str("short-body"),
            Self::ShortBody(status) => write!(formatter, "short-body of {status}"),
            Self::EndlessBody(200) => formatter.write_str("endless-body"),
            Self::EndlessBody(status) => write!(formatter, "endless-body of {status}"),
            Self::Reset => formatter.write_str("reset"),
            Self::ResetInBody => formatter.write_str("reset-in-body"),
            Self::ResetAfterBody => formatter.write_str("reset-after-body"),
            Self::Slow(_) => formatter.write_str("slow"),
            Self::TooLarge { .. } => formatter.write_str("413"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_command_line_round_trip() {
        for name in [
            "refuse",
            "500",
            "503",
            "429",
            "401",
            "403",
            "404",
            "400",
            "hang",
            "reset",
            "slow",
            "413",
            "tls",
            "expired-certificate",
            "hang-after-head",
            "drip",
            "interim",
            "reset-in-body",
            "reset-after-body",
            "short-body",
            "endless-body",
        ] {
            assert_eq!(
                name.parse::<Fault>().map(|fault| fault.to_string()),
                Ok(name.to_owned())
            );
        }
    }

    #[test]
    fn other_words_are_refused_with_the_list_of_known_ones() {
        for name in ["", "5", "99", "1000", "refused"] {
            let error = name.parse::<Fault>().err().map(|error| error.to_string());
            assert!(
                error.is_some_and(|error| error.contains("expected refuse")),
                "{name}"
            );
        }
    }
}
