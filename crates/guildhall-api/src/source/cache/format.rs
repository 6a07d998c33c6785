//! The bytes of a copy. Pure.

use guildhall_core::document::{Document, Index, Kind};
use serde::{Deserialize, Serialize};

use super::Cached;
use crate::{client::WatchScope, wire};

/// What a copy begins with; the number is the format's version.
const MAGIC: &str = "guildhall-cache 1";
/// What stands between a scope's kinds and the rest of it.
const WITHIN: &str = " in ";

#[derive(Serialize, Deserialize)]
struct Head {
    scope: String,
    index: Index,
}

/// Why bytes make no copy.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unusable {
    Damaged(String),
    Foreign(String),
}

/// What is watched, in words that are equal if and only if the scopes are.
pub(super) fn scope(scope: &WatchScope) -> String {
    let mut kinds: Vec<&str> = scope.kinds.iter().map(|kind| kind.plural()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let namespace = scope
        .namespace
        .as_ref()
        .map_or("-", |namespace| namespace.as_str());
    let service = scope
        .service
        .as_ref()
        .map_or("-", |service| service.as_str());
    format!("{}{WITHIN}{namespace} of {service}", kinds.join(","))
}

/// Of `own`, the kinds that are watched, if a copy of `written` is of the same namespace and service. It may be of other
/// kinds, as an older or newer version watches fewer or more: what it has of `own` is of use, and who follows asks for
/// everything anyway.
fn shared<'s>(own: &'s str, written: &str) -> Option<&'s str> {
    let (kinds, of) = own.split_once(WITHIN)?;
    let (_, written_of) = written.split_once(WITHIN)?;
    (of == written_of).then_some(kinds)
}

pub(super) fn write<'a>(
    scope: &str,
    index: Index,
    documents: impl IntoIterator<Item = &'a Document>,
) -> Result<Vec<u8>, serde_json::Error> {
    let mut body = serde_json::to_vec(&Head {
        scope: scope.to_owned(),
        index,
    })?;
    body.push(b'\n');
    for document in documents {
        serde_json::to_writer(&mut body, document)?;
        body.push(b'\n');
    }
    let mut bytes = format!("{MAGIC} {:08x} {}\n", crc32c::crc32c(&body), body.len()).into_bytes();
    bytes.append(&mut body);
    Ok(bytes)
}

pub(super) fn read(bytes: &[u8], scope: &str) -> Result<Cached, Unusable> {
    let damaged = |cause: &str| Unusable::Damaged(cause.to_owned());
    let end = bytes
        .iter()
        .take(80)
        .position(|b| *b == b'\n')
        .ok_or_else(|| damaged("no first line"))?;
    let first = std::str::from_utf8(&bytes[..end]).map_err(|_| damaged("no first line"))?;
    let Some(rest) = first
        .strip_prefix(MAGIC)
        .and_then(|rest| rest.strip_prefix(' '))
    else {
        return Err(match first.starts_with("guildhall-cache ") {
            true => Unusable::Foreign(format!("its format is {first:?}")),
            false => damaged("it does not begin as a copy does"),
        });
    };
    let (checksum, length) = rest.split_once(' ').ok_or_else(|| damaged("no length"))?;
    let body = &bytes[end + 1..];
    if length.parse() != Ok(body.len()) {
        return Err(damaged("its length is wrong"));
    }
    if u32::from_str_radix(checksum, 16) != Ok(crc32c::crc32c(body)) {
        return Err(damaged("its checksum is wrong"));
    }
    let body = std::str::from_utf8(body).map_err(|_| damaged("it is not text"))?;
    let mut lines = body.lines();
    let head = lines.next().unwrap_or_default();
    let head: Head =
        serde_json::from_str(head).map_err(|error| Unusable::Foreign(error.to_string()))?;
    let foreign = || Unusable::Foreign(format!("it is of {}", head.scope));
    let kinds = shared(scope, &head.scope).ok_or_else(foreign)?;
    let watched = |kind: Kind| kinds.is_empty() || kinds.split(',').any(|own| own == kind.plural());
    let mut cached = Cached {
        index: head.index,
        ..Cached::default()
    };
    for line in lines {
        match wire::read_document(line) {
            Ok(document) if !watched(document.kind()) => {}
            Ok(document) => cached.documents.push(document),
            Err(error) => {
                tracing::warn!(%error, "a document of the copy on disk is passed over");
                cached.skipped += 1;
            }
        }
    }
    Ok(cached)
}

