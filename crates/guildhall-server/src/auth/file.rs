//! The token file: who holds which token, and what it allows.
//!
//! ```toml
//! [[tokens]]
//! name = "ci"
//! hash = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"   # printf %s TOKEN | sha256sum
//! scopes = ["write:shop", "read"]
//!
//! [[tokens]]
//! name = "root"
//! token = "a long random text"
//! scopes = ["admin"]
//! ```
//!
//! A scope is `read`, `write`, `reveal` (to see what is sealed) or `admin` (all of it), for every namespace or, with
//! `:name`, for one; each includes read. Tokens are long random texts,
//! so a fast hash is enough, and looking one up by its hash says nothing through timing.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use guildhall_core::{
    access::{Grant, Verb},
    document::{Namespace, nearest},
};
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use serde::Deserialize;

use super::Principal;
use crate::settings::not_toml;

/// The hash of a token.
type Hash = [u8; SHA256_OUTPUT_LEN];

/// The fewest bytes of a token written in the clear: what is shorter is guessed.
const SHORTEST: usize = 8;

/// The tokens of one file.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    by_hash: HashMap<Hash, Arc<Principal>>,
}

impl Tokens {
    /// Whose token this is.
    pub(crate) fn find(&self, token: &str) -> Option<&Arc<Principal>> {
        self.by_hash.get(&hash(token))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.by_hash.len()
    }
}

fn hash(token: &str) -> Hash {
    let mut hash = Hash::default();
    hash.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    hash
}

