//! Which endpoint takes a request.

use serde::{Deserialize, Serialize};

use super::RequestKey;
use crate::{
    document::Period,
    policy::described::{object, section},
};

section! {
    /// Which endpoint of a service takes the next request. For targets of kind Service or Namespace only.
    LoadBalancer at "loadBalancer" {
        /// How endpoints are chosen.
        algorithm "type": BalancerType, default r#""LeastRequest""#, from "Envoy's `lb_policy`, Envoy Gateway's `loadBalancer.type`",
            keeps "endpoints' requests under way, latencies and ages; turns go on where they were";
        /// What `RingHash` and `Maglev` hash.
        consistent_hash "consistentHash": RequestKey, default r#"{"type": "SourceIP"}"#, from "Envoy Gateway's `consistentHash`",
            keeps "the ring; keys of the old kind move";
        /// `RingHash`: points of an endpoint of mean weight, 1 to 10,000. Shares differ by about 1 / √points.
        ring_points "ringPoints": u32, default "160", from "libketama", keeps "endpoints' states; some keys move";
        /// `RingHash`: how many percent of its share of the requests an endpoint may have before its keys spill over,
        /// 100 to 1000; 0 does not look at load.
        hash_balance_factor "hashBalanceFactor": u32, default "0", from "Envoy's `hash_balance_factor`",
            keeps "the ring";
        /// `Maglev`: slots of the table: 5003, 65537 or 655373, about a hundred for each endpoint.
        table_size "tableSize": u32, default "65537", from "Envoy's Maglev `table_size`",
            keeps "endpoints' states; many keys move";
        /// `PeakEwma`: over what time a measurement loses all but 1/e of its say; `0s` looks at the last one only.
        ewma_decay "ewmaDecay": Period, default r#""10s""#, from "linkerd",
            keeps "everything; new endpoints measure by it, others when they come back";
        /// `PeakEwma`: the latency of an endpoint that was not measured yet.
        ewma_default_rtt "ewmaDefaultRtt": Period, default r#""30ms""#, from "linkerd",
            keeps "everything; new endpoints begin with it";
        /// How a new endpoint gets its share by and by; not for `RingHash` and `Maglev`.
        slow_start "slowStart": SlowStart, default "none", from "Envoy's `slow_start_config`",
            keeps "endpoints' ages";
        /// Whether requests stay in the caller's zone as long as what is healthy there can bear them.
        prefer_local_zone "preferLocalZone": bool, default "false", from "Envoy Gateway's `zoneAware.preferLocal`",
            keeps "endpoints' states";
        /// With `preferLocalZone`: by how much a zone's healthy share may be exceeded, in percent, 100 to 1000.
        overprovisioning_factor "overprovisioningFactor": u32, default "140", from "Envoy's `overprovisioning_factor`",
            keeps "everything; the next request follows it";
        /// Below which share of healthy endpoints all are used, in percent, 0 (never) to 100.
        healthy_panic_threshold "healthyPanicThreshold": f64, default "50", from "Envoy's `healthy_panic_threshold`",
            keeps "everything; the next request follows it";
    }
}

/// How endpoints are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum BalancerType {
    /// The one of two that has fewer requests under way.
    #[default]
    LeastRequest,
    /// The one of two with the lower latency × requests under way.
    PeakEwma,
    /// Smooth weighted turns.
    RoundRobin,
    /// By weight alone.
    Random,
    /// By a hash of the request, on a ring.
    RingHash,
    /// By a hash of the request, in a table.
    Maglev,
}

object! {
    /// How a new endpoint's weight grows.
    SlowStart {
        /// How long it takes to full weight, up to a day.
        window "window": Period, from "Envoy's `slow_start_window`";
        optional
        /// The curve: 1 is a straight line, more is fast at first; above 0, at most 10.
        aggression "aggression": f64, default "1", from "Envoy's `aggression`";
        optional
        /// The least share of its weight, in percent, above 0 and at most 100.
        min_weight_percent "minWeightPercent": f64, default "10", from "Envoy's `min_weight_percent`";
    }
}
