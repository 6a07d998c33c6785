//! Bounds of lists and writes, and how one write is done.

use std::sync::Arc;
use std::time::Duration;

use guildhall_core::document::{Kind, Problems};
use guildhall_core::history;

use super::Precondition;
use crate::history::{Note, Standing};

/// How a document is written or deleted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// What must hold.
    pub precondition: Precondition,
    /// Checks everything and writes nothing.
    pub dry_run: bool,
    /// Why, in the author's words; kept where a history is.
    pub comment: Option<String>,
    /// Makes a draft of it, for others to approve; of configuration only.
    pub draft: bool,
}

impl WriteOptions {
    /// The comment as it is kept.
    pub(crate) fn comment(&self) -> Result<Option<Arc<str>>, Problems> {
        let Some(text) = &self.comment else {
            return Ok(None);
        };
        let comment = history::comment(text).map_err(|detail| Problems::one("/comment", detail))?;
        Ok(comment.map(Arc::from))
    }

    /// What a write says of itself, if it goes back to no earlier version.
    pub(crate) fn note(&self) -> Result<Note, Problems> {
        Ok(Note {
            comment: self.comment()?,
            standing: match self.draft {
                true => Standing::Proposed,
                false => Standing::Direct,
            },
            ..Note::default()
        })
    }

    /// That no draft is asked for of what has none.
    pub(crate) fn no_draft(&self, kind: Kind) -> Result<(), Problems> {
        match self.draft {
            true => {
                let detail = format!("there are no drafts of {}", kind.plural());
                Err(Problems::one("/draft", detail))
            }
            false => Ok(()),
        }
    }
}

/// How lists and writes are bounded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DocumentOptions {
    /// The most documents in one page of a list; 5,000 by default.
    pub page: usize,
    /// How many past states are kept for the lists that are being read page by page; 32 by
    /// default.
    pub kept_states: usize,
    /// How long such a state is kept after its last use; a minute by default.
    pub kept_for: Duration,
    /// How often a write is tried again when others change the same document; 16 by default.
    pub attempts: u32,
}

impl Default for DocumentOptions {
    fn default() -> Self {
        Self {
            page: 5_000,
            kept_states: 32,
            kept_for: Duration::from_secs(60),
            attempts: 16,
        }
    }
}
