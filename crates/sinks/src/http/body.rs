//! The body of an answer: never more of it than has a use.
//!
//! Whoever answers decides how much, so each reader has a bound.

use std::time::Duration;

/// Reads the rest of an answer so that its connection can be used again, but never for long: the
/// status has been heard, and a sink that dawdles over its body must not cost the budget.
pub(crate) async fn drain(mut response: reqwest::Response) {
    const MOST_BYTES: usize = 64 * 1024;
    const LONGEST: Duration = Duration::from_millis(50);
    let read = async {
        let mut total = 0;
        while let Ok(Some(chunk)) = response.chunk().await {
            total += chunk.len();
            if total > MOST_BYTES {
                return;
            }
        }
    };
    // Past the time the connection is closed instead, which is all there is to do about it.
    drop(tokio::time::timeout(LONGEST, read).await);
}

/// Reads an answer whose body matters, and no more of it than `most_bytes`: a longer one is not what
/// was asked for, and memory is the function's. What is cut off is left to whoever reads the rest.
pub(crate) async fn read(
    mut response: reqwest::Response,
    most_bytes: usize,
) -> Result<Vec<u8>, reqwest::Error> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        let room = most_bytes - body.len();
        body.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if chunk.len() >= room {
            break;
        }
    }
    Ok(body)
}
