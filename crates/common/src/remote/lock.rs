//! A lock in S3: who has what it is of, and until when.
//!
//! It keeps people from each other's way; what keeps a log whole is that every append has a condition,
//! so a lock that was lost, or that a clock made expire too early, stops its
//! owner before the next change. Invariants: a lock has an owner and an expiry; its owner renews it long
//! before; on the machine of an owner that was killed it is free at once, elsewhere when it expires.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use aws_smithy_types::date_time::{DateTime, Format};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::bucket::{Bucket, Only, Put};
use crate::{files, parsing};

/// How long a lock holds that nobody renews.
const HOLDS: Duration = Duration::from_mins(1);
/// How often it is renewed.
pub const RENEWED: Duration = Duration::from_secs(20);
/// How long to wait for S3 when it is let go.
const RELEASED: Duration = Duration::from_secs(5);
/// Several processes may take the lock at once: within this many attempts one of them wins.
const ATTEMPTS: usize = 4;

/// Another process has the lock.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub struct Held(String);

/// What the object says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Lease {
    /// For people: the user and the machine.
    owner: String,
    writer: String,
    /// When it ends unless it is renewed.
    expires_at: String,
}

/// A lock that this process holds.
#[derive(Debug)]
pub struct Lock {
    bucket: Arc<Bucket>,
    key: String,
    lease: Lease,
    tag: String,
    /// Held as long as this process lives: what tells this machine that the owner was killed.
    alive: Option<Alive>,
}

impl Lock {
    /// Takes the one of that key, which is of `what`.
    pub async fn take(
        bucket: &Arc<Bucket>,
        key: String,
        what: &str,
        alive: Option<PathBuf>,
    ) -> anyhow::Result<Self> {
        let writer = Uuid::new_v4().to_string();
        let lease = Lease {
            owner: owner(),
            writer,
            expires_at: after(HOLDS),
        };
        let bytes = lease.bytes()?;
        for _ in 0..ATTEMPTS {
            let there = bucket.get(&key).await?;
            let only = match &there {
                None => Only::IfAbsent,
                Some(there) => {
                    let held: Lease = serde_json::from_slice(&there.bytes)
                        .map_err(parsing::json)
                        .with_context(|| format!("{} is not a lock", bucket.shown(&key)))?;
                    if !held.is_free(alive.as_deref()) {
                        return Err(Held(format!(
                            "{what} is in progress: {} holds its lock until {} and renews it \
                             while it runs; if that process was killed, try again after that time",
                            held.owner, held.expires_at
                        ))
                        .into());
                    }
                    Only::IfTag(&there.tag)
                }
            };
            if let Put::Made(tag) = bucket.put(&key, &bytes, only, &lease.writer).await? {
                // On another's machine, or without a directory, the expiry alone tells.
                let alive = alive.and_then(|directory| Alive::hold(&directory, &lease.writer).ok());
                return Ok(Self {
                    bucket: Arc::clone(bucket),
                    key,
                    lease,
                    tag,
                    alive,
                });
            }
        }
        Err(Held(format!("several processes are resuming {what}: try again")).into())
    }

    /// Who holds it, for people.
    pub fn owner(&self) -> &str {
        &self.lease.owner
    }

    /// The process that holds it.
    pub fn writer(&self) -> &str {
        &self.lease.writer
    }

    /// Holds it for longer; false where somebody else has it by now.
    pub async fn renew(&mut self) -> anyhow::Result<bool> {
        self.put(after(HOLDS)).await
    }

    /// Lets others have it.
    pub async fn release(&mut self) {
        // If the renewal is late, the lock expires.
        let put = self.put(after(Duration::ZERO));
        let is_told = tokio::time::timeout(RELEASED, put).await;
        if matches!(is_told, Ok(Ok(_)))
            && let Some(alive) = &self.alive
        {
            fs::remove_file(&alive.path).ok();
        }
    }

