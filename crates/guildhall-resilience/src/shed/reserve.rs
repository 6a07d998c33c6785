//! Shares of a limit that are kept for those that matter more.

use super::{Criticality, Shed};
use crate::ConfigError;

/// Up to which utilisation each class is admitted.
///
/// ```
/// use guildhall_resilience::shed::{Criticality, Reserve};
///
/// let reserve = Reserve::default();
/// assert!(reserve.admit(Criticality::Sheddable, 0.4).is_ok());
/// assert!(reserve.admit(Criticality::Sheddable, 0.5).is_err());
/// assert!(reserve.admit(Criticality::CriticalPlus, 0.99).is_ok());
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reserve {
    /// By rank, the least critical first.
    up_to: [f64; 4],
}

impl Default for Reserve {
    /// Half of the limit for what is sheddable, 70 % and 90 % for the classes above, all of it for what is critical-plus:
    /// a tenth is always there for the most important, and what users wait for has twice what the rest leaves over.
    fn default() -> Self {
        Self {
            up_to: [0.5, 0.7, 0.9, 1.0],
        }
    }
}

impl Reserve {
    /// Up to which utilisation a class is admitted, the least critical first.
    ///
    /// # Errors
    /// Unless they are above 0, at most 1, and do not fall.
    pub fn new(up_to: [f64; 4]) -> Result<Self, ConfigError> {
        ConfigError::unless(
            up_to.iter().all(|share| *share > 0.0 && *share <= 1.0),
            "up_to",
            "must be shares above 0 and at most 1",
        )?;
        ConfigError::unless(
            up_to.is_sorted(),
            "up_to",
            "must not fall: what matters more is admitted as long",
        )?;
        Ok(Self { up_to })
    }

    /// Whether a request may go on while so much of the limit is in use (1 is all of it).
    ///
    /// # Errors
    /// [`Shed`] if not.
    pub fn admit(&self, criticality: Criticality, utilisation: f64) -> Result<(), Shed> {
        if utilisation < self.up_to[criticality.rank()] {
            Ok(())
        } else {
            Err(Shed {
                criticality,
                retry_after: None,
            })
        }
    }
}
