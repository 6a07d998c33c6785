//! What becomes of a content that is written: what is to be sealed is, and what was not changed keeps its seal.

use std::collections::HashMap;

use super::content::{Edit, MASK, find, firsts, form, open, replace, seal, token_of};
use super::{Binding, KeyRing, Nonce, SealError};
use crate::config::format::{Node, Parsed, Value, parse};

/// A content that is to be kept, and those before it.
#[derive(Clone, Copy, Debug)]
pub struct Admission<'a> {
    /// What is written.
    pub content: &'a Parsed,
    /// What the file has, the nearest first: a mask stands for the sealed value that the first of them has in its place.
    pub present: &'a [Parsed],
    /// The values that are to be sealed, as JSON Pointers. Those that are not there are passed over.
    pub pointers: &'a [String],
    /// With what, and for what.
    pub keys: &'a KeyRing,
    /// The file.
    pub binding: Binding<'a>,
}

/// A content as it is kept.
#[derive(Clone, Debug)]
pub struct Admitted {
    /// The text, in which nothing that is sealed can be read.
    pub text: String,
    /// The same with everything opened. Places are those in the text.
    pub opened: Node,
}

impl Admission<'_> {
    /// Seals what is to be sealed. A value that is what it was keeps its seal, so that nothing is a change that is none.
    ///
    /// # Errors
    /// A mask where nothing is sealed; a sealed value that does not open here; a place that cannot take a sealed value.
    pub fn admit(&self, nonces: &mut dyn FnMut() -> Nonce) -> Result<Admitted, SealError> {
        let format = self.content.format();
        let kept = replace(self.content, self.keep()?)?;
        let kept = parse(format, kept.as_bytes())?;
        let pointers: Vec<&str> = self.pointers.iter().map(String::as_str).collect();
        let text = seal(&kept, &pointers, self.keys, &self.binding, nonces)?;
        let sealed = parse(format, text.as_bytes())?;
        let opened = open(&sealed, self.keys, &self.binding)?;
        Ok(Admitted { text, opened })
    }

    /// The masks, and the values that are what they were: their seals stand for them.
    fn keep(&self) -> Result<Vec<Edit>, SealError> {
        let root = self.content.root().ok_or(SealError::NoValues)?;
        let known = self.known();
        let firsts = firsts(root);
        let mut edits: Vec<Edit> = Vec::new();
        let mut wrong = None;
        root.walk(&mut |pointer, node| {
            if firsts.get(&node.span).is_some_and(|first| first != pointer) {
                return false;
            }
            let is_mask = matches!(&node.value, Value::String(text) if text == MASK);
            let seal = known.get(pointer).filter(|seal| {
                let is_listed = self.pointers.iter().any(|listed| listed == pointer);
                is_mask || is_listed && self.is_same(pointer, seal, node)
            });
            match seal {
                Some(seal) => edits.push(Edit {
                    pointer: pointer.to_owned(),
                    span: node.span,
                    value: form(self.content.format(), seal.clone()),
                }),
                None if is_mask => {
                    wrong.get_or_insert_with(|| SealError::Masked {
                        pointer: pointer.to_owned(),
                        position: self.content.position(pointer),
                    });
                }
                None => return token_of(node).is_none(),
            }
            false
        });
        wrong.map_or(Ok(edits), Err)
    }

    /// The seals there are, by place.
    fn known(&self) -> HashMap<String, String> {
        let mut known = HashMap::new();
        for content in self.present {
            for sealed in find(content).unwrap_or_default() {
                known.entry(sealed.pointer).or_insert(sealed.token);
            }
        }
        known
    }

    fn is_same(&self, pointer: &str, seal: &str, node: &Node) -> bool {
        let opened = self.keys.open(seal, &self.binding.context(pointer));
        let plain = zeroize::Zeroizing::new(node.to_json().to_string());
        opened.is_ok_and(|opened| opened.expose() == plain.as_bytes())
    }
}
