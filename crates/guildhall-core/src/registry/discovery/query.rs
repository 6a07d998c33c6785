//! What a client asks of the instances it wants, and its canonical form.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

use crate::{
    document::{SharedText, VersionName},
    registry::Instance,
};

/// Which instances are wanted, and in which order. All conditions hold together.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Query {
    /// Only those that take traffic: healthy and warning. `false` leaves health out of it.
    pub healthy: bool,
    /// Tags that an instance must all have.
    pub tags: BTreeSet<String>,
    /// The zone it must be in.
    pub zone: Option<String>,
    /// The region it must be in.
    pub region: Option<String>,
    /// The version it must run.
    pub version: Option<VersionName>,
    /// Metadata that it must have.
    pub metadata: BTreeMap<String, String>,
    /// Where the client is: the nearest instances come first, none is left out.
    pub near: Option<Near>,
}

/// A place, written `zone` or `region/zone`.
///
/// Without a region, the regions of the instances in that zone are meant.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Near {
    /// The region around the zone.
    pub region: Option<String>,
    /// The zone.
    pub zone: String,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            healthy: true,
            tags: BTreeSet::new(),
            zone: None,
            region: None,
            version: None,
            metadata: BTreeMap::new(),
            near: None,
        }
    }
}

impl Query {
    /// Every instance whatever its health.
    pub fn all() -> Self {
        Self {
            healthy: false,
            ..Self::default()
        }
    }

    /// Whether `instance` is one of those asked for, its health apart.
    pub fn matches(&self, instance: &Instance) -> bool {
        let wants = |wanted: &Option<String>, given: &Option<SharedText>| {
            wanted.is_none() || wanted.as_deref() == given.as_deref()
        };
        wants(&self.zone, &instance.zone)
            && wants(&self.region, &instance.region)
            && (self.version.is_none() || self.version == instance.version)
            && self
                .tags
                .iter()
                .all(|tag| instance.tags.iter().any(|own| own == tag))
            && self
                .metadata
                .iter()
                .all(|(key, value)| instance.metadata.get(key) == Some(value))
    }
}

/// What would change the meaning of a pair in a query string.
const RESERVED: &AsciiSet = &CONTROLS
    .add(b' ')
    .add(b'%')
    .add(b'&')
    .add(b'=')
    .add(b'+')
    .add(b'#')
    .add(b'"');

/// The canonical form: a query string that two queries share only if they ask the same, and that
/// parses back to the query. Usable as a cache's key.
impl fmt::Display for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "healthy={}", self.healthy)?;
        for (key, value) in &self.metadata {
            let key = utf8_percent_encode(key, RESERVED);
            write!(
                f,
                "&metadata.{key}={}",
                utf8_percent_encode(value, RESERVED)
            )?;
        }
        if let Some(near) = &self.near {
            write!(
                f,
                "&near={}",
                utf8_percent_encode(&near.to_string(), RESERVED)
            )?;
        }
        let single = [("region", &self.region), ("zone", &self.zone)];
        for (parameter, value) in single {
            if let Some(value) = value {
                write!(f, "&{parameter}={}", utf8_percent_encode(value, RESERVED))?;
            }
        }
        for tag in &self.tags {
            write!(f, "&tag={}", utf8_percent_encode(tag, RESERVED))?;
        }
        match &self.version {
            Some(version) => write!(
                f,
                "&version={}",
                utf8_percent_encode(version.as_str(), RESERVED)
            ),
            None => Ok(()),
        }
    }
}

impl fmt::Display for Near {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.region {
            Some(region) => write!(f, "{region}/{}", self.zone),
            None => f.write_str(&self.zone),
        }
    }
}
