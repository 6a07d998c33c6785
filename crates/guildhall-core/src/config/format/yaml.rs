//! YAML 1.2 with a place for each value, by its core schema: `no` is a text, `0o17` is 15.
//!
//! Anchors and aliases are expanded within bounds, merge keys (`<<`) are honoured though YAML 1.2 no longer has them:
//! configuration is full of them. What other readers disagree about is refused: other tags, directives, several
//! documents in a file, keys that are no scalars.

use std::{borrow::Cow, collections::HashMap};

use granit_parser::{
    ErrorKind, Event, Options, Parser, ScalarStyle, Span as Marks, StructureStyle, Tag,
};

use super::{
    Node, ParseError, Span, Value,
    build::{Members, Path, check_depth, twice},
    parsed::{MAX_BYTES, MAX_DEPTH},
    scalar,
};

/// How much anchors and aliases may add to what is read, in bytes of memory.
const MAX_EXPANSION: usize = 32 * MAX_BYTES;

/// Reads one YAML document; an empty one is null.
pub(super) fn parse(text: &str) -> Result<Node, ParseError> {
    let mut options = Options::default();
    options.disallow_directives = true;
    options.flow_nesting_limit = MAX_DEPTH;
    options.block_nesting_limit = MAX_DEPTH;
    let mut builder = Builder {
        text,
        frames: Vec::new(),
        path: Path::default(),
        anchors: HashMap::new(),
        expansion: 0,
        root: None,
    };
    for event in Parser::new_from_str_with_options(text, options) {
        let (event, marks) = event.map_err(|error| {
            let at = error.marker().byte_offset();
            let at = at.unwrap_or_else(|| byte_of(text, error.marker().index()));
            ParseError::at(text, at, explain(error.kind(), &error.info()))
                .within(builder.path.as_str())
        })?;
        builder.take(event, &marks)?;
    }
    let root = builder.root.unwrap_or_default();
    if let Value::String(_) = root.value {
        return Err(ParseError::at(
            text,
            root.span.start as usize,
            "the file is one text, no keys and values; write `key: value` with a space behind the colon, or give it the format text",
        ));
    }
    Ok(root)
}

/// The byte at which the character with this number begins.
fn byte_of(text: &str, index: usize) -> usize {
    text.char_indices()
        .nth(index)
        .map_or(text.len(), |(at, _)| at)
}

/// Where the `|` or `>` stands that begins a block scalar: the parser tells where its first line does.
fn header(text: &str, span: Span) -> Option<u32> {
    let before = text.get(..span.start as usize)?;
    let mut end = before.rfind('\n')?;
    loop {
        let start = before.get(..end)?.rfind('\n').map_or(0, |at| at + 1);
        let line = before.get(start..end)?;
        if line.trim().is_empty() {
            end = start.checked_sub(1)?;
            continue;
        }
        let begins = |at: &usize| {
            let rest = line.get(at + 1..).unwrap_or_default();
            let rest =
                rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '+' || c == '-');
            rest.trim().is_empty()
                || rest.trim_start().starts_with('#') && rest.starts_with([' ', '\t'])
        };
        let mut candidates = line.match_indices(['|', '>']).map(|(at, _)| at);
        let at = candidates.find(begins)?;
        return u32::try_from(start + at).ok();
    }
}

/// The parser's words, with the next move where it is not in them.
fn explain(kind: &ErrorKind, info: &str) -> String {
    let lower = info.to_lowercase();
    let remedy = if lower.contains("tab") {
        "indent with spaces"
    } else if lower.contains("directive") {
        "take the line that begins with % out; files are read as YAML 1.2"
    } else if lower.contains("anchor") || lower.contains("alias") {
        "define it with & before it is used with *"
    } else if lower.contains("nest") || lower.contains("depth") || lower.contains("recursion") {
        return format!("{info}; write it flatter: {MAX_DEPTH} levels are the most");
    } else if lower.contains("mapping values are not allowed") {
        "write a text that has a colon and a space in it in quotes"
    } else if lower.contains("quoted") || lower.contains("escape") {
        "close the quotes, and write a backslash as \\\\ in double ones"
    } else {
        "look at the indentation and at quotes and brackets that are not closed"
    };
    if info.is_empty() {
        return format!("not YAML ({kind:?}); {remedy}");
    }
    format!("{info}; {remedy}")
}

