//! A hash that every process computes alike, and what is left of consistency when the first choice is out.
//!
//! Balancers of different processes, builds and machines must send the same key to the same endpoint, so the standard
//! library's hashers (seeded, and free to change) do not serve. XXH64 is fast, public and stable; Envoy's ring uses it
//! too. It is no defence against somebody who chooses keys on purpose.

const P1: u64 = 0x9E37_79B1_85EB_CA87;
const P2: u64 = 0xC2B2_AE3D_27D4_EB4F;
const P3: u64 = 0x1656_67B1_9E37_79F9;
const P4: u64 = 0x85EB_CA77_C2B2_AE63;
const P5: u64 = 0x27D4_EB2F_1656_67C5;

/// XXH64 of `bytes`: the same in every process, on every machine and in every version of this crate.
///
/// What a request is hashed by (a header, a cookie, the client's address) is the caller's choice.
///
/// ```
/// use guildhall_resilience::balance::xxh64;
///
/// assert_eq!(xxh64(b"abc", 0), 0x44BC_2CF5_AD77_0999);
/// ```
///
/// Source: <https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md>.
pub fn xxh64(bytes: &[u8], seed: u64) -> u64 {
    let stripes = bytes.chunks_exact(32);
    let mut tail = stripes.remainder();
    let mut hash = if bytes.len() < 32 {
        seed.wrapping_add(P5)
    } else {
        let mut lanes = [
            seed.wrapping_add(P1).wrapping_add(P2),
            seed.wrapping_add(P2),
            seed,
            seed.wrapping_sub(P1),
        ];
        for stripe in stripes {
            for (lane, word) in lanes.iter_mut().zip(stripe.chunks_exact(8)) {
                *lane = round(*lane, word_of(word));
            }
        }
        let turns = [1, 7, 12, 18];
        let sum = (lanes.iter().zip(turns)).fold(0u64, |sum, (lane, turn)| {
            sum.wrapping_add(lane.rotate_left(turn))
        });
        lanes.iter().fold(sum, |hash, lane| {
            (hash ^ round(0, *lane)).wrapping_mul(P1).wrapping_add(P4)
        })
    };
    hash = hash.wrapping_add(bytes.len() as u64);
    while tail.len() >= 8 {
        hash = (hash ^ round(0, word_of(&tail[..8])))
            .rotate_left(27)
            .wrapping_mul(P1)
            .wrapping_add(P4);
        tail = &tail[8..];
    }
    if tail.len() >= 4 {
        hash = (hash ^ word_of(&tail[..4]).wrapping_mul(P1))
            .rotate_left(23)
            .wrapping_mul(P2)
            .wrapping_add(P3);
        tail = &tail[4..];
    }
    for byte in tail {
        hash = (hash ^ u64::from(*byte).wrapping_mul(P5))
            .rotate_left(11)
            .wrapping_mul(P1);
    }
    mixed(hash)
}

fn round(lane: u64, word: u64) -> u64 {
    lane.wrapping_add(word.wrapping_mul(P2))
        .rotate_left(31)
        .wrapping_mul(P1)
}

/// Up to eight bytes, the first the lowest.
fn word_of(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |word, byte| word << 8 | u64::from(*byte))
}

/// XXH64's last step: every bit of the input turns half of those of the output.
pub(super) fn mixed(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(P2);
    hash ^= hash >> 29;
    hash = hash.wrapping_mul(P3);
    hash ^ hash >> 32
}

/// Of the eligible `keys` (place, hash of its name), the one that scores highest with `hash`: rendezvous hashing.
///
/// The way out of ring and table when most endpoints are ineligible. It looks at each of them, and is itself
/// consistent: a key moves only if its endpoint goes.
///
/// Source: Thaler and Ravishankar, "Using Name-Based Mappings to Increase Hit Rates", 1998.
pub(super) fn rendezvous(
    hash: u64,
    keys: &[(u32, u64)],
    eligible: impl Fn(usize) -> bool,
) -> Option<usize> {
    keys.iter()
        .filter(|(place, _)| eligible(*place as usize))
        .max_by_key(|(_, key)| mixed(hash ^ key))
        .map(|(place, _)| *place as usize)
}
