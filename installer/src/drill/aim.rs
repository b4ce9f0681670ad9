//! Where the primary leads during a drill, and what that makes of the function's variables. Pure.
//!
//! The built-in addresses reach no server: nothing is sent to anybody. Invariant: a key goes to no server
//! but the one that it is of.

use std::collections::BTreeMap;
use std::fmt;

use clap::ValueEnum;

const URL: &str = "BACKSTOP_PRIMARY_URL";
const OTLP_URL: &str = "BACKSTOP_OTLP_URL";
const TOKEN: &str = "BACKSTOP_PRIMARY_TOKEN";
/// They name the primary's token.
const TOKENS: [&str; 4] = [
    TOKEN,
    "BACKSTOP_PRIMARY_TOKEN_SECRET_ARN",
    "BACKSTOP_PRIMARY_TOKEN_SSM_PARAMETER",
    "BACKSTOP_PRIMARY_TOKEN_KMS",
];
/// They belong to the token, or may hold another one.
const OTHER_KEYS: [&str; 2] = [
    "BACKSTOP_PRIMARY_TOKEN_KMS_KEY_ID",
    "BACKSTOP_PRIMARY_HEADERS",
];
/// The token at an address of the operator's own: most formats want one.
const PLACEHOLDER: &str = "backstop-drill";

/// How a primary fails without a server of anybody's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Failure {
    /// Connections are refused: a loopback port on which nothing listens
    #[default]
    Refused,
    /// Connections are never answered: an address reserved for documentation (RFC 5737)
    Hang,
    /// The name does not resolve: a name reserved for this purpose (RFC 2606)
    Dns,
}

impl Failure {
    /// As it is typed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Hang => "hang",
            Self::Dns => "dns",
        }
    }

    fn address(self) -> &'static str {
        match self {
            Self::Refused => "http://127.0.0.1:9/",
            Self::Hang => "https://192.0.2.1/",
            Self::Dns => "https://backstop-drill.invalid/",
        }
    }
}

/// What the primary is pointed at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Aim {
    /// Nothing that answers.
    Nowhere(Failure),
    /// A server of the operator's own, at this address.
    Own(String),
}

impl fmt::Display for Aim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere(failure) => formatter.write_str(failure.as_str()),
            Self::Own(_) => formatter.write_str("own address"),
        }
    }
}

impl Aim {
    /// The address.
    pub fn address(&self) -> &str {
        match self {
            Self::Nowhere(failure) => failure.address(),
            Self::Own(url) => url,
        }
    }

    /// The address without what may be a key: its query, and the user and password before its host.
    pub fn shown(&self) -> String {
        let url = self.address();
        let url = url.split(['?', '#']).next().unwrap_or_default();
        let Some((scheme, rest)) = url.split_once("://") else {
            return url.to_owned();
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let host = authority
            .rsplit_once('@')
            .map_or(authority, |(_, host)| host);
        format!("{scheme}://{host}{path}")
    }

    /// The function's variables during the drill.
    ///
    /// The address is all that changes where nothing answers. A server gets a placeholder instead of the key.
    pub fn on(&self, live: &BTreeMap<String, String>) -> BTreeMap<String, String> {
        let mut variables = live.clone();
        variables.insert(URL.to_owned(), self.address().to_owned());
        if let Some(url) = variables.get_mut(OTLP_URL) {
            self.address().clone_into(url);
        }
        if matches!(self, Self::Own(_)) {
            let has_token = TOKENS.iter().any(|name| live.contains_key(*name));
            for name in TOKENS.iter().chain(&OTHER_KEYS) {
                variables.remove(*name);
            }
            if has_token {
                variables.insert(TOKEN.to_owned(), PLACEHOLDER.to_owned());
            }
        }
        variables
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::change::{Change, Config, Vault};

    fn config(variables: &[(&str, &str)]) -> Config {
        Config {
            layers: Vec::new(),
            variables: (variables.iter())
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }

    #[test]
    fn no_key_in_an_own_address_is_shown() {
        for (typed, shown) in [
            ("https://host/500?key=hunter2", "https://host/500"),
            ("https://me:hunter2@host:8443/a@b", "https://host:8443/a@b"),
            ("https://host#hunter2", "https://host"),
            ("http://127.0.0.1:9/own", "http://127.0.0.1:9/own"),
        ] {
            assert_eq!(Aim::Own(typed.to_owned()).shown(), shown, "{typed}");
        }
    }

    /// Each change passes the rule that holds a key back from a host that it is not of, both ways.
    #[test]
    fn every_aim_can_be_made_and_undone_to_the_byte() {
        let lives = [
            config(&[(URL, "https://intake.example.com/")]),
            config(&[
                (URL, "datadoghq.eu"),
                ("BACKSTOP_PRIMARY_FORMAT", "datadog"),
                (TOKEN, "hunter2"),
            ]),
            config(&[
                (URL, "https://intake.example.com/?key=hunter2"),
                (OTLP_URL, "https://otlp.example.com/"),
                ("BACKSTOP_PRIMARY_HEADERS", "x-key=hunter2"),
                (
                    "BACKSTOP_PRIMARY_TOKEN_SECRET_ARN",
                    "arn:aws:secretsmanager:eu-west-1:1:secret:a",
                ),
                ("TABLE", "orders"),
            ]),
        ];
        let aims = [
            Aim::Nowhere(Failure::Refused),
            Aim::Nowhere(Failure::Hang),
            Aim::Nowhere(Failure::Dns),
            Aim::Own("https://failing.example.com/500".to_owned()),
        ];
        for live in &lives {
            for aim in &aims {
                let wanted = Config {
                    layers: Vec::new(),
                    variables: aim.on(&live.variables),
                };
                assert_eq!(wanted.variables[URL], aim.address());
                if let Some(url) = wanted.variables.get(OTLP_URL) {
                    assert_eq!(url, aim.address());
                }
                let text = format!("{:?}", wanted.variables);
                assert!(
                    matches!(aim, Aim::Nowhere(_)) || !text.contains("hunter2"),
                    "{text}"
                );

                let change = Change::between(live, &wanted, None, |_, _| false);
                let vault = Vault::default();
                let made = change.redo_on(live, &vault);
                assert_eq!((made.conflicts.len(), &made.config), (0, &wanted), "{aim}");
                let undone = change.undo_on(&wanted, &vault);
                assert_eq!((undone.conflicts.len(), &undone.config), (0, live), "{aim}");
            }
        }
    }
}
