//! What the tasks of one replay share, and what each does with its objects.
//!
//! Objects that are small are read ahead and sent together: their records share requests. Invariants: the
//! same listing makes the same groups; an object is done once everything in it is settled, and marked only
//! if all of it is at the primary. Must not: decide what an answer means.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use backstop_archive::{Filter, Line};
use sha2::{Digest as _, Sha256};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use super::batch::{Batcher, Occurrence, Origin, Record, Seen, digest};
use super::checkpoint::hex;
use super::named::Named;
use super::send::{SendState, Sender};
use super::summary::{Problem, Summary};
use super::{DeadLetters, Options, Pace, Selection, Target};
use crate::archive::{
    After, Archive, Denied, InGlacier, Listed, Loaded, Missing, ObjectReader, Page,
};

/// Small objects that are read at the same time.
const READ_AHEAD: usize = 8;
/// Objects that are marked at the same time.
const MARKED: usize = 16;

/// The number of marks, or why there is none, and what AWS denied.
type Marked = Result<u64, (Problem, Option<String>)>;

/// What the tasks of one run share.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) sender: Sender,
    pub(super) archive: Archive,
    pub(super) filter: Filter,
    target: String,
    dry_run: bool,
    batch_records: usize,
    after: After,
    include_replayed: bool,
    seen: Mutex<Seen>,
    named: Mutex<Named>,
}

/// The batches of one task: the next one is read while one is sent. No more than one is under way, so that a
/// kill repeats no more than that.
struct Outbox {
    job: Arc<Job>,
    batcher: Batcher,
    under_way: Option<JoinHandle<Summary>>,
}

impl Outbox {
    fn new(job: Arc<Job>) -> Self {
        Self {
            batcher: Batcher::new(job.batch_records),
            job,
            under_way: None,
        }
    }

    async fn send(&mut self, batch: Vec<Record>, summary: &mut Summary) {
        self.settle(summary).await;
        let job = Arc::clone(&self.job);
        let sending = async move { job.sender.deliver(&batch).await };
        self.under_way = Some(tokio::spawn(sending));
    }

