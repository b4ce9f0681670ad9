//! Selects functions.
//!
//! A [`Selection`] is what was said; [`find`] asks one account and region which functions it means, and a
//! [`SelectionCheck`] over all of them tells what was said and is nowhere.
//! `ListFunctions` carries layers and environments, and tags come from one call to the tagging API:
//! no function is asked by itself, but those that are named. Must not: change anything.

mod aliases;
mod check;
mod configuration;
mod function;
mod pattern;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_lambda::types::FunctionVersion;
use aws_sdk_resourcegroupstagging::types::TagFilter as SdkTagFilter;
use backstop_archive::Glob;
use serde::{Deserialize, Serialize};

pub use aliases::{Alias, alias, aliases, provisioned};
pub use check::{Matches, SelectionCheck};
pub use configuration::{FullConfiguration, LATEST};
pub use function::{CodeUrl, Environment, Function, Live, Tags};
pub use pattern::{Literal, Pattern};

use crate::aws::{Failure, Kind, Marker};
use crate::fleet::{Site, in_flight};

/// Which functions are meant: those that every condition holds for.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// Any of these; every function when empty.
    pub functions: Vec<Pattern>,
    /// None of these.
    pub exclude: Vec<Pattern>,
    /// Every one of these.
    pub tags: Vec<TagFilter>,
    /// Any of these runtimes; globs.
    pub runtimes: Vec<String>,
    /// Any of these architectures.
    pub architectures: Vec<String>,
    /// `Zip` or `Image`.
    pub package_types: Vec<String>,
    /// Every function, without further conditions; then at least one must exist.
    pub all: bool,
    /// No others than these, which are asked for one by one; no limit where there is none.
    #[serde(skip)]
    pub only: Option<Vec<Literal>>,
}

/// A tag that a function must have, with one of the values, if there are any.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagFilter {
    pub key: String,
    /// Its values; any when empty.
    #[serde(default)]
    pub values: Vec<String>,
}

impl std::str::FromStr for TagFilter {
    type Err = String;

    /// `KEY`, `KEY=VALUE` or `KEY=VALUE,VALUE`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (key, values) = text.split_once('=').unwrap_or((text, ""));
        if key.is_empty() {
            return Err("write a tag as KEY, KEY=VALUE or KEY=VALUE,VALUE".to_owned());
        }
        Ok(Self {
            key: key.to_owned(),
            values: (values.split(',').filter(|value| !value.is_empty()))
                .map(str::to_owned)
                .collect(),
        })
    }
}

/// What was found in one account and region: the functions, or what the caller keeps of each.
#[derive(Debug)]
pub struct Found<T = Function> {
    pub functions: Vec<T>,
    /// Functions that were named and cannot be read, with the reason.
    pub unreadable: Vec<(String, String)>,
    /// What of the selection was met.
    pub matches: Matches,
}

