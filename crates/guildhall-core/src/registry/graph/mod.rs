//! Who calls whom, as the live versions of each service declare it.
//!
//! - `build`: from the catalog to nodes and edges.
//! - `cycles`: where calls come back to their origin.
//! - `impact`: who suffers when a service is drained.

mod build;
mod cycles;
mod impact;

pub use build::{Edge, Graph, Missing, Node, NodeVersion, graph};
pub use cycles::Cycle;
pub use impact::{Affected, Impact, impact};
