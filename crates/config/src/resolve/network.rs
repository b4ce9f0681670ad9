//! How the network is reached: certificate authorities and proxies, by the variables of other tools.
//!
//! curl's rule for names of either case: where both are set, the one in lower case holds. A proxy
//! that is not valid is an error, and requests go out without it: a record that is delivered
//! directly, with an error that says so, is better than one that is lost.
//!
//! Must not: open a file, or show a proxy's user name or password.

use super::Resolver;
use crate::error::{ConfigError, Invalid, one_line};
use crate::proxy::{self, Exceptions, Proxies, Proxy};
use crate::url;

impl Resolver {
    pub(super) fn proxies(&mut self) -> Proxies {
        let all = self.proxy("all_proxy", "ALL_PROXY");
        Proxies {
            https: self
                .proxy("https_proxy", "HTTPS_PROXY")
                .or_else(|| all.clone()),
            http: self.proxy("http_proxy", "HTTP_PROXY").or(all),
            exceptions: self.exceptions(),
        }
    }

    fn proxy(&mut self, lower: &'static str, upper: &'static str) -> Option<Proxy> {
        let (name, text) = self.either(lower, upper)?;
        match proxy::parse(&text) {
            Ok(proxy) => Some(proxy),
            Err(advice) => {
                let shown = format!("\"{}\"", one_line(&url::redacted(&text)));
                let error = ConfigError::invalid(name, Invalid::quoting(&shown, advice));
                self.errors
                    .push(error.with_effect("requests go out without this proxy"));
                None
            }
        }
    }

    fn exceptions(&mut self) -> Exceptions {
        let Some((name, text)) = self.either("no_proxy", "NO_PROXY") else {
            return Exceptions::default();
        };
        let (exceptions, unreadable) = Exceptions::parse(&text);
        if let Some(first) = unreadable.first() {
            let more = match unreadable.len() {
                1 => String::new(),
                count => format!(", and {} more of its entries", count - 1),
            };
            let problem = format!(
                "has no host, address or network in entry {first}{more}: write example.com, \
                 10.0.0.1 or 10.0.0.0/8"
            );
            let error = ConfigError::invalid(name, problem);
            self.errors
                .push(error.with_effect("what cannot be read is left out"));
        }
        exceptions
    }

    fn either(&self, lower: &'static str, upper: &'static str) -> Option<(&'static str, String)> {
        [lower, upper]
            .into_iter()
            .find_map(|name| Some((name, self.text(name)?)))
    }
}
