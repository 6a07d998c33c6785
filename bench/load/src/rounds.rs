//! Turns and medians: peers take turns (A B C A B C) so that whatever else the machine does meets all of them.

use anyhow::Result;

/// Gives every peer a turn, `rounds` times over. A peer whose turn fails is left out from then on, and said so: the
/// others' figures stand without it.
pub(crate) fn interleaved<P, S>(
    peers: &[P],
    rounds: usize,
    name: impl Fn(&P) -> &str,
    mut turn: impl FnMut(&P) -> Result<S>,
) -> Vec<Result<Vec<S>>> {
    let mut samples: Vec<Result<Vec<S>>> = peers.iter().map(|_| Ok(Vec::new())).collect();
    for round in 1..=rounds {
        for (peer, taken) in peers.iter().zip(&mut samples) {
            let Ok(so_far) = taken else {
                continue;
            };
            eprintln!("  round {round}/{rounds}: {}", name(peer));
            match turn(peer) {
                Ok(sample) => so_far.push(sample),
                Err(error) => {
                    eprintln!("  {}: {error:#}", name(peer));
                    *taken = Err(error);
                }
            }
        }
    }
    samples
}

/// The middle value; the mean of the two middle ones where there are two. NaN of nothing.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[n / 2],
        n => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }

    #[test]
    fn peers_take_turns_and_a_failed_one_takes_none_after() {
        let mut turns = String::new();
        let samples = interleaved(
            &["a", "b"],
            3,
            |name| name,
            |name| {
                turns.push_str(name);
                anyhow::ensure!(*name != "b", "gone");
                Ok(turns.len())
            },
        );
        assert_eq!(turns, "abaa");
        assert_eq!(samples[0].as_ref().unwrap(), &[1, 3, 4]);
        assert!(samples[1].is_err());
    }
}
