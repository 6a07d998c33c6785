//! Sealed values: how a write keeps them, and what a reader sees of them.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use bytes::Bytes;
use guildhall_core::config::seal::{
    Admission, Binding, KeyRing, Nonce, SealError, Sight, find, mask, mask_against, may_have,
    open_text, reseal,
};
use guildhall_core::config::{Config, ConfigName, ContentHash, Format, Parsed, parse};
use guildhall_core::document::{DocumentKey, Object, Problems};
use ring::rand::{SecureRandom, SystemRandom};

use crate::Error;
use crate::control::Shared;

/// The keys that values are sealed and opened with. All clones are the same ones.
#[derive(Clone, Debug, Default)]
pub struct SealKeys(Arc<ArcSwapOption<KeyRing>>);

impl SealKeys {
    /// These are in force from now on.
    pub fn replace(&self, keys: KeyRing) {
        self.0.store(Some(Arc::new(keys)));
    }

    pub(super) fn load(&self) -> Option<Arc<KeyRing>> {
        self.0.load_full()
    }

    fn need(&self, key: &DocumentKey) -> Result<Arc<KeyRing>, Error> {
        self.load().ok_or_else(|| Error::NoSealKey {
            key: key.clone(),
            wanted: None,
        })
    }
}

/// What the values of a file are sealed for.
pub(super) fn binding(key: &DocumentKey) -> Binding<'_> {
    let name = ConfigName::parse(&key.name).ok();
    Binding {
        namespace: key.namespace.as_str(),
        service: name.map_or("", |name| name.service),
        environment: name.map_or("", |name| name.environment),
        file: name.map_or("", |name| name.file),
    }
}

/// What a write does to the values of a file's contents.
pub(super) struct Sealing<'a> {
    shared: &'a Shared,
    key: &'a DocumentKey,
    pointers: &'a [String],
    /// What the file has, contents with sealed values only: its own, then those of its gray releases.
    present: Vec<(Option<String>, Parsed)>,
    /// Whether everything is sealed with the current key.
    anew: bool,
}

impl<'a> Sealing<'a> {
    pub(super) async fn of(
        shared: &'a Shared,
        key: &'a DocumentKey,
        pointers: &'a [String],
        present: Option<&Object<Config>>,
        anew: bool,
    ) -> Result<Self, Error> {
        let mut sealing = Self {
            shared,
            key,
            pointers,
            present: Vec::new(),
            anew,
        };
        let Some(Config {
            format,
            content_hash,
            gray,
            ..
        }) = present.map(|present| &present.spec)
        else {
            return Ok(sealing);
        };
        let format = format.unwrap_or(Format::Binary);
        let contents = gray
            .iter()
            .map(|gray| (Some(&gray.name), gray.content_hash))
            .chain([(None, *content_hash)]);
        for (gray, hash) in contents {
            if let Some(content) = sealing.sealed(format, hash).await? {
                sealing.present.push((gray.cloned(), content));
            }
        }
        Ok(sealing)
    }

    /// A content that the file has, if it has sealed values.
    async fn sealed(
        &self,
        format: Format,
        hash: Option<ContentHash>,
    ) -> Result<Option<Parsed>, Error> {
        let Some(hash) = hash else { return Ok(None) };
        let Shared {
            contents, store, ..
        } = self.shared;
        let content = contents.find(&**store, hash).await?;
        let content = content.filter(|content| may_have(content));
        let content = content.and_then(|content| parse(format, &content).ok());
        Ok(content.filter(|content| find(content).is_ok_and(|sealed| !sealed.is_empty())))
    }

    /// A content as it is kept: what is to be sealed is sealed, masks stand for what was sealed in their place before.
    /// `gray` is the gray release whose content it is, `at` where it stands in the document.
    pub(super) fn admit(
        &self,
        content: Parsed,
        given: Bytes,
        gray: Option<&str>,
        at: &str,
    ) -> Result<Bytes, Error> {
        let has_none = self.pointers.is_empty() && self.present.is_empty() && !may_have(&given);
        if has_none || content.root().is_none() && self.pointers.is_empty() {
            return Ok(given);
        }
        let keys = self.shared.options.config.seal_keys.need(self.key)?;
        // The nearest first: its own before the file's, which a gray release may have been made from.
        let (own, other): (Vec<_>, Vec<_>) = self
            .present
            .iter()
            .partition(|(of, _)| of.as_deref() == gray);
        let present = own.into_iter().chain(other);
        let present: Vec<Parsed> = present.map(|(_, content)| content.clone()).collect();
        let format = content.format();
        let written = |error| self.unwritten(error, at);
        let admission = Admission {
            content: &content,
            present: &present,
            pointers: self.pointers,
            keys: &keys,
            binding: binding(self.key),
        };
        let mut text = admission.admit(&mut nonces()?).map_err(written)?.text;
        if self.anew {
            let mut nonces = nonces()?;
            text = self
                .anew(format, text, &keys, &mut nonces)
                .map_err(written)?;
        }
        Ok(text.into())
    }

