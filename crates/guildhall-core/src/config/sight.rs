//! How much of sealed values is seen.

use serde::{Deserialize, Serialize};

/// What a reader sees of sealed values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sight {
    /// A mask in their place: `******`.
    Masked,
    /// The values.
    Revealed,
}