struct Builder<'a> {
    text: &'a str,
    frames: Vec<Frame>,
    path: Path,
    /// What each anchor's number names, with its weight and how deep it is.
    anchors: HashMap<usize, (Node, Weight)>,
    expansion: usize,
    root: Option<Node>,
}

/// How much memory a tree takes, roughly, and how many lists and objects stand in each other in it.
#[derive(Clone, Copy)]
struct Weight {
    bytes: usize,
    depth: usize,
}

struct Frame {
    kind: Collection,
    start: usize,
    flow: bool,
    anchor: usize,
}

enum Collection {
    Sequence(Vec<Node>),
    Mapping {
        members: Members,
        /// What `<<` named, in order.
        merged: Vec<Node>,
        key: Option<(Key, Span)>,
    },
}

enum Key {
    Plain(String),
    Merge,
}

impl<'a> Builder<'a> {
    fn refuse(&self, at: usize, detail: &str) -> ParseError {
        ParseError::at(self.text, at, detail).within(self.path.as_str())
    }

    fn take(&mut self, event: Event<'a>, marks: &Marks) -> Result<(), ParseError> {
        let mut span = self.span(marks);
        if let Event::Scalar(_, ScalarStyle::Literal | ScalarStyle::Folded, ..) = event {
            span.start = header(self.text, span).unwrap_or(span.start);
        }
        let start = span.start as usize;
        match event {
            Event::DocumentStart(..) if self.root.is_some() => Err(self.refuse(
                start,
                "a second document begins here; a file holds one: make each a file of its own",
            )),
            Event::Scalar(text, style, anchor, tag) => {
                let is_merge = text == "<<" && style == ScalarStyle::Plain && tag.is_none();
                if let Some(key) = self.wants_key() {
                    if is_merge {
                        *key = Some((Key::Merge, span));
                        self.path.enter("<<");
                        return Ok(());
                    }
                    let null = style == ScalarStyle::Plain && span.start == span.end;
                    if null {
                        return Err(self.refuse(start, "a key is missing before the colon; write \"\" if it is meant to be empty"));
                    }
                    if anchor != 0 {
                        let value = Value::String(text.clone().into_owned());
                        self.remember(anchor, &Node { value, span })?;
                    }
                    return self.key(text, span);
                }
                self.enter_item();
                let value = self.scalar(text, style, tag, start)?;
                self.leave_item();
                let node = Node { value, span };
                self.remember(anchor, &node)?;
                self.attach(node)
            }
            Event::SequenceStart(style, anchor, tag) => {
                self.open(Collection::Sequence(Vec::new()), style, anchor, tag, start)
            }
            Event::MappingStart(style, anchor, tag) => {
                let mapping = Collection::Mapping {
                    members: Members::default(),
                    merged: Vec::new(),
                    key: None,
                };
                self.open(mapping, style, anchor, tag, start)
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span.end as usize),
            Event::Alias(anchor) => self.alias(anchor, span),
            _ => Ok(()),
        }
    }

    /// The bytes of an event, its tag with it.
    fn span(&self, marks: &Marks) -> Span {
        let range = marks.byte_range().unwrap_or_default();
        let tag = marks.tag_start().and_then(|mark| mark.byte_offset());
        Span::new(
            tag.map_or(range.start, |tag| tag.min(range.start)),
            range.end,
        )
    }

    /// Where the key that is missing next goes, if one is.
    fn wants_key(&mut self) -> Option<&mut Option<(Key, Span)>> {
        match self.frames.last_mut() {
            Some(Frame {
                kind: Collection::Mapping { key, .. },
                ..
            }) if key.is_none() => Some(key),
            _ => None,
        }
    }

