//! Lists what a filter may want, folder by folder.
//!
//! Folders whose names prove that nothing in them is wanted are never listed; neighbours that are wanted as
//! a whole are listed together. What is left of a long listing is divided at its folders, and the parts
//! are listed side by side. Invariants: objects come in the order of their keys, each once; no more pages
//! are held than [`SIDE_BY_SIDE`] parts of [`AHEAD`] each; a listing that never ends is ended.
//! Must not: read an object.

use std::collections::VecDeque;

use backstop_archive::{Filter, Step, after_folder};
use backstop_common::Marker;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinSet;

use super::bucket::{Answer, Bucket, Query};
use super::directory::Directory;
use super::listed::{Listed, Page};

/// Parts that are listed at the same time.
const SIDE_BY_SIDE: usize = 8;
/// Pages of a part that may wait until they are taken.
const AHEAD: usize = 16;
/// Folders that are opened at the same time.
const OPENED: usize = 16;
/// Levels of folders in a key of the archive.
const MOST_LEVELS: usize = 8;

/// A listing under way.
#[derive(Debug)]
pub struct Listing {
    pages: Receiver<anyhow::Result<Page>>,
    _tasks: JoinSet<()>,
}

impl Listing {
    pub(super) fn of_bucket(bucket: Bucket, filter: Filter, after: Option<String>) -> Self {
        let (sender, pages) = mpsc::channel(1);
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            if let Err(error) = list(&bucket, &filter, after.as_deref(), &sender).await {
                // Nobody asks any more.
                sender.send(Err(error)).await.ok();
            }
        });
        Self {
            pages,
            _tasks: tasks,
        }
    }

    pub(super) fn of_directory(directory: Directory, filter: Filter) -> Self {
        let (sender, pages) = mpsc::channel(1);
        let mut tasks = JoinSet::new();
        tasks.spawn_blocking(move || directory.list(&filter, &sender));
        Self {
            pages,
            _tasks: tasks,
        }
    }

    /// The next page; none after the last one.
    pub async fn next(&mut self) -> anyhow::Result<Option<Page>> {
        self.pages.recv().await.transpose()
    }
}

/// What is to be listed, in the order of keys.
enum Node {
    /// The folders in it are judged one by one.
    Open(String),
    /// Everything in it.
    Span(Span),
    /// It is already known.
    Known(Vec<Listed>),
}

/// Keys that begin with a prefix, behind one key and up to another.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Span {
    prefix: String,
    from: Option<String>,
    until: Option<String>,
}

impl Span {
    fn holds(&self, key: &str) -> bool {
        key.starts_with(&self.prefix)
            && self.from.as_deref().is_none_or(|from| key > from)
            && self.until.as_deref().is_none_or(|until| key <= until)
    }
}

async fn list(
    bucket: &Bucket,
    filter: &Filter,
    after: Option<&str>,
    pages: &Sender<anyhow::Result<Page>>,
) -> anyhow::Result<()> {
    if let Some(one) = bucket.one().await? {
        let page = Page {
            objects: vec![one],
            ..Page::default()
        };
        pages.send(Ok(page)).await.ok();
        return Ok(());
    }
    let (nodes, skipped) = plan(bucket, filter, after).await?;
    if !skipped.is_empty() {
        let page = Page {
            skipped,
            ..Page::default()
        };
        pages.send(Ok(page)).await.ok();
    }
    let nodes = divided(bucket, nodes).await?;
    let mut waiting = nodes.into_iter();
    let mut running = VecDeque::new();
    let mut tasks = JoinSet::new();
    loop {
        while running.len() < SIDE_BY_SIDE {
            let Some(node) = waiting.next() else { break };
            let (sender, receiver) = mpsc::channel(AHEAD);
            running.push_back(receiver);
            let bucket = bucket.clone();
            tasks.spawn(async move { part(&bucket, node, &sender).await });
            while tasks.try_join_next().is_some() {}
        }
        let Some(mut first) = running.pop_front() else {
            return Ok(());
        };
        while let Some(page) = first.recv().await {
            let is_last = page.is_err();
            if pages.send(page).await.is_err() || is_last {
                return Ok(());
            }
        }
    }
}