/// A token file that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TokenFileError {
    /// It cannot be read.
    #[error(
        "cannot read the token file {path}: {cause}; check auth.token_file and the file's permissions"
    )]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        cause: std::io::Error,
    },
    /// It is neither TOML nor JSON of the right shape. Nothing of its text is repeated: it holds secrets.
    #[error("the token file {path} cannot be used: {detail}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Where and why, and what would be right.
        detail: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Form {
    #[serde(default)]
    tokens: Vec<TokenForm>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenForm {
    name: String,
    #[serde(default)]
    token: Option<String>,
    #[serde(default)]
    hash: Option<String>,
    scopes: Vec<String>,
}

/// A token file, and what it looked like when it was last read.
#[derive(Debug)]
pub(crate) struct TokenFile {
    path: PathBuf,
    seen: Option<crate::reload::Stamp>,
}

impl TokenFile {
    /// The file at `path`, not read yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, seen: None }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The tokens, if the file changed since it was last read.
    pub(crate) fn read_if_changed(&mut self) -> Option<Result<Tokens, TokenFileError>> {
        let stamp = crate::reload::Stamp::of(&[&self.path]);
        if self.seen == Some(stamp) {
            return None;
        }
        self.seen = Some(stamp);
        Some(self.read())
    }

    fn read(&self) -> Result<Tokens, TokenFileError> {
        let path = || self.path.clone();
        let text =
            std::fs::read_to_string(&self.path).map_err(|cause| TokenFileError::Unreadable {
                path: path(),
                cause,
            })?;
        parse(&text).map_err(|detail| TokenFileError::Malformed {
            path: path(),
            detail,
        })
    }
}

/// Reads a token file's text, JSON if it opens with a brace, else TOML.
fn parse(text: &str) -> Result<Tokens, String> {
    let form: Form = if text.trim_start().starts_with('{') {
        serde_json::from_str(text)
            .map_err(|error| format!("line {}: not JSON of the right shape", error.line()))?
    } else {
        toml::from_str(text).map_err(|error| not_toml(text, &error))?
    };
    if form.tokens.is_empty() {
        return Err(
            "it has no [[tokens]]; give at least one, with name, token or hash, and scopes"
                .to_owned(),
        );
    }
    let mut tokens = Tokens::default();
    for token in form.tokens {
        let name = token.name;
        if name.is_empty() || name.len() > 253 || name.chars().any(char::is_control) {
            return Err(format!("{name:?}: a name has 1 to 253 characters"));
        }
        if matches!(name.as_str(), "anonymous" | "system") {
            return Err(format!(
                "{name:?} is the platform's own name; call the token otherwise"
            ));
        }
        let hash = match (&token.token, &token.hash) {
            (Some(token), None) if token.len() >= SHORTEST => hash(token),
            (Some(_), None) => return Err(format!("{name}: a token has at least {SHORTEST} characters")),
            (None, Some(text)) => read_hash(text).ok_or_else(|| {
                format!("{name}: hash is sha256: and 64 hex digits, as `printf %s TOKEN | sha256sum` gives them")
            })?,
            _ => return Err(format!("{name}: give either token or hash")),
        };
        let grants = token
            .scopes
            .iter()
            .map(|scope| read_scope(scope).map_err(|why| format!("{name}: {why}")));
        let grants: Arc<[Grant]> = grants.collect::<Result<Vec<_>, _>>()?.into();
        let principal = Arc::new(Principal {
            name: name.as_str().into(),
            grants,
        });
        if tokens.by_hash.insert(hash, principal).is_some() {
            return Err(format!("{name}: another name has the same token"));
        }
    }
    Ok(tokens)
}

fn read_hash(text: &str) -> Option<Hash> {
    let hex = text.strip_prefix("sha256:")?;
    let mut hash = Hash::default();
    // Read two by two, a sign would pass for a digit.
    if hex.len() != 2 * hash.len() || !hex.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in hash.iter_mut().zip(hex.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(hash)
}

fn read_scope(scope: &str) -> Result<Grant, String> {
    let (word, namespace) = match scope.split_once(':') {
        None => (scope, None),
        Some((word, name)) => (
            word,
            Some(Namespace::new(name).map_err(|error| format!("scope {scope:?}: {error}"))?),
        ),
    };
    let verb = match word {
        "read" => Verb::Read,
        "write" => Verb::Write,
        "reveal" => Verb::Reveal,
        "admin" => Verb::Admin,
        other => {
            let near = nearest(other, ["read", "write", "reveal", "admin"]);
            let hint = near.map_or_else(String::new, |near| format!("; did you mean {near:?}?"));
            return Err(format!(
                "scope {scope:?} is none of read, write, reveal, admin, each with :namespace or without{hint}"
            ));
        }
    };
    Ok(Grant { verb, namespace })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [[tokens]]
        name = "ci"
        hash = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
        scopes = ["write:shop", "read"]

        [[tokens]]
        name = "root"
        token = "a long random text"
        scopes = ["admin"]
    "#;

    #[test]
    fn a_hash_has_digits_only() {
        let hash = |digits: &str| read_hash(&format!("sha256:{digits}"));
        assert!(hash(&"0f".repeat(32)).is_some() && hash(&"0F".repeat(32)).is_some());
        for bad in ["+f".repeat(32), "0f".repeat(31), "0g".repeat(32)] {
            assert_eq!(hash(&bad), None, "{bad}");
        }
    }

    #[test]
    fn a_token_is_found_by_its_text_or_its_hash() {
        let tokens = parse(FILE).unwrap();
        assert_eq!(tokens.len(), 2);
        let ci = tokens.find("test").unwrap();
        assert_eq!(
            (&*ci.name, ci.grants.len(), ci.grants[0].verb),
            ("ci", 2, Verb::Write)
        );
        assert_eq!(&*tokens.find("a long random text").unwrap().name, "root");
        assert!(tokens.find("tset").is_none() && tokens.find("").is_none());
    }

    #[test]
    fn json_reads_alike() {
        let json = r#"{"tokens": [{"name": "root", "token": "12345678", "scopes": ["admin"]}]}"#;
        assert!(parse(json).unwrap().find("12345678").is_some());
    }

    fn check(token: &str, expect: &str) {
        let error = parse(&format!("[[tokens]]\n{token}")).unwrap_err();
        assert!(error.contains(expect), "{error:?} lacks {expect:?}");
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        check(
            "name = \"a\"\ntoken = \"12345678\"\nscopes = [\"raed\"]",
            "did you mean \"read\"?",
        );
        check(
            "name = \"a\"\ntoken = \"12345678\"\nscopes = [\"read:A_\"]",
            "DNS-1123",
        );
        check("name = \"a\"\ntoken = \"short\"\nscopes = []", "at least 8");
        check("name = \"a\"\nhash = \"md5:1\"\nscopes = []", "sha256sum");
        check("name = \"a\"\nscopes = []", "either token or hash");
        check(
            "name = \"system\"\ntoken = \"12345678\"\nscopes = []",
            "platform's own",
        );
        check(
            "name = \"a\"\ntokn = \"hunter2hunter2\"\nscopes = []",
            "unknown field",
        );
        for bad in [
            "[[tokens]]\ntokn = \"hunter2\"",
            "[[tokens]]\ntoken = \"hunter2\" x",
            "{\"tokens\": \"hunter2\"}",
        ] {
            assert!(!parse(bad).unwrap_err().contains("hunter2"), "{bad}");
        }
        assert!(parse("").unwrap_err().contains("[[tokens]]"));
    }
}