    fn key(&mut self, text: Cow<'_, str>, span: Span) -> Result<(), ParseError> {
        self.path.enter(&text);
        let Some(Frame {
            kind: Collection::Mapping { key, members, .. },
            ..
        }) = self.frames.last_mut()
        else {
            return Ok(());
        };
        if let Some(first) = members.get(&text) {
            let error = twice(self.text, &text, first.key_span, span.start as usize);
            return Err(error.within(self.path.as_str()));
        }
        *key = Some((Key::Plain(text.into_owned()), span));
        Ok(())
    }

    fn scalar(
        &self,
        text: Cow<'_, str>,
        style: ScalarStyle,
        tag: Option<Cow<'_, Tag>>,
        at: usize,
    ) -> Result<Value, ParseError> {
        let Some(tag) = tag else {
            if style != ScalarStyle::Plain {
                return Ok(Value::String(text.into_owned()));
            }
            return scalar::plain(&text).map_err(|detail| self.refuse(at, detail));
        };
        if tag.is_yaml_core_schema_tag("str") || tag.to_string() == "!" {
            return Ok(Value::String(text.into_owned()));
        }
        let value = scalar::plain(&text).map_err(|detail| self.refuse(at, detail))?;
        match value {
            Value::Null if tag.is_yaml_core_schema_tag("null") => Ok(value),
            Value::Bool(_) if tag.is_yaml_core_schema_tag("bool") => Ok(value),
            Value::Number(ref number)
                if tag.is_yaml_core_schema_tag("int") && !number.is_f64()
                    || tag.is_yaml_core_schema_tag("float") =>
            {
                Ok(value)
            }
            _ => Err(self.refuse_tag(&tag, at)),
        }
    }

    fn refuse_tag(&self, tag: &Tag, at: usize) -> ParseError {
        self.refuse(
            at,
            &format!("the tag {tag} does not fit here or is not known; leave tags out, and write texts in quotes"),
        )
    }

    fn open(
        &mut self,
        kind: Collection,
        style: StructureStyle,
        anchor: usize,
        tag: Option<Cow<'_, Tag>>,
        start: usize,
    ) -> Result<(), ParseError> {
        if self.wants_key().is_some() {
            return Err(self.refuse(start, "a list or an object cannot be a key; write a text"));
        }
        if let Some(tag) = tag {
            let fits = match kind {
                Collection::Sequence(_) => tag.is_yaml_core_schema_tag("seq"),
                Collection::Mapping { .. } => tag.is_yaml_core_schema_tag("map"),
            };
            if !fits {
                return Err(self.refuse_tag(&tag, start));
            }
        }
        check_depth(self.text, start, self.frames.len() + 1)
            .map_err(|e| e.within(self.path.as_str()))?;
        self.enter_item();
        self.frames.push(Frame {
            kind,
            start,
            flow: matches!(style, StructureStyle::Flow),
            anchor,
        });
        Ok(())
    }

    /// The path enters an item when it begins; it entered a member with its key.
    fn enter_item(&mut self) {
        if let Some(Frame {
            kind: Collection::Sequence(items),
            ..
        }) = self.frames.last()
        {
            self.path.enter(&items.len().to_string());
        }
    }

    fn close(&mut self, end: usize) -> Result<(), ParseError> {
        let Some(frame) = self.frames.pop() else {
            return Ok(());
        };
        let (value, last) = match frame.kind {
            Collection::Sequence(items) => {
                let last = items.last().map(|item| item.span.end);
                (Value::Array(items), last)
            }
            Collection::Mapping {
                mut members,
                merged,
                ..
            } => {
                let last = members
                    .last()
                    .map(|member| member.node.span.end.max(member.key_span.end));
                for source in merged {
                    let Value::Object(list) = source.value else {
                        continue;
                    };
                    for member in list {
                        if members.get(&member.key).is_none() {
                            members.push(member.key, member.key_span, member.node);
                        }
                    }
                }
                (Value::Object(members.into_list()), last)
            }
        };
        // A block ends where the next thing begins, comments and all: its last value's end says more. An alias' value
        // stands elsewhere, before it.
        let last = last
            .map(|last| last as usize)
            .filter(|last| *last > frame.start);
        let end = if frame.flow { end } else { last.unwrap_or(end) };
        let node = Node {
            value,
            span: Span::new(frame.start, end.max(frame.start)),
        };
        self.remember(frame.anchor, &node)?;
        self.leave_item();
        self.attach(node)
    }

