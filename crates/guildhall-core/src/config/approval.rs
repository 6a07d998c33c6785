//! Files that change only by what several people agreed on. Pure.

use serde::{Deserialize, Serialize};

use super::Config;
use crate::document::{Pointer, Problems};

/// How many people must agree before a file gets another content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Approval {
    /// How many others than the author must approve a draft before it is released; none if 0.
    pub required: u32,
}

/// What a change of a file takes, beside the right to write.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Takes {
    /// How many approvals of others than its author.
    pub approvals: u32,
    /// Whether it takes the right to administer: it makes the file less guarded.
    pub admin: bool,
}

impl Approval {
    /// The most that may be required.
    pub const MAX: u32 = 16;

    pub(super) fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        problems.check(
            self.required <= Self::MAX,
            at.field("required"),
            format_args!("at most {}", Self::MAX),
        );
    }
}

impl Config {
    /// How many approvals a change of this file takes.
    pub fn approvals(&self) -> u32 {
        self.approval
            .as_ref()
            .map_or(0, |approval| approval.required)
    }

    /// What it takes to make `next` of this file; `None` stands for its deletion.
    ///
    /// Whatever its readers get takes approval, except that a gray release may always be taken back. Whoever asks for fewer
    /// approvals than before, or for none by deleting the file, must administer it.
    pub fn takes(&self, next: Option<&Self>) -> Takes {
        let required = self.approvals();
        if required == 0 {
            return Takes::default();
        }
        let Some(next) = next else {
            return Takes {
                approvals: 0,
                admin: true,
            };
        };
        let known = |gray: &super::GrayRelease| self.gray.contains(gray);
        let same = Self {
            gray: next.gray.clone(),
            approval: next.approval.clone(),
            ..self.clone()
        };
        Takes {
            approvals: match same == *next && next.gray.iter().all(known) {
                true => 0,
                false => required,
            },
            admin: next.approvals() < required,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{ContentHash, Format, GrayRelease};

    fn file(required: u32) -> Config {
        let gray = |name: &str| GrayRelease {
            name: name.to_owned(),
            content_hash: Some(ContentHash([1; 32])),
            ..GrayRelease::default()
        };
        Config {
            format: Some(Format::Yaml),
            content_hash: Some(ContentHash([0; 32])),
            gray: vec![gray("blue"), gray("green")],
            approval: Some(Approval { required }),
            ..Config::default()
        }
    }

    #[test]
    fn what_readers_get_takes_approval_and_less_of_it_an_administrator() {
        type Edit = fn(&mut Config);
        let edits: [(&str, Edit, u32, bool); 9] = [
            ("nothing", |_| {}, 0, false),
            (
                "content",
                |file| file.content_hash = Some(ContentHash([2; 32])),
                2,
                false,
            ),
            ("format", |file| file.format = Some(Format::Text), 2, false),
            ("abort", |file| drop(file.gray.remove(0)), 0, false),
            (
                "more of them",
                |file| file.gray[0].rule.percentage = Some(50.0),
                2,
                false,
            ),
            (
                "gray content",
                |file| file.gray[1].content_hash = Some(ContentHash([2; 32])),
                2,
                false,
            ),
            (
                "more approvals",
                |file| file.approval = Some(Approval { required: 3 }),
                0,
                false,
            ),
            (
                "fewer",
                |file| file.approval = Some(Approval { required: 1 }),
                0,
                true,
            ),
            ("none", |file| file.approval = None, 0, true),
        ];
        for (what, edit, approvals, admin) in edits {
            let mut next = file(2);
            edit(&mut next);
            assert_eq!(
                file(2).takes(Some(&next)),
                Takes { approvals, admin },
                "{what}"
            );
            assert_eq!(
                file(0).takes(Some(&next)),
                Takes::default(),
                "{what}, unguarded"
            );
        }
        assert!(file(1).takes(None).admin && !file(0).takes(None).admin);
    }
}