    /// Those that another key than the current one sealed, sealed with that.
    fn anew(
        &self,
        format: Format,
        text: String,
        keys: &KeyRing,
        nonces: &mut dyn FnMut() -> Nonce,
    ) -> Result<String, SealError> {
        let sealed = parse(format, text.as_bytes())?;
        let is_current = find(&sealed)?
            .iter()
            .all(|value| value.key == keys.current());
        if is_current {
            return Ok(text);
        }
        let binding = binding(self.key);
        reseal(&sealed, keys, &binding, &binding, nonces)
    }

    fn unwritten(&self, error: SealError, at: &str) -> Error {
        match error {
            SealError::UnknownKey { key, .. } => Error::NoSealKey {
                key: self.key.clone(),
                wanted: Some(key),
            },
            SealError::NoValues => {
                Problems::one("/spec/sealed", SealError::NoValues.to_string()).into()
            }
            error => Problems::one(format!("{at}/content"), error.to_string()).into(),
        }
    }
}

/// A content of one file with its sealed values sealed for another; `None` if there are none.
pub(super) fn for_another(
    shared: &Shared,
    (from, to): (&DocumentKey, &DocumentKey),
    format: Format,
    content: &Bytes,
) -> Result<Option<Bytes>, Error> {
    let unread = |error| unread(from, error);
    let parsed = may_have(content).then(|| parse(format, content).ok());
    let Some(parsed) = parsed.flatten() else {
        return Ok(None);
    };
    if find(&parsed).map_err(unread)?.is_empty() {
        return Ok(None);
    }
    let keys = shared.options.config.seal_keys.need(from)?;
    let text = reseal(&parsed, &keys, &binding(from), &binding(to), &mut nonces()?);
    Ok(Some(text.map_err(unread)?.into()))
}

/// A content as a reader sees it.
pub(super) struct Seen {
    pub(super) bytes: Bytes,
    /// `None`: nothing in it is sealed.
    pub(super) sight: Option<Sight>,
}

/// What is seen of a content of the file `key`.
pub(super) fn see(
    shared: &Shared,
    key: &DocumentKey,
    format: Format,
    bytes: Bytes,
    sight: Sight,
) -> Result<Seen, Error> {
    let plain = |bytes| Seen { bytes, sight: None };
    if !may_have(&bytes) {
        return Ok(plain(bytes));
    }
    // What a newer version wrote has nothing that this one could open.
    let Ok(content) = parse(format, &bytes) else {
        return Ok(plain(bytes));
    };
    let unread = |error| unread(key, error);
    if find(&content).map_err(unread)?.is_empty() {
        return Ok(plain(bytes));
    }
    let text = match sight {
        Sight::Masked => mask(&content),
        Sight::Revealed => {
            let keys = shared.options.config.seal_keys.need(key)?;
            open_text(&content, &keys, &binding(key))
        }
    };
    Ok(Seen {
        bytes: text.map_err(unread)?.into(),
        sight: Some(sight),
    })
}

/// Two contents that are compared, as anybody may see them: the later one says which sealed values are others.
pub(super) fn masked(
    shared: &Shared,
    (old, new): (Parsed, Parsed),
    keys: &[Option<DocumentKey>; 2],
) -> (Parsed, Parsed) {
    let ring = shared.options.config.seal_keys.load();
    let [old_key, new_key] = keys;
    let after = match (old_key, new_key) {
        (Some(from), Some(to)) => {
            let before = (&old, &binding(from));
            mask_against(&new, &binding(to), before, ring.as_deref())
        }
        _ => mask(&new),
    };
    // What cannot be masked has nothing that opens.
    let read = |text: Result<String, SealError>, content: &Parsed| {
        let text = text.ok().filter(|_| content.root().is_some());
        text.and_then(|text| parse(content.format(), text.as_bytes()).ok())
    };
    let (before, after) = (read(mask(&old), &old), read(after, &new));
    (before.unwrap_or(old), after.unwrap_or(new))
}

fn unread(key: &DocumentKey, error: SealError) -> Error {
    match error {
        SealError::UnknownKey { key: wanted, .. } => Error::NoSealKey {
            key: key.clone(),
            wanted: Some(wanted),
        },
        error => Error::Conflict(format!("{key}: {error}")),
    }
}

/// Nonces of one write: a random one and those that follow it, so that none comes twice.
fn nonces() -> Result<impl FnMut() -> Nonce, Error> {
    let mut first = [0; size_of::<Nonce>()];
    let filled = SystemRandom::new().fill(&mut first);
    filled.map_err(|_| Error::NoRandom)?;
    let mut count = 0_u64;
    Ok(move || {
        let mut nonce = first;
        for (byte, more) in nonce.iter_mut().zip(count.to_le_bytes()) {
            *byte ^= more;
        }
        count += 1;
        nonce
    })
}