/// Lists one part, page by page.
async fn part(bucket: &Bucket, node: Node, pages: &Sender<anyhow::Result<Page>>) {
    let span = match node {
        Node::Known(objects) => {
            pages.send(Ok(page(bucket, objects))).await.ok();
            return;
        }
        Node::Open(prefix) => Span {
            prefix,
            from: None,
            until: None,
        },
        Node::Span(span) => span,
    };
    let mut marker = Marker::default();
    let mut is_more = true;
    while is_more {
        let listed = match answer(bucket, &span, marker.current()).await {
            Ok(listed) => listed,
            Err(error) => {
                pages.send(Err(error)).await.ok();
                return;
            }
        };
        match marker.advance(
            &format!("listing {}", bucket.shown()),
            listed.next.as_deref(),
        ) {
            Ok(more) => is_more = more,
            Err(error) => {
                pages.send(Ok(page(bucket, listed.objects))).await.ok();
                pages.send(Err(error.into())).await.ok();
                return;
            }
        }
        if pages.send(Ok(page(bucket, listed.objects))).await.is_err() {
            return;
        }
    }
}

/// A page of a span, which ends where the span does.
async fn answer(bucket: &Bucket, span: &Span, token: Option<String>) -> anyhow::Result<Answer> {
    let query = Query {
        prefix: &span.prefix,
        // The token says it from the second page on.
        after: span.from.as_deref().filter(|_| token.is_none()),
        ..Query::default()
    };
    let mut answer = bucket.list(query, token).await?;
    let is_behind = |object: &Listed| {
        span.until
            .as_deref()
            .is_some_and(|until| *object.key > *until)
    };
    if answer.objects.iter().any(is_behind) {
        answer.next = None;
    }
    // Not every service knows where to start.
    answer.objects.retain(|object| span.holds(&object.key));
    Ok(answer)
}

fn page(bucket: &Bucket, objects: Vec<Listed>) -> Page {
    let (objects, outside): (Vec<_>, Vec<_>) =
        (objects.into_iter()).partition(|object| bucket.scope.holds(&object.key));
    Page {
        objects,
        outside: outside.into_iter().map(|object| object.key).collect(),
        ..Page::default()
    }
}

/// What is to be listed, and the folders in which nothing is wanted.
async fn plan(
    bucket: &Bucket,
    filter: &Filter,
    after: Option<&str>,
) -> anyhow::Result<(Vec<Node>, Vec<String>)> {
    let root = &bucket.scope.root;
    let listed = bucket.scope.listed.clone();
    let below = listed.strip_prefix(root).unwrap_or_default();
    // A folder that was typed is below others, which say something of it.
    let ends = below.match_indices('/').map(|(at, _)| at + 1);
    for end in std::iter::once(0).chain(ends) {
        if filter.step(&below[..end]) == Step::Skip {
            return Ok((Vec::new(), vec![listed]));
        }
    }
    let mut nodes = vec![match filter.step(below) {
        Step::Open => Node::Open(listed),
        Step::Take | Step::Skip => Node::Span(Span {
            prefix: listed,
            from: None,
            until: None,
        }),
    }];
    let mut skipped = Vec::new();
    nodes = behind(nodes, after);
    while nodes.iter().any(|node| matches!(node, Node::Open(_))) {
        let opened: Vec<Opened> = stream::iter(nodes)
            .map(|node| open(bucket, filter, node))
            .buffered(OPENED)
            .try_collect()
            .await?;
        nodes = Vec::new();
        for one in opened {
            nodes.extend(one.nodes);
            skipped.extend(one.skipped);
        }
        nodes = behind(nodes, after);
    }
    Ok((nodes, skipped))
}

/// What of it is behind a key.
fn behind(nodes: Vec<Node>, after: Option<&str>) -> Vec<Node> {
    let Some(after) = after else { return nodes };
    let is_before = |prefix: &str| !prefix.is_empty() && *after_folder(prefix) <= *after;
    let rest = nodes.into_iter().filter_map(|node| match node {
        Node::Open(prefix) => (!is_before(&prefix)).then_some(Node::Open(prefix)),
        Node::Span(mut span) => {
            let is_over = span.until.as_deref().is_some_and(|until| until <= after);
            if is_over || is_before(&span.prefix) {
                return None;
            }
            if span.from.as_deref().is_none_or(|from| from < after) {
                span.from = Some(after.to_owned());
            }
            Some(Node::Span(span))
        }
        Node::Known(mut objects) => {
            objects.retain(|object| *object.key > *after);
            (!objects.is_empty()).then_some(Node::Known(objects))
        }
    });
    rest.collect()
}