    fn leave_item(&mut self) {
        if let Some(Frame {
            kind: Collection::Sequence(_),
            ..
        }) = self.frames.last()
        {
            self.path.leave();
        }
    }

    fn remember(&mut self, anchor: usize, node: &Node) -> Result<(), ParseError> {
        if anchor != 0 {
            let weight = weigh(node);
            self.expand(weight, node.span.start as usize)?;
            self.anchors.insert(anchor, (node.clone(), weight));
        }
        Ok(())
    }

    /// Counts a copy of what an anchor names.
    fn expand(&mut self, weight: Weight, at: usize) -> Result<(), ParseError> {
        self.expansion = self.expansion.saturating_add(weight.bytes);
        if self.expansion > MAX_EXPANSION {
            return Err(self.refuse(at, "anchors and aliases make this file many times its size; write it with fewer of them"));
        }
        Ok(())
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), ParseError> {
        let start = span.start as usize;
        self.enter_item();
        let Some(weight) = self.anchors.get(&anchor).map(|(_, weight)| *weight) else {
            return Err(self.refuse(
                start,
                "this stands within what it names; write the value out",
            ));
        };
        self.expand(weight, start)?;
        check_depth(self.text, start, self.frames.len() + weight.depth)
            .map_err(|e| e.within(self.path.as_str()))?;
        let Some(node) = self.anchors.get(&anchor).map(|(node, _)| node.clone()) else {
            return Ok(());
        };
        self.leave_item();
        if self.wants_key().is_none() {
            return self.attach(node);
        }
        match node.value {
            Value::String(text) => self.key(text.into(), span),
            _ => Err(self.refuse(start, "this names a value that is no text; a key is a text")),
        }
    }

    /// Puts a value where the frame above wants it.
    fn attach(&mut self, node: Node) -> Result<(), ParseError> {
        let Some(frame) = self.frames.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        match &mut frame.kind {
            Collection::Sequence(items) => items.push(node),
            Collection::Mapping {
                members,
                merged,
                key,
            } => {
                match key.take() {
                    Some((Key::Plain(key), key_span)) => members.push(key, key_span, node),
                    Some((Key::Merge, key_span)) => match node.value {
                        Value::Object(_) => merged.push(node),
                        Value::Array(items)
                            if items
                                .iter()
                                .all(|item| matches!(item.value, Value::Object(_))) =>
                        {
                            merged.extend(items);
                        }
                        _ => {
                            return Err(self.refuse(
                                key_span.start as usize,
                                "<< takes in the members of an object, or of a list of them; write \"<<\" in quotes if it is meant as a key",
                            ));
                        }
                    },
                    None => {}
                }
                self.path.leave();
            }
        }
        Ok(())
    }
}

fn weigh(node: &Node) -> Weight {
    let own = size_of::<Node>();
    match &node.value {
        Value::String(text) => Weight {
            bytes: own + text.len(),
            depth: 0,
        },
        Value::Array(items) => {
            let weights = items.iter().map(weigh);
            weights.fold(
                Weight {
                    bytes: own,
                    depth: 1,
                },
                add,
            )
        }
        Value::Object(members) => {
            let weights = members.iter().map(|member| {
                let Weight { bytes, depth } = weigh(&member.node);
                Weight {
                    bytes: bytes + size_of_val(member) + member.key.len(),
                    depth,
                }
            });
            weights.fold(
                Weight {
                    bytes: own,
                    depth: 1,
                },
                add,
            )
        }
        _ => Weight {
            bytes: own,
            depth: 0,
        },
    }
}

fn add(sum: Weight, inner: Weight) -> Weight {
    Weight {
        bytes: sum.bytes + inner.bytes,
        depth: sum.depth.max(inner.depth + 1),
    }
}
