//! Organisations: a tree of units with accounts in them, which the management account alone may see.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::identity::Caller;
use crate::paging::Page;
use crate::refusal::Refusal;

/// At most this many of each kind on a page.
const PAGE: usize = 20;
const ROOT: &str = "r-root";

pub(crate) const OPERATIONS: [&str; 5] = [
    "DescribeOrganization",
    "ListAccounts",
    "ListRoots",
    "ListOrganizationalUnitsForParent",
    "ListAccountsForParent",
];

/// An organisation as a test builds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    id: String,
    management: String,
    units: BTreeMap<String, Unit>,
    members: BTreeMap<String, Member>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Unit {
    name: String,
    parent: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Member {
    name: String,
    parent: String,
    is_suspended: bool,
}

impl Organization {
    /// One with its management account in the root, and nothing else.
    pub fn new(id: &str, management: &str) -> Self {
        let organization = Self {
            id: id.to_owned(),
            management: management.to_owned(),
            units: BTreeMap::new(),
            members: BTreeMap::new(),
        };
        organization.account(ROOT, management, "management")
    }

    /// The root's id, for a parent.
    pub fn root() -> &'static str {
        ROOT
    }

    /// With a unit below this parent. Ids are `ou-root-` and eight letters or digits or more.
    #[must_use]
    pub fn unit(mut self, parent: &str, id: &str, name: &str) -> Self {
        let unit = Unit {
            name: name.to_owned(),
            parent: parent.to_owned(),
        };
        self.units.insert(id.to_owned(), unit);
        self
    }

    /// With an account in this parent.
    #[must_use]
    pub fn account(self, parent: &str, id: &str, name: &str) -> Self {
        self.member(parent, id, name, false)
    }

    /// With an account that was closed and is still listed.
    #[must_use]
    pub fn suspended(self, parent: &str, id: &str, name: &str) -> Self {
        self.member(parent, id, name, true)
    }

    fn member(mut self, parent: &str, id: &str, name: &str, is_suspended: bool) -> Self {
        let member = Member {
            name: name.to_owned(),
            parent: parent.to_owned(),
            is_suspended,
        };
        self.members.insert(id.to_owned(), member);
        self
    }

    pub(crate) fn id(&self) -> &str {
        &self.id
    }

    /// The accounts in it.
    pub(crate) fn accounts(&self) -> impl Iterator<Item = &String> {
        self.members.keys()
    }

    pub(crate) fn answer(
        &self,
        caller: &Caller,
        operation: &str,
        body: &Value,
    ) -> Result<Value, Refusal> {
        if operation == "DescribeOrganization" {
            return Ok(json!({ "Organization": {
                "Id": self.id, "Arn": self.arn("organization", ""), "FeatureSet": "ALL",
                "MasterAccountId": self.management, "MasterAccountArn": self.arn("account", &self.management),
                "MasterAccountEmail": "management@example.com",
            }}));
        }
        if caller.place.account != self.management {
            return Err(Refusal::bad(
                "AccessDeniedException",
                "You don't have permissions to access this resource.",
            ));
        }
        let page = Page::in_body(body, PAGE);
        let (what, (items, next)) = match operation {
            "ListRoots" => {
                let root = json!({ "Id": ROOT, "Arn": self.arn("root", ROOT), "Name": "Root", "PolicyTypes": [] });
                ("Roots", page.of([(ROOT.to_owned(), root)].into_iter()))
            }
            "ListAccounts" => ("Accounts", page.of(self.listed(None))),
            "ListAccountsForParent" => {
                let parent = self.parent(body)?;
                ("Accounts", page.of(self.listed(Some(parent))))
            }
            "ListOrganizationalUnitsForParent" => {
                let parent = self.parent(body)?;
                let units = (self.units.iter())
                    .filter(|(_, unit)| unit.parent == parent)
                    .map(|(id, unit)| {
                        let shown =
                            json!({ "Id": id, "Arn": self.arn("ou", id), "Name": unit.name });
                        (id.clone(), shown)
                    });
                ("OrganizationalUnits", page.of(units))
            }
            other => return Err(Refusal::unknown(other)),
        };
        Ok(json!({ what: items, "NextToken": next }))
    }

    fn listed<'all>(
        &'all self,
        parent: Option<&'all str>,
    ) -> impl Iterator<Item = (String, Value)> + 'all {
        (self.members.iter())
            .filter(move |(_, member)| parent.is_none_or(|parent| member.parent == parent))
            .map(|(id, member)| {
                let state = if member.is_suspended {
                    "SUSPENDED"
                } else {
                    "ACTIVE"
                };
                let shown = json!({
                    "Id": id, "Arn": self.arn("account", id), "Name": member.name,
                    "Email": format!("{id}@example.com"), "Status": state, "State": state,
                    "JoinedMethod": "CREATED", "JoinedTimestamp": 1_700_000_000,
                });
                (id.clone(), shown)
            })
    }

    fn parent<'body>(&self, body: &'body Value) -> Result<&'body str, Refusal> {
        let parent = body["ParentId"].as_str().unwrap_or_default();
        if parent != ROOT && !self.units.contains_key(parent) {
            return Err(Refusal::bad(
                "ParentNotFoundException",
                "You provided parent that does not exist.",
            ));
        }
        Ok(parent)
    }

    fn arn(&self, kind: &str, id: &str) -> String {
        let path = if id.is_empty() {
            self.id.clone()
        } else {
            format!("{}/{id}", self.id)
        };
        format!("arn:aws:organizations::{}:{kind}/{path}", self.management)
    }
}

/// What an account is told that is in none.
pub(crate) fn none() -> Refusal {
    Refusal::bad(
        "AWSOrganizationsNotInUseException",
        "Your account is not a member of an organization.",
    )
}