#[derive(Default)]
struct Opened {
    nodes: Vec<Node>,
    skipped: Vec<String>,
}

/// Judges what is in a folder.
async fn open(bucket: &Bucket, filter: &Filter, node: Node) -> anyhow::Result<Opened> {
    let Node::Open(prefix) = node else {
        return Ok(Opened {
            nodes: vec![node],
            ..Opened::default()
        });
    };
    let (folders, mut objects) = bucket.folder(&prefix).await?;
    let mut opened = Opened::default();
    // What is wanted as a whole and has no other folder between it.
    let mut span: Option<Span> = None;
    for folder in folders {
        let below = folder.strip_prefix(&bucket.scope.root).unwrap_or(&folder);
        match filter.step(below) {
            Step::Take => {
                let end = Some(after_folder(&folder));
                match &mut span {
                    Some(span) => span.until = end,
                    None => {
                        span = Some(Span {
                            prefix: prefix.clone(),
                            from: Some(folder),
                            until: end,
                        });
                    }
                }
            }
            step => {
                opened.nodes.extend(span.take().map(Node::Span));
                if step == Step::Open {
                    opened.nodes.push(Node::Open(folder));
                } else {
                    opened.skipped.push(folder);
                }
            }
        }
    }
    opened.nodes.extend(span.map(Node::Span));
    objects.retain(|object| {
        !(opened.nodes.iter())
            .any(|node| matches!(node, Node::Span(span) if span.holds(&object.key)))
    });
    if !objects.is_empty() {
        opened.nodes.push(Node::Known(objects));
    }
    Ok(opened)
}

/// Where there is little to list side by side: the first page of each, and what is left in parts.
async fn divided(bucket: &Bucket, nodes: Vec<Node>) -> anyhow::Result<Vec<Node>> {
    if nodes.len() * 2 > SIDE_BY_SIDE {
        return Ok(nodes);
    }
    let mut parts = Vec::new();
    for node in nodes {
        let Node::Span(span) = node else {
            parts.push(node);
            continue;
        };
        let first = answer(bucket, &span, None).await?;
        let last = first.objects.last().map(|object| object.key.clone());
        parts.push(Node::Known(first.objects));
        match (first.next, last) {
            (Some(_), Some(last)) => {
                // What is wrong with the folders is no reason to lose what the listing gives.
                let left = split(bucket, &span, &last).await.unwrap_or_else(|_| {
                    vec![Span {
                        from: Some(last),
                        ..span
                    }]
                });
                parts.extend(left.into_iter().map(Node::Span));
            }
            // A page of nothing but folders: the token alone says where it ended.
            (Some(_), None) => parts.push(Node::Span(span)),
            (None, _) => {}
        }
    }
    Ok(parts)
}

/// What is behind a key, in parts that begin at folders.
async fn split(bucket: &Bucket, span: &Span, last: &str) -> anyhow::Result<Vec<Span>> {
    let mut prefix = span.prefix.clone();
    let mut cuts = Vec::new();
    for _ in 0..MOST_LEVELS {
        let (mut folders, _) = bucket.folder(&prefix).await?;
        folders.retain(|folder| *after_folder(folder) > *last && span.holds(folder));
        match folders.as_slice() {
            [] => break,
            [one] => prefix.clone_from(one),
            _ => {
                let parts = folders.len().min(SIDE_BY_SIDE);
                cuts = (1..parts)
                    .map(|part| folders[part * folders.len() / parts].clone())
                    .filter(|cut: &String| **cut > *last)
                    .collect();
                break;
            }
        }
    }
    let starts = std::iter::once(last.to_owned()).chain(cuts.iter().cloned());
    let ends = cuts.iter().cloned().map(Some).chain([span.until.clone()]);
    Ok(starts
        .zip(ends)
        .map(|(from, until)| Span {
            prefix: span.prefix.clone(),
            from: Some(from),
            until,
        })
        .collect())
}
