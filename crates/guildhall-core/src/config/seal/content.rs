//! Sealed values in content: found, sealed, opened and masked where they stand in the text.

use std::collections::HashMap;

use super::{KeyRing, Nonce, SealError, inline::inline, keys::Secret, token::Token};
use crate::config::format::{Format, Member, Node, Parsed, Span, Value, parse};

/// What is shown instead of a sealed value.
pub const MASK: &str = "******";

/// How an object that is a sealed value names it.
const FIELD: &str = "$sealed";

/// How a text that is a sealed value begins.
const PREFIX: &str = "sealed:";

/// What stands instead of a sealed value that is not what it was.
const CHANGED: &str = "****** (changed)";

/// What stands in every sealed value.
const MARK: &[u8] = b"v1:";

/// Whether there may be a sealed value in a content; most have none, and need not be parsed to be told so.
pub fn may_have(content: &[u8]) -> bool {
    memchr::memmem::find(content, MARK).is_some()
}

/// What a sealed value is sealed for, beside its pointer: it opens nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binding<'a> {
    /// The namespace.
    pub namespace: &'a str,
    /// The service.
    pub service: &'a str,
    /// The environment.
    pub environment: &'a str,
    /// The file.
    pub file: &'a str,
}

impl Binding<'_> {
    /// All of it with its lengths, so that no two bindings read the same.
    pub(super) fn context(&self, pointer: &str) -> Vec<u8> {
        let mut context = b"guildhall sealed value v1".to_vec();
        for part in [
            self.namespace,
            self.service,
            self.environment,
            self.file,
            pointer,
        ] {
            context.extend((part.len() as u64).to_le_bytes());
            context.extend(part.as_bytes());
        }
        context
    }
}

/// A sealed value in a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedValue {
    /// Where it is, as a JSON Pointer; behind YAML aliases the first place only.
    pub pointer: String,
    /// Where it stands in the text.
    pub span: Span,
    /// The id of the key that sealed it.
    pub key: String,
    pub(super) token: String,
}

/// The sealed values of a content; content without values has none.
///
/// # Errors
/// One that is malformed.
pub fn find(content: &Parsed) -> Result<Vec<SealedValue>, SealError> {
    let mut found: Vec<SealedValue> = Vec::new();
    let mut wrong = None;
    let Some(root) = content.root() else {
        return Ok(found);
    };
    let firsts = firsts(root);
    root.walk(&mut |pointer, node| {
        let Some(token) = token_of(node) else {
            return true;
        };
        match token
            .and_then(Token::parse)
            .map(|parsed| parsed.key.to_owned())
        {
            // Behind an alias it is the value that was seen before.
            Some(_) if firsts.get(&node.span).is_some_and(|first| first != pointer) => {}
            Some(key) => found.push(SealedValue {
                pointer: pointer.to_owned(),
                span: node.span,
                key,
                token: token.unwrap_or_default().to_owned(),
            }),
            None => {
                wrong.get_or_insert_with(|| SealError::Malformed {
                    pointer: pointer.to_owned(),
                    position: content.position(pointer),
                });
            }
        }
        false
    });
    wrong.map_or(Ok(found), Err)
}

/// What a node that is meant as a sealed value says: `None` where it is none, `Some(None)` where it is no text.
pub(super) fn token_of(node: &Node) -> Option<Option<&str>> {
    match &node.value {
        Value::String(text) => text
            .strip_prefix(PREFIX)
            .filter(|token| token.starts_with("v1:"))
            .map(Some),
        Value::Object(members) if members.iter().any(|member| member.key == FIELD) => {
            match members.as_slice() {
                [
                    Member {
                        node:
                            Node {
                                value: Value::String(token),
                                ..
                            },
                        ..
                    },
                ] => Some(Some(token)),
                _ => Some(None),
            }
        }
        _ => None,
    }
}

/// The first pointer of each place in the text: what an alias names is at several.
pub(super) fn firsts(root: &Node) -> HashMap<Span, String> {
    let mut firsts = HashMap::new();
    root.walk(&mut |pointer, node| {
        firsts
            .entry(node.span)
            .or_insert_with(|| pointer.to_owned());
        true
    });
    firsts
}

