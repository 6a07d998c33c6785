//! What a handle answers when it does not do what it was asked.

use guildhall_core::access::Denied;
use guildhall_core::config::ContentHash;
use guildhall_core::document::{DocumentKey, Problems};
use guildhall_core::history::VersionRef;
use guildhall_core::registry::LockHolder;
use guildhall_core::registry::contract::Refused;
use guildhall_store::{
    BlobError, CommitError, LeaseError, ReadError, ReadOnly, TransactionError, Unavailable,
};

use crate::documents::Precondition;

/// Why a call was not done. Nothing was changed, unless it is [`Error::Unknown`].
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller may not.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The document is not there.
    #[error("{0} does not exist; list what does, or create it first")]
    NotFound(DocumentKey),
    /// The document has no such version, or no longer.
    #[error("{key} has no version {wanted}; {}", versions(*known))]
    NoVersion {
        /// The document.
        key: DocumentKey,
        /// What was asked for.
        wanted: VersionRef,
        /// From which version to which none is missing; `None`: it has none yet.
        known: Option<(u32, u32)>,
    },
    /// The store does not have the content that a document names.
    #[error(
        "the content {hash} of {key} is not in the store any more: write the file again, or restore a snapshot"
    )]
    ContentLost {
        /// The document.
        key: DocumentKey,
        /// Its content.
        hash: ContentHash,
    },
    /// The file has no such gray release.
    #[error("{key} has no gray release {name:?}; it has {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") })]
    NoGray {
        /// The file.
        key: DocumentKey,
        /// What was asked for.
        name: String,
        /// Those it has.
        known: Vec<String>,
    },
    /// The file has no such draft.
    #[error("{key} has no draft {id}; it has {}", drafts(known))]
    NoDraft {
        /// The file.
        key: DocumentKey,
        /// What was asked for.
        id: u32,
        /// Those it has.
        known: Vec<u32>,
    },
    /// Nobody approves their own draft.
    #[error("draft {id} of {key} is yours: somebody else must approve it")]
    OwnDraft {
        /// The file.
        key: DocumentKey,
        /// The draft.
        id: u32,
    },
    /// The file has been released since the draft was made.
    #[error(
        "draft {id} of {key} was made from version {base}, and the file {} by now: look at what changed, and draft it anew",
        if *live == 0 { "is gone".to_owned() } else { format!("has version {live}") }
    )]
    StaleDraft {
        /// The file.
        key: DocumentKey,
        /// The draft.
        id: u32,
        /// The version it was made from.
        base: u32,
        /// The version that is live; 0: none.
        live: u32,
    },
    /// The change takes the approval of others.
    #[error(
        "{key} needs the approval of others ({approved} of {required}): make a draft of it (draft=true, or --draft) and have it approved"
    )]
    ApprovalRequired {
        /// The file.
        key: DocumentKey,
        /// How many must approve.
        required: u32,
        /// How many did.
        approved: u32,
    },
    /// Values are to be sealed or opened, and the platform does not have the key for it.
    #[error("{key} has sealed values: {}", no_key(wanted.as_deref()))]
    NoSealKey {
        /// The file.
        key: DocumentKey,
        /// The key's id; `None`: there is none at all.
        wanted: Option<String>,
    },
    /// The system gives no random bytes.
    #[error(
        "the system gives no random bytes, without which nothing can be sealed; look at its log"
    )]
    NoRandom,
    /// The instance has no such check.
    #[error("{instance} has no check {check:?}; it has {}", if known.is_empty() { "none".to_owned() } else { known.join(", ") })]
    CheckNotFound {
        /// The instance.
        instance: DocumentKey,
        /// The check asked for.
        check: String,
        /// The checks it has.
        known: Vec<String>,
    },
    /// The document or the argument is not valid.
    #[error("not valid: {0}")]
    Invalid(#[from] Problems),
    /// The document is not as the write's precondition asks.
    #[error("{key} {}; read it again and decide again", found(*current))]
    Precondition {
        /// The document.
        key: DocumentKey,
        /// What was asked for.
        wanted: Precondition,
        /// The revision it has; `None`: it is not there.
        current: Option<u64>,
    },
    /// What else is there does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// Others kept changing the document while it was being written.
    #[error("{0} is being changed by others at the same time; try again")]
    Contention(DocumentKey),
    /// A page is asked for whose list is no longer kept.
    #[error("the list that this page continues is no longer kept; start it over")]
    Gone,
    /// A continue token that this list never gave.
    #[error("{0:?} is not a continue token of this list; start it over")]
    BadContinue(String),
    /// The version breaks what its consumers rely on, and the service's policy refuses that.
    #[error(transparent)]
    ContractRefused(#[from] Refused),
    /// Someone else holds the lock.
    #[error("{lock} is held by {}; wait for it, or try again later", holder.owner)]
    Held {
        /// The lock.
        lock: DocumentKey,
        /// Who holds it.
        holder: Box<LockHolder>,
    },
    /// The lock is not, or no longer, held under this token.
    #[error("{lock} is not held under token {token}: it expired or was released; acquire it again")]
    NotHeld {
        /// The lock.
        lock: DocumentKey,
        /// The token given.
        token: u64,
    },
    /// Another process checks instances: it must be told.
    #[error("instances are checked by {owner}; report to it")]
    NotOnDuty {
        /// The process that does.
        owner: String,
    },
    /// As many watches as there may be.
    #[error("there are {most} watches already, which is the most there may be; try again later")]
    TooManyWatchers {
        /// The bound.
        most: usize,
    },
    /// As much is reported as is kept.
    #[error(
        "{most} {what} are known already, which is the most there may be; this one goes unseen"
    )]
    TooManyReports {
        /// The bound.
        most: usize,
        /// Of what.
        what: &'static str,
    },
    /// The document is too large for one transaction.
    #[error(transparent)]
    TooLarge(TransactionError),
    /// A content cannot be read or kept.
    #[error(transparent)]
    Blob(BlobError),
    /// Nothing can be written at present; reads go on.
    #[error(transparent)]
    ReadOnly(#[from] ReadOnly),
    /// Whether it was done is not known.
    #[error("whether this was done is not known ({0}); read before trying again")]
    Unknown(String),
    /// The store cannot be asked.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
    /// The control plane has stopped.
    #[error("the control plane is shutting down; try again in a moment")]
    Stopped,
    /// A document could not be written or read as JSON: a defect.
    #[error("a document could not be encoded or decoded; this is a defect, please report it")]
    Encoding(#[from] serde_json::Error),
    /// The store refused a transaction that should have been within its rules: a defect.
    #[error("the store refused the transaction; this is a defect, please report it")]
    Store(#[source] Box<CommitError>),
}

fn versions(known: Option<(u32, u32)>) -> String {
    match known {
        Some((oldest, last)) => {
            format!("it has {oldest} to {last}, and those with a tag: list its history")
        }
        None => "its history begins with its next change".to_owned(),
    }
}

fn drafts(known: &[u32]) -> String {
    match known {
        [] => "none".to_owned(),
        known => {
            let known: Vec<String> = known.iter().map(u32::to_string).collect();
            known.join(", ")
        }
    }
}

fn no_key(wanted: Option<&str>) -> String {
    match wanted {
        Some(id) => format!(
            "the platform does not have the key {id:?}; add it to the file that config.seal_key_file names"
        ),
        None => "the platform has no key to seal with; make one with `guildhall config seal --new-key` and name its file in \
                 config.seal_key_file"
            .to_owned(),
    }
}

fn found(current: Option<u64>) -> String {
    match current {
        Some(revision) => format!("stands at revision {revision}"),
        None => "is not there".to_owned(),
    }
}

impl Error {
    /// Whether the same call may succeed later without anybody changing it.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Contention(_)
            | Self::Held { .. }
            | Self::NotOnDuty { .. }
            | Self::TooManyWatchers { .. }
            | Self::TooManyReports { .. }
            | Self::Unknown(_)
            | Self::Stopped => true,
            Self::ReadOnly(why) => why.is_transient(),
            Self::Unavailable(why) => !matches!(why, Unavailable::Unsupported(_)),
            _ => false,
        }
    }
}