    async fn put(&mut self, expires_at: String) -> anyhow::Result<bool> {
        let lease = Lease {
            expires_at,
            ..self.lease.clone()
        };
        let only = Only::IfTag(&self.tag);
        let bytes = lease.bytes()?;
        match (self.bucket.put(&self.key, &bytes, only, &lease.writer)).await? {
            Put::Made(tag) => {
                self.tag = tag;
                self.lease = lease;
                Ok(true)
            }
            Put::Refused => Ok(false),
        }
    }
}

impl Lease {
    fn bytes(&self) -> anyhow::Result<Bytes> {
        Ok(serde_json::to_vec(self)?.into())
    }

    /// Whether it has expired, or its owner was killed on this machine.
    fn is_free(&self, alive: Option<&Path>) -> bool {
        let expiry = DateTime::from_str(&self.expires_at, Format::DateTime).ok();
        let now = DateTime::from(SystemTime::now());
        // A lock that does not say when it ends holds nobody up.
        expiry.is_none_or(|expiry| expiry <= now)
            || alive.is_some_and(|directory| Alive::was_killed(directory, &self.writer))
    }
}

fn after(duration: Duration) -> String {
    let moment = DateTime::from_secs(DateTime::from(SystemTime::now() + duration).secs());
    moment.fmt(Format::DateTime).unwrap_or_default()
}

/// `user@machine`, as far as they are known.
fn owner() -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|it| !it.is_empty());
    let user = variable("USER").or_else(|| variable("LOGNAME"));
    let machine = (fs::read_to_string("/proc/sys/kernel/hostname").ok())
        .or_else(|| variable("HOSTNAME"))
        .unwrap_or_else(|| "another machine".to_owned());
    let named = format!(
        "{}@{}",
        user.as_deref().unwrap_or("someone"),
        machine.trim()
    );
    format!("{named}, process {}", std::process::id())
}

/// A file of this machine that its process has locked: the system frees it when the process ends,
/// however it ends.
#[derive(Debug)]
struct Alive {
    path: PathBuf,
    _locked: File,
}

impl Alive {
    fn hold(directory: &Path, writer: &str) -> std::io::Result<Self> {
        files::private_directory(directory)?;
        let path = directory.join(writer);
        let mut options = OpenOptions::new();
        let file = (options.write(true).create_new(true).mode(0o600)).open(&path)?;
        file.try_lock()?;
        Ok(Self {
            path,
            _locked: file,
        })
    }

    /// Whether its process ran on this machine and has ended.
    fn was_killed(directory: &Path, writer: &str) -> bool {
        // It names a file: what is in a bucket must not name one elsewhere.
        let Ok(writer) = Uuid::parse_str(writer) else {
            return false;
        };
        let path = directory.join(writer.to_string());
        let is_free = File::open(&path).is_ok_and(|file| file.try_lock().is_ok());
        if is_free {
            fs::remove_file(path).ok();
        }
        is_free
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_free_when_it_expired_or_its_owner_was_killed_here() {
        let directory = tempfile::tempdir().expect("a directory");
        let here = directory.path().join("alive");
        let writer = Uuid::new_v4().to_string();
        let lease = |expires_at: String| Lease {
            owner: "somebody".to_owned(),
            writer: writer.clone(),
            expires_at,
        };
        let held = lease(after(HOLDS));
        assert!(!held.is_free(None));
        assert!(!held.is_free(Some(&here)), "its owner is elsewhere");
        assert!(lease("2026-01-31T08:00:00Z".to_owned()).is_free(None));

        let alive = Alive::hold(&here, &writer).expect("a file");
        assert!(!held.is_free(Some(&here)), "its owner lives");
        // A process that is killed leaves the file, and not the lock.
        let path = alive.path.clone();
        drop(alive);
        assert!(path.exists());
        assert!(held.is_free(Some(&here)));
        assert!(!path.exists());

        let odd = Lease {
            writer: "../../etc/passwd".to_owned(),
            ..held
        };
        assert!(!odd.is_free(Some(&here)));
    }
}