    /// Waits for what is under way.
    async fn settle(&mut self, summary: &mut Summary) {
        let Some(under_way) = self.under_way.take() else {
            return;
        };
        match under_way.await {
            Ok(part) => summary.add(part),
            // Nobody knows what became of its records: the run ends as if it had been sent here.
            Err(error) => {
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }

    /// Sends what is left, and waits for all of it.
    async fn end(mut self, summary: &mut Summary) {
        if let Some(batch) = self.batcher.take() {
            self.send(batch, summary).await;
        }
        self.settle(summary).await;
    }
}

impl Job {
    pub(super) fn new(
        selection: Selection,
        target: Target,
        options: Options,
        stop: watch::Receiver<bool>,
    ) -> anyhow::Result<Self> {
        let pace = Pace::new(options.rates);
        let Selection { archive, filter } = selection;
        Ok(Self {
            archive,
            named: Mutex::new(Named::of(&filter)),
            filter,
            target: target.digest().to_owned(),
            dry_run: options.dry_run,
            batch_records: pace.most_records(options.batch_records),
            after: if options.dry_run {
                After::Keep
            } else {
                options.after
            },
            include_replayed: options.include_replayed,
            seen: Mutex::default(),
            sender: Sender::new(
                target,
                SendState {
                    checkpoint: options.checkpoint,
                    dead_letters: DeadLetters::new(options.dead_letters),
                    pace,
                },
                stop,
            )?,
        })
    }

    /// What a page says beside its objects.
    pub(super) fn page(&self, page: &Page, total: &mut Summary) {
        total.outside(&page.outside);
        total.partitions_skipped += page.skipped.len() as u64;
        for folder in &page.skipped {
            self.named().object(folder);
            self.named().unread(folder);
        }
        for (folder, problem) in &page.unreadable {
            self.named().unread(folder);
            total.objects_broken += 1;
            total.objects_left += 1;
            total.problem(Problem::object(folder, problem.clone()));
        }
    }

    /// Whether an object is to be read.
    pub(super) fn is_wanted(&self, object: &Listed, total: &mut Summary) -> bool {
        self.named().object(&object.key);
        let is_admitted = self.filter.admits_object(&object.key, object.written);
        let checkpoint = self.sender.state().checkpoint.as_ref();
        let is_done = checkpoint.is_some_and(|it| it.done.has_object(&name(object)));
        total.objects_filtered += u64::from(!is_admitted);
        total.objects_done_before += u64::from(is_admitted && is_done);
        let is_wanted = is_admitted && !is_done;
        if !is_wanted {
            self.named().unread(&object.key);
        }
        is_wanted
    }

    /// Replays some objects: a large one, or small ones.
    pub(super) async fn objects(self: &Arc<Self>, objects: Vec<Listed>) -> Summary {
        let mut summary = Summary::default();
        let mut outbox = Outbox::new(Arc::clone(self));
        let mut read = Vec::new();
        let mut loading: VecDeque<JoinHandle<anyhow::Result<Loaded>>> = VecDeque::new();
        let is_one = objects.len() == 1;
        let objects: Vec<Arc<Listed>> = objects.into_iter().map(Arc::new).collect();
        let mut ahead = objects.iter().cloned();
        for object in &objects {
            while !is_one && loading.len() < READ_AHEAD {
                let Some(object) = ahead.next() else { break };
                let job = Arc::clone(self);
                loading.push_back(tokio::spawn(async move { job.archive.load(&object).await }));
            }
            if self.sender.is_over() {
                break;
            }
            let reader = match loading.pop_front() {
                Some(loaded) => match loaded.await {
                    Ok(loaded) => loaded.map(Loaded::reader),
                    Err(error) => Err(error.into()),
                },
                None => self.archive.open(object).await,
            };
            let origin = Arc::new(Origin {
                key: object.key.clone(),
                digest: name(object),
                ..Origin::default()
            });
            let one = (&**object, &origin);
            if let Some(tags) = self.object(one, reader, &mut outbox, &mut summary).await {
                read.push((Arc::clone(object), origin, tags));
            }
        }
        for loading in loading {
            loading.abort();
        }
        outbox.end(&mut summary).await;
        self.finish(read, &mut summary).await;
        summary
    }

    /// Reads one object, and sends each batch that it fills. The number of its tags, unless it was not read.
    async fn object(
        &self,
        (object, origin): (&Listed, &Arc<Origin>),
        reader: anyhow::Result<ObjectReader<'_>>,
        outbox: &mut Outbox,
        summary: &mut Summary,
    ) -> Option<u64> {
        let mut reader = match reader {
            Ok(reader) => reader,
            Err(error) => {
                self.named().unread(&object.key);
                summary.objects_left += 1;
                if error.is::<InGlacier>() {
                    summary.objects_to_restore += 1;
                    summary.problem(Problem::object(&object.key, error.to_string()));
                } else {
                    summary.objects_missing += u64::from(error.is::<Missing>());
                    summary.denied = error.downcast_ref::<Denied>().map(ToString::to_string);
                    summary.objects_broken += 1;
                    summary.problem(Problem::object(&object.key, format!("{error:#}")));
                }
                return None;
            }
        };
        let tags = reader.tags();
        let is_asked = !self.include_replayed && tags > 0;
        if is_asked && self.archive.is_replayed(object, tags, &self.target).await {
            self.named().unread(&object.key);
            summary.objects_replayed += 1;
            return None;
        }
        summary.objects += 1;
        loop {
            let is_more = tokio::select! {
                is_more = reader.advance() => is_more,
                // What is left of it is not read: it would not be sent any more.
                () = self.sender.ended() => {
                    origin.leave();
                    break;
                }
            };
            self.records(origin, &mut reader, outbox, summary).await;
            if !is_more {
                break;
            }
        }
        if let Some(problem) = reader.problem() {
            self.named().unread(&object.key);
            origin.partial();
            if reader.is_cut_off() {
                origin.leave();
            }
            summary.objects_broken += 1;
            summary.problem(Problem::object(&object.key, problem.to_owned()));
        }
        Some(tags)
    }

    /// Takes the records that are there, and sends each batch that they fill.
    async fn records(
        &self,
        origin: &Arc<Origin>,
        reader: &mut ObjectReader<'_>,
        outbox: &mut Outbox,
        summary: &mut Summary,
    ) {
        while let Some((number, line)) = reader.next_line() {
            let full = match line {
                Ok(line) => self.line(origin, number, &line, summary, &mut outbox.batcher),
                Err(problem) => {
                    origin.partial();
                    summary.broken_lines += 1;
                    summary.problem(Problem::line(&origin.key, number, problem));
                    None
                }
            };
            if let Some(batch) = full {
                outbox.send(batch, summary).await;
            }
        }
    }

    /// Counts a record, and gives the batch that it has filled.
    fn line(
        &self,
        origin: &Arc<Origin>,
        number: u64,
        line: &Line<'_>,
        summary: &mut Summary,
        batcher: &mut Batcher,
    ) -> Option<Vec<Record>> {
        summary.records += 1;
        let record = &line.record;
        self.named().record(&origin.key, record);
        let verdict = self.filter.judge(&origin.key, record);
        if !verdict.is_wanted {
            // A copy is not to be sent, so that a mark may say that all is; but the object has the only one.
            if !verdict.is_mirrored || matches!(self.after, After::Delete | After::Move) {
                origin.partial();
            }
            summary.filtered += 1;
            return None;
        }
        summary.without_time += u64::from(verdict.has_no_time);
        summary.without_function += u64::from(verdict.has_no_function);
        let id = record.id();
        if record.has_original() && self.after == After::Delete {
            // It is not sent, and the object has the only one.
            origin.partial();
        }
        let sent = record.for_primary();
        let content = digest(&sent);
        let meeting = (self.seen.lock())
            .unwrap_or_else(PoisonError::into_inner)
            .meet(id, content);
        match meeting {
            Occurrence::First => {}
            Occurrence::Again => {
                summary.duplicates += 1;
                return None;
            }
            Occurrence::Conflict => {
                summary.id_conflicts += 1;
                summary.problem(Problem::conflict(&origin.key, number, id));
            }
        }
        let checkpoint = self.sender.state().checkpoint.as_ref();
        if checkpoint.is_some_and(|it| it.done.has_record(&origin.digest, content)) {
            summary.sent_before += 1;
            return None;
        }
        if self.dry_run {
            summary.would_send += 1;
            summary.would_send_bytes += sent.len() as u64 + 1;
            let function = record.function_name();
            let reason = record.why().unwrap_or("not diverted");
            *summary
                .functions
                .entry(function.unwrap_or_else(|| "unknown".to_owned()))
                .or_default() += 1;
            *summary.reasons.entry(reason.to_owned()).or_default() += 1;
            return None;
        }
        batcher.push(Record {
            id: id.to_owned(),
            signal: self.sender.signal(record, &sent),
            line: sent,
            digest: content,
            origin: Arc::clone(origin),
        })
    }

    /// Marks the objects of which nothing is left, and writes down that they are done.
    async fn finish(
        self: &Arc<Self>,
        read: Vec<(Arc<Listed>, Arc<Origin>, u64)>,
        summary: &mut Summary,
    ) {
        if self.dry_run {
            return;
        }
        let mut marking: JoinSet<Marked> = JoinSet::new();
        for (object, origin, tags) in read {
            if origin.is_left.load(Ordering::Relaxed) {
                summary.objects_left += 1;
                continue;
            }
            while marking.len() >= MARKED {
                take_marked(&mut marking, summary).await;
            }
            let job = Arc::clone(self);
            marking.spawn(async move { job.finish_one(&object, &origin, tags).await });
        }
        while !marking.is_empty() {
            take_marked(&mut marking, summary).await;
        }
    }

    /// The number of marks.
    async fn finish_one(&self, object: &Listed, origin: &Origin, tags: u64) -> Marked {
        let is_whole = !origin.is_partial.load(Ordering::Relaxed);
        let is_marked = self.after != After::Keep && is_whole && !self.archive.is_directory();
        let marked = if is_marked {
            self.archive
                .mark(object, tags, &self.target, self.after)
                .await
        } else {
            Ok(())
        };
        if let Some(checkpoint) = &self.sender.state().checkpoint
            && let Err(error) = checkpoint.done(&origin.digest).await
        {
            self.sender.halt(format!("{error:#}"));
        }
        marked.map(|()| u64::from(is_marked)).map_err(|error| {
            let denied = error.downcast_ref::<Denied>().map(ToString::to_string);
            let problem = Problem::object(&object.key, format!("{error:#}"));
            (problem, denied)
        })
    }

    /// Lets go of the checkpoint.
    pub(super) async fn end(self: Arc<Self>, is_done: bool) {
        let Some(job) = Arc::into_inner(self) else {
            return;
        };
        let is_done = is_done && !job.dry_run;
        if let Some(checkpoint) = job.sender.into_state().checkpoint {
            checkpoint.close(is_done).await;
        }
    }

    pub(super) fn named(&self) -> MutexGuard<'_, Named> {
        self.named.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn take_marked(marking: &mut JoinSet<Marked>, summary: &mut Summary) {
    match marking.join_next().await {
        Some(Ok(Ok(marked))) => summary.objects_marked += marked,
        Some(Ok(Err((problem, denied)))) => {
            summary.denied = summary.denied.take().or(denied);
            // The same for all of them, as a rule.
            if summary.objects_unmarked == 0 {
                summary.problem(problem);
            }
            summary.objects_unmarked += 1;
        }
        Some(Err(_)) | None => {}
    }
}

/// What a checkpoint calls an object: another one under the same key is another one.
pub(super) fn name(object: &Listed) -> String {
    let mut hash = Sha256::new();
    let etag = object.etag.clone().unwrap_or_default();
    let bytes = object.bytes.to_string();
    for part in [&object.key, &etag, &bytes] {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hex(&hash.finalize()[..8])
}
