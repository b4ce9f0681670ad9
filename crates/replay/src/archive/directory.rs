//! An archive in a directory: a copy of a bucket, or a part of one.
//!
//! Invariants: files come in the order of their paths, as keys in S3 do; a link to a directory is not
//! followed, so that no walk is without end; only regular files are read. Must not: write anything.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use backstop_archive::{Filter, Moment, Step, VERSION};
use backstop_common::usage::UsageError;
use tokio::sync::mpsc::Sender;

use super::listed::{Listed, Page};
use super::location::{Location, is_writer};

/// As many as in a page of S3.
const PAGE: usize = 1000;

/// A directory that is an archive, or a file of one.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    /// What is walked.
    path: PathBuf,
    /// What folders are judged below; without it all files are meant.
    root: Option<PathBuf>,
}

impl Directory {
    /// What a path means: a version folder, what is above or below one, or just files.
    pub(super) fn new(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let there = fs::metadata(path).map_err(|error| {
            UsageError(if error.kind() == io::ErrorKind::NotFound {
                format!(
                    "there is no file or directory {shown}: give one, or a bucket as \
                     s3://bucket/prefix"
                )
            } else {
                format!("{shown} cannot be read: {error}")
            })
        })?;
        if !there.is_dir() && !there.is_file() {
            let problem = format!("{shown} is not a directory or a regular file: give one");
            return Err(UsageError(problem).into());
        }
        let below = path.join(VERSION);
        let typed = Location {
            bucket: String::new(),
            prefix: path.to_string_lossy().into_owned(),
        };
        let scope = typed.scope();
        Ok(if scope.is_inside() {
            Self {
                path: path.to_owned(),
                root: Some(PathBuf::from(scope.root)),
            }
        } else if below.is_dir() {
            Self {
                path: below.clone(),
                root: Some(below),
            }
        } else if has_writers(path) {
            Self {
                path: path.to_owned(),
                root: Some(path.to_owned()),
            }
        } else {
            Self {
                path: path.to_owned(),
                root: None,
            }
        })
    }

    pub(super) fn shown(&self) -> String {
        self.path.display().to_string()
    }

    /// Sends all pages; ends early where nobody asks any more.
    pub(super) fn list(&self, filter: &Filter, pages: &Sender<anyhow::Result<Page>>) {
        let mut walk = Walk {
            directory: self,
            filter,
            pages,
            page: Page::default(),
        };
        if self.path.is_file() {
            walk.file(&self.path, true);
        } else if walk.is_wanted(&self.path) {
            walk.enter(&self.path).ok();
        }
        walk.send().ok();
    }

    /// A folder below the root, as a filter judges it.
    fn below(&self, path: &Path) -> Option<String> {
        let rest = path.strip_prefix(self.root.as_ref()?).ok()?;
        let text = rest.to_string_lossy();
        let slash = if text.is_empty() { "" } else { "/" };
        Some(format!("{text}{slash}"))
    }
}

/// Whether the folder of a version is meant, by what is in it.
fn has_writers(path: &Path) -> bool {
    let entries = fs::read_dir(path).into_iter().flatten().flatten();
    (entries.map(|entry| entry.file_name())).any(|name| is_writer(&name.to_string_lossy()))
}

/// Nobody asks any more.
struct Left;

struct Walk<'a> {
    directory: &'a Directory,
    filter: &'a Filter,
    pages: &'a Sender<anyhow::Result<Page>>,
    page: Page,
}

impl Walk<'_> {
    fn enter(&mut self, path: &Path) -> Result<(), Left> {
        let mut entries = Vec::new();
        let found = fs::read_dir(path).and_then(|all| {
            for entry in all {
                let entry = entry?;
                let is_directory = entry.file_type()?.is_dir();
                entries.push((entry.file_name(), is_directory));
            }
            Ok(())
        });
        if let Err(error) = found {
            let problem = format!("it cannot be read: {error}");
            self.page
                .unreadable
                .push((path.display().to_string(), problem));
        }
        entries.sort_by_cached_key(|(name, is_directory)| {
            let slash = if *is_directory { "/" } else { "" };
            format!("{}{slash}", name.to_string_lossy())
        });
        for (name, is_directory) in entries {
            let path = path.join(name);
            if !is_directory {
                self.file(&path, false);
            } else if self.is_wanted(&path) {
                self.enter(&path)?;
            } else {
                self.page.skipped.push(path.display().to_string() + "/");
            }
            let entries = self.page.objects.len() + self.page.outside.len();
            if entries + self.page.skipped.len() >= PAGE {
                self.send()?;
            }
        }
        Ok(())
    }

    fn is_wanted(&self, path: &Path) -> bool {
        let folder = self.directory.below(path);
        folder.is_none_or(|folder| self.filter.step(&folder) != Step::Skip)
    }

    fn file(&mut self, path: &Path, is_typed: bool) {
        let key = path.display().to_string();
        let metadata = match fs::metadata(path) {
            Ok(metadata) if metadata.is_file() => metadata,
            Ok(_) => return,
            Err(error) => {
                let problem = format!("it cannot be read: {error}");
                self.page.unreadable.push((key, problem));
                return;
            }
        };
        let below = self.directory.below(path);
        if !is_typed && below.is_some_and(|below| !is_writer(&below)) {
            self.page.outside.push(key);
            return;
        }
        self.page.objects.push(Listed {
            written: written(&metadata),
            etag: written(&metadata).map(|at| format!("{}-{}", at.0, metadata.len())),
            key,
            bytes: metadata.len(),
            path: Some(path.to_owned()),
            ..Listed::default()
        });
    }

    fn send(&mut self) -> Result<(), Left> {
        let page = std::mem::take(&mut self.page);
        self.pages.blocking_send(Ok(page)).map_err(|_| Left)
    }
}

fn written(metadata: &Metadata) -> Option<Moment> {
    let since = metadata.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_millis()).ok().map(Moment)
}