/// The text with the values at `pointers` sealed, for `binding` and with the current key. What is sealed already and what
/// is not there is passed over.
pub fn seal(
    content: &Parsed,
    pointers: &[&str],
    keys: &KeyRing,
    binding: &Binding<'_>,
    nonces: &mut dyn FnMut() -> Nonce,
) -> Result<String, SealError> {
    let root = content.root().ok_or(SealError::NoValues)?;
    let sealed = find(content)?;
    let firsts = firsts(root);
    let mut edits: Vec<Edit> = Vec::new();
    for pointer in pointers {
        let Some(node) = root.get(pointer) else {
            continue;
        };
        let pointer = firsts.get(&node.span).map_or(*pointer, String::as_str);
        let within = |outer: &str| {
            pointer
                .strip_prefix(outer)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        if sealed.iter().any(|value| within(&value.pointer))
            || edits.iter().any(|edit| within(&edit.pointer))
        {
            continue;
        }
        // Masked, the file would be one text, which is no YAML that is taken.
        if pointer.is_empty() && content.format() == Format::Yaml {
            return Err(SealError::InPlace {
                pointer: String::new(),
                position: content.position(""),
            });
        }
        let below = format!("{pointer}/");
        edits.retain(|edit| !edit.pointer.starts_with(&below));
        let plain = zeroize::Zeroizing::new(node.to_json().to_string());
        let token = keys.seal(plain.as_bytes(), &binding.context(pointer), nonces())?;
        edits.push(Edit {
            pointer: pointer.to_owned(),
            span: node.span,
            value: form(content.format(), token),
        });
    }
    replace(content, edits)
}

/// The text with every sealed value sealed anew with the current key, for another binding (content that is promoted) or
/// the same (keys that are rotated).
pub fn reseal(
    content: &Parsed,
    keys: &KeyRing,
    from: &Binding<'_>,
    to: &Binding<'_>,
    nonces: &mut dyn FnMut() -> Nonce,
) -> Result<String, SealError> {
    let mut edits = Vec::new();
    for sealed in find(content)? {
        let plain = opened(content, &sealed, keys, from)?;
        let token = keys.seal(plain.expose(), &to.context(&sealed.pointer), nonces())?;
        edits.push(Edit {
            value: form(content.format(), token),
            pointer: sealed.pointer,
            span: sealed.span,
        });
    }
    replace(content, edits)
}

/// The tree with every sealed value opened. Places are those in the text as it is.
pub fn open(content: &Parsed, keys: &KeyRing, binding: &Binding<'_>) -> Result<Node, SealError> {
    let mut root = content.root().cloned().ok_or(SealError::NoValues)?;
    let edits = opening(content, keys, binding)?;
    put(&mut root, &by_span(&edits));
    Ok(root)
}

/// The text with every sealed value opened where it stands.
pub fn open_text(
    content: &Parsed,
    keys: &KeyRing,
    binding: &Binding<'_>,
) -> Result<String, SealError> {
    let edits = opening(content, keys, binding)?;
    replace(content, edits)
}

/// The text with [`MASK`] instead of every sealed value. Needs no key.
pub fn mask(content: &Parsed) -> Result<String, SealError> {
    let edits = find(content)?.into_iter().map(|sealed| Edit {
        pointer: sealed.pointer,
        span: sealed.span,
        value: Value::String(MASK.to_owned()),
    });
    replace(content, edits.collect())
}

/// As [`mask`], but a sealed value that `before` has in the same place and that is not the same says so. Without `keys` it is
/// the same where its seal is.
pub fn mask_against(
    content: &Parsed,
    binding: &Binding<'_>,
    (before, before_binding): (&Parsed, &Binding<'_>),
    keys: Option<&KeyRing>,
) -> Result<String, SealError> {
    let known = find(before).unwrap_or_default();
    let edits = find(content)?.into_iter().map(|sealed| {
        let other = known.iter().find(|other| other.pointer == sealed.pointer);
        let changed = other.is_some_and(|other| {
            let is_same = other.token == sealed.token
                || keys.is_some_and(|keys| {
                    let old = opened(before, other, keys, before_binding);
                    let new = opened(content, &sealed, keys, binding);
                    matches!((old, new), (Ok(old), Ok(new)) if old.expose() == new.expose())
                });
            !is_same
        });
        Edit {
            pointer: sealed.pointer,
            span: sealed.span,
            value: Value::String(if changed { CHANGED } else { MASK }.to_owned()),
        }
    });
    replace(content, edits.collect())
}

fn opening(
    content: &Parsed,
    keys: &KeyRing,
    binding: &Binding<'_>,
) -> Result<Vec<Edit>, SealError> {
    let mut edits = Vec::new();
    for sealed in find(content)? {
        let plain = opened(content, &sealed, keys, binding)?;
        // This parser keeps every digit.
        let value = parse(Format::Json, plain.expose()).ok();
        let value = value.and_then(|parsed| parsed.root().cloned());
        let value = value.ok_or_else(|| SealError::Refused {
            position: content.position(&sealed.pointer),
            pointer: sealed.pointer.clone(),
        })?;
        edits.push(Edit {
            pointer: sealed.pointer,
            span: sealed.span,
            value: value.value,
        });
    }
    Ok(edits)
}

fn opened(
    content: &Parsed,
    sealed: &SealedValue,
    keys: &KeyRing,
    binding: &Binding<'_>,
) -> Result<Secret, SealError> {
    let opened = keys.open(&sealed.token, &binding.context(&sealed.pointer));
    opened.map_err(|mut error| {
        if let SealError::UnknownKey {
            pointer, position, ..
        }
        | SealError::Refused { pointer, position }
        | SealError::Malformed { pointer, position } = &mut error
        {
            pointer.clone_from(&sealed.pointer);
            *position = content.position(&sealed.pointer);
        }
        error
    })
}

/// A sealed value as its format writes it.
pub(super) fn form(format: Format, token: String) -> Value {
    if matches!(format, Format::Json | Format::Yaml) {
        return Value::Object(vec![Member {
            key: FIELD.to_owned(),
            key_span: Span::default(),
            node: Node::of(Value::String(token)),
        }]);
    }
    Value::String([PREFIX, &token].concat())
}

/// Another value for what stands at a place.
pub(super) struct Edit {
    pub(super) pointer: String,
    pub(super) span: Span,
    pub(super) value: Value,
}

fn by_span(edits: &[Edit]) -> HashMap<Span, &Value> {
    edits.iter().map(|edit| (edit.span, &edit.value)).collect()
}

/// Puts the values into a tree, at every place that an alias gives them too.
fn put(node: &mut Node, values: &HashMap<Span, &Value>) {
    if let Some(value) = values.get(&node.span) {
        node.value = Value::clone(value);
        return;
    }
    match &mut node.value {
        Value::Array(items) => items.iter_mut().for_each(|item| put(item, values)),
        Value::Object(members) => members
            .iter_mut()
            .for_each(|member| put(&mut member.node, values)),
        _ => {}
    }
}

/// The text with other values in it. What comes out is read again and must be the tree that is wanted: a place that cannot
/// take its value is told, never written wrongly.
pub(super) fn replace(content: &Parsed, mut edits: Vec<Edit>) -> Result<String, SealError> {
    let (Some(text), Some(root)) = (content.text(), content.root()) else {
        return content.text().map(str::to_owned).ok_or(SealError::NoValues);
    };
    edits.sort_by_key(|edit| edit.span.start);
    let in_place = |edit: &Edit| SealError::InPlace {
        pointer: edit.pointer.clone(),
        position: content.position(&edit.pointer),
    };
    let mut written = String::with_capacity(text.len());
    let mut at = 0;
    for edit in &edits {
        let old = text.get(edit.span.range()).unwrap_or_default();
        // A block scalar takes the line break behind it, which stays.
        let kept = if content.format() == Format::Yaml {
            old.trim_end()
        } else {
            old
        };
        let new = inline(content.format(), &Node::of(edit.value.clone()));
        let new = new.map_err(|_| in_place(edit))?;
        let start = edit.span.start as usize;
        let before = text.get(at..start).ok_or_else(|| in_place(edit))?;
        written.push_str(before);
        written.push_str(gap(content.format(), text, start, kept));
        written.push_str(&new);
        at = start + kept.len();
    }
    written.push_str(text.get(at..).unwrap_or_default());
    let mut wanted = root.clone();
    put(&mut wanted, &by_span(&edits));
    let is_wanted = |parsed: &Parsed| parsed.root() == Some(&wanted);
    match (parse(content.format(), written.as_bytes()), edits.first()) {
        (Ok(parsed), _) if is_wanted(&parsed) => Ok(written),
        (Err(error), _) if error.position.is_none() => Err(error.into()),
        (_, Some(edit)) => Err(in_place(
            edits
                .iter()
                .find(|edit| is_alone_wrong(content, edit))
                .unwrap_or(edit),
        )),
        (Err(error), None) => Err(error.into()),
        (Ok(_), None) => Err(SealError::NoValues),
    }
}

/// What keeps a value from the anchor or the colon before it, where nothing was written: in YAML that is null.
fn gap(format: Format, text: &str, start: usize, old: &str) -> &'static str {
    let before = text.get(..start).unwrap_or_default();
    let touches = !before.is_empty() && !before.ends_with(char::is_whitespace);
    match format == Format::Yaml && old.is_empty() && touches {
        true => " ",
        false => "",
    }
}

/// Whether this value alone cannot be where it should.
fn is_alone_wrong(content: &Parsed, edit: &Edit) -> bool {
    let (Some(text), Some(root)) = (content.text(), content.root()) else {
        return true;
    };
    let Ok(new) = inline(content.format(), &Node::of(edit.value.clone())) else {
        return true;
    };
    let start = edit.span.start as usize;
    let old = text.get(edit.span.range()).unwrap_or_default();
    let kept = if content.format() == Format::Yaml {
        old.trim_end()
    } else {
        old
    };
    let new = [gap(content.format(), text, start, kept), &new].concat();
    let mut written = text.to_owned();
    written.replace_range(start..start + kept.len(), &new);
    let mut wanted = root.clone();
    put(&mut wanted, &HashMap::from([(edit.span, &edit.value)]));
    parse(content.format(), written.as_bytes())
        .map_or(true, |parsed| parsed.root() != Some(&wanted))
}