#[cfg(test)]
mod tests {
    use guildhall_core::{
        document::{Metadata, Namespace, Object},
        registry::Service,
    };

    use super::*;

    const ALL: &str = "services in - of -";

    fn document(name: &str) -> Document {
        Object::new(
            Metadata::named(Namespace::default(), name),
            Service::default(),
        )
        .into()
    }

    #[test]
    fn a_copy_reads_back_and_no_change_of_it_does() {
        let documents = vec![document("a"), document("b")];
        let index = Index {
            incarnation: 4,
            revision: 17,
        };
        let bytes = write(ALL, index, &documents).unwrap();
        let skipped = 0;
        assert_eq!(
            read(&bytes, ALL),
            Ok(Cached {
                index,
                documents,
                skipped
            })
        );
        assert!(matches!(
            read(&bytes, "services in a of -"),
            Err(Unusable::Foreign(_))
        ));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 0x01;
            assert!(read(&changed, ALL).is_err(), "byte {at} changed");
            assert!(read(&bytes[..at], ALL).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn documents_of_a_newer_version_are_read_as_far_as_they_are_known() {
        let (known, index) = (document("a"), Index::default());
        let served = serde_json::to_value(&known).unwrap();
        let mut newer = served.clone();
        newer["metadata"]["nextField"] = true.into();
        newer["spec"]["nextField"] = true.into();
        let mut unread = served;
        unread["kind"] = "Teapot".into();
        let head = serde_json::json!({"scope": ALL, "index": index, "nextField": 1});
        let body = format!("{head}\n{newer}\n{unread}\n");
        let crc = crc32c::crc32c(body.as_bytes());
        let copy = format!("{MAGIC} {crc:08x} {}\n{body}", body.len());
        let read = read(copy.as_bytes(), ALL).unwrap();
        assert_eq!((read.documents, read.skipped), (vec![known], 1));
    }

    #[test]
    fn a_later_format_is_foreign() {
        let bytes = write(ALL, Index::default(), &[]).unwrap();
        let later = String::from_utf8(bytes)
            .unwrap()
            .replacen("cache 1", "cache 2", 1);
        assert!(matches!(
            read(later.as_bytes(), ALL),
            Err(Unusable::Foreign(_))
        ));
    }

    #[test]
    fn a_copy_of_other_kinds_gives_what_is_watched() {
        let index = Index::default();
        let bytes = write("gateways,services in - of -", index, &[document("a")]).unwrap();
        let found = |scope: &str| read(&bytes, scope).map(|cached| cached.documents.len());
        assert_eq!(found("policies,services in - of -"), Ok(1));
        assert_eq!(found("instances,policies in - of -"), Ok(0));
        assert_eq!(found(" in - of -"), Ok(1), "everything is watched");
        for other in ["services in a of -", "services in - of a", "services"] {
            assert!(matches!(found(other), Err(Unusable::Foreign(_))), "{other}");
        }
    }

    #[test]
    fn scopes_are_told_apart() {
        let all = WatchScope {
            kinds: vec![Kind::Service, Kind::Instance],
            ..WatchScope::default()
        };
        assert_eq!(scope(&all), "instances,services in - of -");
        let reversed = WatchScope {
            kinds: vec![Kind::Instance, Kind::Service],
            ..WatchScope::default()
        };
        assert_eq!(scope(&all), scope(&reversed));
    }
}