impl Selection {
    /// Just these functions.
    pub fn of_arns<'a>(arns: impl IntoIterator<Item = &'a String>) -> anyhow::Result<Self> {
        let patterns = arns.into_iter().map(|arn| arn.parse());
        Ok(Self {
            functions: (patterns.collect::<Result<_, String>>()).map_err(anyhow::Error::msg)?,
            ..Self::default()
        })
    }

    /// Whether it says anything.
    pub fn is_empty(&self) -> bool {
        !self.all
            && self.functions.is_empty()
            && self.tags.is_empty()
            && self.runtimes.is_empty()
            && self.architectures.is_empty()
            && self.package_types.is_empty()
    }

    /// Whether the function is meant, but for its tags.
    fn admits(&self, function: &Function) -> bool {
        let package_type = if function.is_image { "Image" } else { "Zip" };
        let runtime = function.runtime.as_deref().unwrap_or_default();
        let fits = |pattern: &String| {
            (pattern.parse::<Glob>()).is_ok_and(|pattern| pattern.matches(runtime))
        };
        let any = |wanted: &[String], is: &dyn Fn(&String) -> bool| {
            wanted.is_empty() || wanted.iter().any(is)
        };
        (self.functions.is_empty() || self.functions.iter().any(|it| it.matches(function)))
            && !self.exclude.iter().any(|it| it.matches(function))
            && any(&self.runtimes, &fits)
            && any(&self.architectures, &|it| *it == function.architecture)
            && any(&self.package_types, &|it| {
                it.eq_ignore_ascii_case(package_type)
            })
    }

    /// Whether a function has the tags, which `GetFunction` knows; the reason where it does not.
    fn admits_tags(&self, function: &Function) -> Result<bool, String> {
        if self.tags.is_empty() {
            return Ok(true);
        }
        let none = BTreeMap::new();
        let tags = match function.live.as_ref().map(|live| &live.tags) {
            Some(Tags::Readable(tags)) => tags,
            Some(Tags::Unreadable(reason)) => return Err(reason.clone()),
            None => &none,
        };
        Ok(self.tags.iter().all(|wanted| {
            let value = tags.get(&wanted.key);
            value.is_some_and(|value| wanted.values.is_empty() || wanted.values.contains(value))
        }))
    }

    /// The names, where nothing but names is given.
    fn literals(&self) -> Option<Vec<Literal>> {
        let only_names = self.tags.is_empty() && !self.functions.is_empty();
        only_names
            .then(|| self.functions.iter().map(Pattern::literal).collect())
            .flatten()
    }
}

/// Every function of the selection in one account and region, of which `keep` says what to keep: a hundred
/// thousand with their variables are too much.
pub async fn find<T>(
    site: &Site,
    selection: &Selection,
    keep: impl Fn(Function) -> T,
) -> Result<Found<T>, Failure> {
    if let Some(only) = &selection.only {
        let mut found = find_named(site, selection, only.clone()).await?;
        (found.functions).retain(|function| match selection.admits_tags(function) {
            Ok(is_admitted) => is_admitted,
            Err(reason) => {
                found.unreadable.push((function.name.clone(), reason));
                false
            }
        });
        return Ok(found.kept(keep));
    }
    if let Some(literals) = selection.literals() {
        return Ok(find_named(site, selection, literals).await?.kept(keep));
    }
    let mut matches = Matches::default();
    let mut tagged = None;
    if !selection.tags.is_empty() {
        let resources = tags_of(site, &selection.tags).await?;
        for (key, value) in resources.values().flatten() {
            matches.meet_tag(selection, key, value);
        }
        tagged = Some(resources);
    }
    let mut functions = Vec::new();
    list_each(site, None, |function| {
        matches.meet(selection, &function);
        let is_tagged = (tagged.as_ref()).is_none_or(|it| it.contains_key(&function.arn));
        if is_tagged && selection.admits(&function) {
            functions.push(keep(function));
        }
    })
    .await?;
    matches.chosen = functions.len();
    Ok(Found {
        functions,
        unreadable: Vec::new(),
        matches,
    })
}

impl Found {
    fn kept<T>(self, keep: impl Fn(Function) -> T) -> Found<T> {
        let mut matches = self.matches;
        matches.chosen = self.functions.len();
        Found {
            functions: self.functions.into_iter().map(keep).collect(),
            unreadable: self.unreadable,
            matches,
        }
    }
}

