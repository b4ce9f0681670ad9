//! The integration tests live in sub-folders.
