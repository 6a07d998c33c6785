//! The guildhall binary: settings, roles, HTTP handlers, CLI.
