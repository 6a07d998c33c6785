//! Layers over each other: what is shared, the service's own, the environment's, and what a gray release lays over them.
//!
//! Objects merge member by member, however deep; everything else is replaced whole, lists too; `null` takes a member away.
//! That is JSON Merge Patch (RFC 7396), applied layer by layer to an empty object. Properties have no `null`: a layer of
//! them cannot take a key away. Text and binary are one piece: the most specific layer wins whole.
//!
//! Where there is one layer only, nothing is merged and its bytes are the result as they were written.

use std::{collections::HashMap, sync::Arc};

use super::format::{Format, Member, Node, Parsed, Span, Value, join};
pub use super::origin::{Origin, Source};

/// One content among those that are merged.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Where it comes from.
    pub source: Arc<Source>,
    /// What it says.
    pub content: Arc<Parsed>,
}

/// What layers come to.
#[derive(Clone, Debug)]
pub enum Effective {
    /// The layer with this index, byte for byte: it is the only one, or one piece and the most specific.
    AsWritten(usize),
    /// Several layers, merged.
    Merged(Merged),
}

/// Several layers in one tree.
#[derive(Clone, Debug)]
pub struct Merged {
    /// The format of the most specific layer.
    pub format: Format,
    /// The result; the places of its values are in their layers' texts.
    pub root: Node,
    /// Where each value was written, in the order of the result.
    pub origins: Vec<Origin>,
}

/// Layers that do not go together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// There is none.
    #[error("there is nothing to merge")]
    Empty,
    /// Properties among layers whose keys are not flat.
    #[error(
        "{} is {below_format} and {} over it is {above_format}: keys of properties are flat, those of other formats are not; \
         write both in one format",
        below.config, above.config
    )]
    Mixed {
        /// The less specific layer.
        below: Source,
        /// Its format.
        below_format: Format,
        /// The more specific one.
        above: Source,
        /// Its format.
        above_format: Format,
    },
}

/// The first two neighbours among contents of these formats, the least specific first, that do not go together: one is
/// properties and the other is not. What is in one piece hides all below it.
pub fn mixed(formats: &[Format]) -> Option<(usize, usize)> {
    let piece = formats.iter().rposition(|format| !format.is_tree());
    let first = piece.map_or(0, |piece| piece + 1);
    let flat = |format: &Format| *format == Format::Properties;
    let trees = formats.get(first..).unwrap_or_default();
    let at = trees.windows(2).position(|pair| match pair {
        [below, above] => flat(below) != flat(above),
        _ => false,
    })?;
    Some((first + at, first + at + 1))
}

/// Lays `layers` over each other, the least specific first.
pub fn merge(layers: &[Layer]) -> Result<Effective, MergeError> {
    let (Some(last), more) = (layers.len().checked_sub(1), layers.len() > 1) else {
        return Err(MergeError::Empty);
    };
    // What is in one piece hides all below it.
    let piece = layers
        .iter()
        .rposition(|layer| layer.content.root().is_none());
    let first = piece.map_or(0, |piece| piece + 1);
    if !more || first >= last {
        return Ok(Effective::AsWritten(last));
    }
    let trees = layers.get(first..).unwrap_or_default();
    let formats: Vec<Format> = trees.iter().map(|layer| layer.content.format()).collect();
    if let Some((below, above)) = mixed(&formats)
        && let (Some(below), Some(above)) = (trees.get(below), trees.get(above))
    {
        return Err(MergeError::Mixed {
            below: Source::clone(&below.source),
            below_format: below.content.format(),
            above: Source::clone(&above.source),
            above_format: above.content.format(),
        });
    }
    let mut piece = Piece::object(0, Span::default());
    for (index, layer) in trees.iter().enumerate() {
        match layer.content.root() {
            // An empty YAML file says nothing.
            None
            | Some(Node {
                value: Value::Null, ..
            }) => {}
            Some(root) => piece.overlay(root, index),
        }
    }
    let mut origins = Vec::new();
    let root = piece.finish(trees, &mut String::new(), &mut origins);
    let format = trees
        .last()
        .map_or(Format::Json, |layer| layer.content.format());
    Ok(Effective::Merged(Merged {
        format,
        root,
        origins,
    }))
}

/// A value under construction, and the layer it is from.
struct Piece {
    layer: usize,
    span: Span,
    value: PieceValue,
}

enum PieceValue {
    /// Anything that is replaced whole.
    Whole(Value),
    Object(Members),
}

/// Members in the order in which they came; what was taken away leaves its place empty.
#[derive(Default)]
struct Members {
    list: Vec<Option<(Member, Piece)>>,
    known: HashMap<String, usize>,
}

impl Members {
    fn remove(&mut self, key: &str) {
        if let Some(place) = self.known.remove(key).and_then(|at| self.list.get_mut(at)) {
            *place = None;
        }
    }

    /// The piece under `member`'s key; a new, empty one where there is none.
    fn entry(&mut self, member: &Member, layer: usize) -> Option<&mut Piece> {
        let end = self.list.len();
        let at = *self.known.entry(member.key.clone()).or_insert(end);
        if at == end {
            let shell = Member {
                key: member.key.clone(),
                key_span: member.key_span,
                node: Node::default(),
            };
            let piece = Piece::object(layer, member.node.span);
            self.list.push(Some((shell, piece)));
        }
        self.list.get_mut(at)?.as_mut().map(|(_, piece)| piece)
    }
}

impl Piece {
    fn object(layer: usize, span: Span) -> Self {
        Self {
            layer,
            span,
            value: PieceValue::Object(Members::default()),
        }
    }

    fn overlay(&mut self, node: &Node, layer: usize) {
        (self.layer, self.span) = (layer, node.span);
        let Value::Object(members) = &node.value else {
            self.value = PieceValue::Whole(node.value.clone());
            return;
        };
        if let PieceValue::Whole(_) = self.value {
            self.value = PieceValue::Object(Members::default());
        }
        let PieceValue::Object(known) = &mut self.value else {
            return;
        };
        for member in members {
            if matches!(member.node.value, Value::Null) {
                known.remove(&member.key);
            } else if let Some(piece) = known.entry(member, layer) {
                piece.overlay(&member.node, layer);
            }
        }
    }

    fn finish(self, layers: &[Layer], at: &mut String, origins: &mut Vec<Origin>) -> Node {
        let here = at.len();
        let value = match self.value {
            PieceValue::Whole(value) => value,
            PieceValue::Object(members) => {
                let members = members
                    .list
                    .into_iter()
                    .flatten()
                    .map(|(mut member, piece)| {
                        join(at, &member.key);
                        member.node = piece.finish(layers, at, origins);
                        at.truncate(here);
                        member
                    });
                Value::Object(members.collect())
            }
        };
        let is_end = !matches!(&value, Value::Object(members) if !members.is_empty());
        if let (true, Some(layer)) = (is_end, layers.get(self.layer)) {
            origins.push(Origin {
                pointer: at.clone(),
                source: layer.source.clone(),
                position: layer.content.position_at(self.span.start as usize),
            });
        }
        Node {
            value,
            span: self.span,
        }
    }
}