impl From<CommitError> for Error {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Invalid(error @ TransactionError::TooLarge { .. }) => {
                Self::TooLarge(error)
            }
            CommitError::Blob(error) => error.into(),
            CommitError::ReadOnly(why) => Self::ReadOnly(why),
            CommitError::Unavailable(why) => Self::Unavailable(why),
            CommitError::Unknown(why) => Self::Unknown(why),
            other => Self::Store(Box::new(other)),
        }
    }
}

impl From<BlobError> for Error {
    fn from(error: BlobError) -> Self {
        match error {
            BlobError::Unavailable(why) => Self::Unavailable(why),
            other => Self::Blob(other),
        }
    }
}

impl From<ReadError> for Error {
    fn from(error: ReadError) -> Self {
        match error {
            ReadError::Compacted { .. } => Self::Gone,
            ReadError::Unavailable(why) => Self::Unavailable(why),
        }
    }
}

impl From<LeaseError> for Error {
    fn from(error: LeaseError) -> Self {
        match error {
            LeaseError::ReadOnly(why) => Self::ReadOnly(why),
            LeaseError::Unavailable(why) => Self::Unavailable(why),
            LeaseError::Unknowable(why) => Self::Unknown(why),
            LeaseError::InvalidTtl => {
                Self::Invalid(Problems::one("/ttl", "more than zero and at most 365 days"))
            }
            LeaseError::Unknown { lease } => {
                Self::Store(Box::new(CommitError::LeaseUnknown { lease }))
            }
        }
    }
}