async fn find_named(
    site: &Site,
    selection: &Selection,
    literals: Vec<Literal>,
) -> Result<Found, Failure> {
    let (mut functions, mut unreadable) = (Vec::new(), Vec::new());
    let mut matches = Matches::default();
    let here = (site.place.account.clone(), site.place.region.clone());
    let mut asked = BTreeSet::new();
    for literal in literals {
        let is_elsewhere = literal.place.as_ref().is_some_and(|place| *place != here);
        if is_elsewhere || !asked.insert(literal.name.clone()) {
            continue;
        }
        match Function::get(site, &literal.name).await {
            Ok(function) => {
                matches.meet(selection, &function);
                if selection.admits(&function) {
                    functions.push(function);
                }
            }
            Err(failure) if failure.kind == Kind::NotFound => {}
            // The permission is for others: these can be read.
            Err(failure) if failure.kind == Kind::Denied && literal.place.is_some() => {
                matches.meet_literal(selection, &literal.text);
                unreadable.push((literal.name, failure.brief()));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(Found {
        functions,
        unreadable,
        matches,
    })
}

/// Every function in one account and region.
pub async fn list(site: &Site) -> Result<Vec<Function>, Failure> {
    list_as(site, None).await
}

/// Every function in one account and region, and every version of each: their ARNs tell which.
pub async fn list_versions(site: &Site) -> Result<Vec<Function>, Failure> {
    list_as(site, Some(FunctionVersion::All)).await
}

/// The names of the functions that have published versions; none where finding out takes more pages.
pub async fn published(site: &Site, pages: usize) -> Result<Option<BTreeSet<String>>, Failure> {
    let what = format!("listing the versions in {}", site.place);
    let lambda = &site.lambda;
    let mut names = BTreeSet::new();
    let mut marker = Marker::default();
    for _ in 0..pages {
        let page = lambda
            .read(&what, || {
                (lambda.client().list_functions())
                    .function_version(FunctionVersion::All)
                    .set_marker(marker.current())
                    .send()
            })
            .await?;
        let versions = page.functions().iter();
        let published = versions.filter(|it| it.version().is_some_and(|it| it != LATEST));
        names.extend(published.filter_map(|it| it.function_name().map(str::to_owned)));
        if !marker.advance(&what, page.next_marker())? {
            return Ok(Some(names));
        }
    }
    Ok(None)
}

async fn list_as(site: &Site, version: Option<FunctionVersion>) -> Result<Vec<Function>, Failure> {
    let mut functions = Vec::new();
    list_each(site, version, |function| functions.push(function)).await?;
    Ok(functions)
}

/// Hands over one function after the other, with all that a list has of it.
async fn list_each(
    site: &Site,
    version: Option<FunctionVersion>,
    mut take: impl FnMut(Function),
) -> Result<(), Failure> {
    let what = format!("listing the functions in {}", site.place);
    let lambda = &site.lambda;
    let mut marker = Marker::default();
    loop {
        let page = lambda
            .read_page(&what, || {
                (lambda.client().list_functions())
                    .set_function_version(version.clone())
                    .set_marker(marker.current())
                    .send()
            })
            .await?;
        let functions = page.functions().iter();
        functions
            .filter_map(|it| Function::of(&site.place, it))
            .for_each(&mut take);
        if !marker.advance(&what, page.next_marker())? {
            return Ok(());
        }
    }
}

/// The functions that have all of the tags, by ARN, with every tag that they have.
pub async fn tags_of(
    site: &Site,
    tags: &[TagFilter],
) -> Result<BTreeMap<String, Vec<(String, String)>>, Failure> {
    let what = format!("finding functions by tag in {}", site.place);
    let filters = tags.iter().map(|tag| {
        SdkTagFilter::builder()
            .key(&tag.key)
            .set_values(Some(tag.values.clone()))
            .build()
    });
    let client = aws_sdk_resourcegroupstagging::Client::new(&site.config);
    let mut pages = client
        .get_resources()
        .resource_type_filters("lambda:function")
        .set_tag_filters(Some(filters.collect()).filter(|_| !tags.is_empty()))
        .into_paginator()
        .items()
        .send();
    let mut found = BTreeMap::new();
    loop {
        let permit = in_flight::permit().await;
        let next = pages.next().await;
        drop(permit);
        let Some(resource) = next else {
            return Ok(found);
        };
        let resource = resource.map_err(|error| Failure::of(&what, &error))?;
        let Some(arn) = resource.resource_arn() else {
            continue;
        };
        let tags = resource.tags().iter();
        let tags = tags.map(|tag| (tag.key().to_owned(), tag.value().to_owned()));
        found.insert(arn.to_owned(), tags.collect());
    }
}
