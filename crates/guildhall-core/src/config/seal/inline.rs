//! A single value as text of a format.

use crate::config::format::{Format, Node, RenderError, Value};
use crate::config::format::{properties, render::quoted, render::toml_value};

/// A value in one line, to stand where another one stood.
pub(super) fn inline(format: Format, node: &Node) -> Result<String, RenderError> {
    match format {
        Format::Json | Format::Yaml => {
            let mut out = String::new();
            flow(&mut out, node);
            Ok(out)
        }
        Format::Toml => {
            let mut out = String::new();
            toml_value(&mut out, node, &mut String::new())?;
            Ok(out)
        }
        Format::Properties => match &node.value {
            Value::String(text) => Ok(properties::escape_value(text)),
            _ => Err(RenderError {
                format,
                pointer: String::new(),
                detail: "a value is a text",
            }),
        },
        Format::Text | Format::Binary => Err(RenderError {
            format,
            pointer: String::new(),
            detail: "it has no values",
        }),
    }
}

/// A value as JSON, in words that YAML reads the same.
fn flow(out: &mut String, node: &Node) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => out.push_str(&number.to_string()),
        Value::String(text) => out.push_str(&quoted(text)),
        Value::Array(items) => {
            out.push('[');
            for (n, item) in items.iter().enumerate() {
                out.push_str(if n > 0 { ", " } else { "" });
                flow(out, item);
            }
            out.push(']');
        }
        Value::Object(members) => {
            out.push('{');
            for (n, member) in members.iter().enumerate() {
                out.push_str(if n > 0 { ", " } else { "" });
                out.push_str(&quoted(&member.key));
                out.push_str(": ");
                flow(out, &member.node);
            }
            out.push('}');
        }
    }
}
