//! What is wrong with a document, field by field.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One bad field: where it is and what to do about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldProblem {
    /// A JSON Pointer (RFC 6901) into the document as it was sent.
    pub pointer: String,
    /// What is wrong and what would be right.
    pub detail: String,
}

/// All that is wrong with a document; never built empty by [`Problems::into_result`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problems(pub Vec<FieldProblem>);

impl Problems {
    /// One problem at `pointer`.
    pub fn one(pointer: impl fmt::Display, detail: impl fmt::Display) -> Self {
        let mut problems = Self::default();
        problems.add(pointer, detail);
        problems
    }

    /// Notes a problem at `pointer`.
    pub fn add(&mut self, pointer: impl fmt::Display, detail: impl fmt::Display) {
        self.0.push(FieldProblem {
            pointer: pointer.to_string(),
            detail: detail.to_string(),
        });
    }

    /// Notes a problem at `pointer` unless `holds`.
    pub fn check(&mut self, holds: bool, pointer: impl fmt::Display, detail: impl fmt::Display) {
        if !holds {
            self.add(pointer, detail);
        }
    }

    /// `value` if nothing was noted, else everything that was.
    pub fn into_result<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(self)
        }
    }
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, problem) in self.0.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", problem.pointer, problem.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// A JSON Pointer under construction; cheap to extend and to print.
#[derive(Clone, Copy, Debug)]
pub struct Pointer<'a> {
    parent: Option<&'a Pointer<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy, Debug)]
enum Step<'a> {
    Field(&'a str),
    Item(usize),
}

impl<'a> Pointer<'a> {
    /// `/field`.
    pub const fn root(field: &'a str) -> Self {
        Self {
            parent: None,
            step: Step::Field(field),
        }
    }

    /// `…/field`.
    pub const fn field(&'a self, field: &'a str) -> Pointer<'a> {
        Pointer {
            parent: Some(self),
            step: Step::Field(field),
        }
    }

    /// `…/item`.
    pub const fn item(&'a self, item: usize) -> Pointer<'a> {
        Pointer {
            parent: Some(self),
            step: Step::Item(item),
        }
    }
}

impl fmt::Display for Pointer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Field(field) => write!(f, "/{}", field.replace('~', "~0").replace('/', "~1")),
            Step::Item(item) => write!(f, "/{item}"),
        }
    }
}
