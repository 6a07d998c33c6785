//! Who should have how much: max-min fairness, with a floor.

use super::{FLOORS, Part};

const ALL: u64 = Part::ALL.in_billionths();

/// How a limit is divided among those whose demands are known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Level {
    /// What everyone has, who asks for less too.
    floor: u64,
    /// What nobody has more of.
    cap: u64,
    /// What all ask for together, floors included; if that is less than all there is, everyone has as much more.
    asked: u64,
}

impl Level {
    pub(super) fn of(demands: impl ExactSizeIterator<Item = Part>) -> Self {
        let holders = demands.len().max(1) as u64;
        let floor = FLOORS.in_billionths() / holders;
        let mut asked: Vec<u64> = demands.map(|demand| wish(demand, floor)).collect();
        let sum: u64 = asked.iter().sum();
        let mut level = Self {
            floor,
            cap: ALL,
            asked: sum,
        };
        if sum <= ALL {
            return level;
        }
        // Water-filling: who asks for less than an even part of what is left gets that, the others share the rest.
        asked.sort_unstable();
        let (mut left, mut sharing) = (ALL, holders);
        for wish in asked {
            let even = left / sharing;
            if wish > even {
                level.cap = even;
                break;
            }
            left -= wish;
            sharing -= 1;
        }
        level
    }

    /// The part of a holder with this demand.
    pub(super) fn part(&self, demand: Part) -> Part {
        let wish = wish(demand, self.floor);
        let part = match self.asked {
            asked if asked > ALL => wish.min(self.cap),
            // Within all there is: at most the sum that it is divided by, if it is among those that were summed up.
            asked => {
                let part = u128::from(wish) * u128::from(ALL) / u128::from(asked.max(1));
                u64::try_from(part).unwrap_or(ALL).min(ALL)
            }
        };
        Part::billionths(part)
    }
}

fn wish(demand: Part, floor: u64) -> u64 {
    demand.in_billionths().clamp(floor, ALL)
}
