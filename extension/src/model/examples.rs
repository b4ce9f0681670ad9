//! Sequences that once broke a rule, shrunk and named.
