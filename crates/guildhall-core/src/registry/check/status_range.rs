//! Which HTTP statuses pass.

use serde::{Deserialize, Serialize};

/// HTTP statuses from `first` to `last`, written `200` or `"200-299"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StatusForm", into = "StatusForm")]
pub struct StatusRange {
    /// The lowest status that passes.
    pub first: u16,
    /// The highest.
    pub last: u16,
}

#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "an HTTP status such as 200 or a range such as \"200-299\""
)]
enum StatusForm {
    One(u16),
    Range(String),
}

impl TryFrom<StatusForm> for StatusRange {
    type Error = &'static str;

    fn try_from(form: StatusForm) -> Result<Self, Self::Error> {
        let range = match form {
            StatusForm::One(status) => Some((status, status)),
            StatusForm::Range(text) => {
                let (first, last) = text.split_once('-').unwrap_or((&text, &text));
                first.trim().parse().ok().zip(last.trim().parse().ok())
            }
        };
        match range {
            Some((first, last)) if 100 <= first && first <= last && last <= 599 => {
                Ok(Self { first, last })
            }
            _ => Err("an HTTP status from 100 to 599 or a range such as \"200-299\""),
        }
    }
}

impl From<StatusRange> for StatusForm {
    fn from(range: StatusRange) -> Self {
        if range.first == range.last {
            Self::One(range.first)
        } else {
            Self::Range(format!("{}-{}", range.first, range.last))
        }
    }
}
