//! Gray releases: which listeners get content before the others do.
//!
//! A rule selects by labels, by instance, by zone, or a stable percentage; what is given must hold together. The
//! percentage is of those that the rest of the rule selects: each instance falls on a place between 0 and 100 that depends
//! on the rule's seed and the instance's id alone, so that it stays on its side, and raising the percentage only adds
//! instances. Another seed deals anew.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::document::{Pointer, Problems};

/// Whom a gray release is for. Nothing given selects nobody.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Match {
    /// Labels that a listener has, each with this value.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Ids of instances, any of which it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub instances: Vec<String>,
    /// Zones, in any of which it runs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub zones: Vec<String>,
    /// The share of those that the rest selects: 0 to 100, in steps of 0.01.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percentage: Option<f64>,
}

/// Who reads a configuration.
#[derive(Clone, Copy, Debug)]
pub struct Listener<'a> {
    /// The instance's id.
    pub instance: &'a str,
    /// The zone it runs in.
    pub zone: Option<&'a str>,
    /// Its labels.
    pub labels: &'a BTreeMap<String, String>,
}

/// A rule and the seed of its percentage.
#[derive(Clone, Copy, Debug)]
pub struct Gray<'a> {
    /// What deals the instances: the configuration's and the release's name.
    pub seed: &'a str,
    /// The rule.
    pub rule: &'a Match,
}

impl Match {
    /// The most labels, instances or zones a rule may name.
    pub const MAX: usize = 1024;

    /// Notes what is out of bounds.
    pub fn validate(&self, at: &Pointer<'_>, problems: &mut Problems) {
        let empty = self.labels.is_empty() && self.instances.is_empty() && self.zones.is_empty();
        problems.check(
            !(empty && self.percentage.is_none()),
            at,
            "say whom it is for: labels, instances, zones or a percentage (100 for everyone)",
        );
        for (field, count) in [
            ("labels", self.labels.len()),
            ("instances", self.instances.len()),
            ("zones", self.zones.len()),
        ] {
            problems.check(
                count <= Self::MAX,
                at.field(field),
                format_args!("at most {}", Self::MAX),
            );
        }
        problems.check(
            self.percentage
                .is_none_or(|share| (0.0..=100.0).contains(&share)),
            at.field("percentage"),
            "0 to 100",
        );
    }
}

impl Gray<'_> {
    /// Whether the release is for this listener.
    pub fn selects(&self, listener: &Listener<'_>) -> bool {
        let Match {
            labels,
            instances,
            zones,
            percentage,
        } = self.rule;
        let named = !labels.is_empty() || !instances.is_empty() || !zones.is_empty();
        (named || percentage.is_some())
            && labels
                .iter()
                .all(|(key, value)| listener.labels.get(key) == Some(value))
            && (instances.is_empty() || instances.iter().any(|id| id == listener.instance))
            && (zones.is_empty()
                || listener
                    .zone
                    .is_some_and(|zone| zones.iter().any(|z| z == zone)))
            && percentage.is_none_or(|share| place(self.seed, listener.instance) < steps(share))
    }
}

/// The first of `grays` that is for this listener.
pub fn first_for<'a, T>(
    grays: impl IntoIterator<Item = (T, Gray<'a>)>,
    listener: &Listener<'_>,
) -> Option<T> {
    let mut grays = grays.into_iter();
    grays.find_map(|(what, gray)| gray.selects(listener).then_some(what))
}

/// How many places there are: hundredths of a percent.
const PLACES: u32 = 10_000;

/// A percentage in places; what is no number selects nobody.
fn steps(percentage: f64) -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped; a cast from NaN is 0"
    )]
    let steps = (percentage.clamp(0.0, 100.0) * 100.0).round() as u32;
    steps
}

/// Where an instance falls, below [`PLACES`]. Everyone who asks must get the same answer, in every version from the first
/// on: FNV-1a over seed, a byte that is in no text, and id, then the finalizer of `MurmurHash3`, which makes all bits of the
/// result depend on the last bytes.
fn place(seed: &str, instance: &str) -> u32 {
    let bytes = seed.bytes().chain([0xff]).chain(instance.bytes());
    let mut hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash = (hash ^ (hash >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    hash ^= hash >> 33;
    // The high half times the places, over 2^32: no modulo's lean.
    u32::try_from(((hash >> 32) * u64::from(PLACES)) >> 32).unwrap_or(PLACES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_never_change() {
        // Computed by another program; a listener that changes sides over an upgrade is a defect.
        let places =
            ["u-1", "u-2", "", "10.0.0.1:8080"].map(|id| place("users/prod/app.yaml#blue", id));
        assert_eq!(places, [7593, 8812, 7421, 2576]);
    }

    #[test]
    fn places_are_spread_evenly() {
        for share in [1.0, 25.0, 50.0] {
            let selected = (0..100_000)
                .filter(|n| place("seed", &format!("users-{n}")) < steps(share))
                .count();
            let expect = share * 1000.0;
            let deviation = (100_000.0 * share / 100.0 * (1.0 - share / 100.0)).sqrt();
            assert!(
                (selected as f64 - expect).abs() < 4.0 * deviation,
                "{share}: {selected}"
            );
        }
    }
}
