//! The store's contract in etcd's terms.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use bytes::Bytes;
use guildhall_core::document::Index;
use guildhall_store::{
    BlobError, BlobHash, BoxFuture, CommitError, Committed, CompactError, Compare, Condition,
    Entry, LeaseError, LeaseId, Op, Page, Range, ReadError, Snapshot, SnapshotError, Status, Store,
    Transaction, Unavailable, Watch, WatchError,
};
use serde_json::{Value, json};

use super::{base64, http, watch};

pub(crate) struct EtcdJson {
    address: SocketAddr,
    incarnation: u64,
    /// The highest revision that any answer mentioned.
    revision: AtomicU64,
}

/// A 64-bit number, which the gateway writes as text and leaves out when it is zero.
pub(super) fn number(value: &Value) -> u64 {
    value
        .as_str()
        .map_or(0, |text| text.parse().expect("a number"))
}

pub(super) fn entry(kv: &Value) -> Entry {
    let bytes = |field: &str| Bytes::from(base64::decode(kv[field].as_str().unwrap_or_default()));
    Entry {
        key: bytes("key"),
        value: bytes("value"),
        created: number(&kv["create_revision"]),
        modified: number(&kv["mod_revision"]),
        version: number(&kv["version"]),
        lease: LeaseId::new(number(&kv["lease"])),
        blobs: Box::default(),
    }
}

/// A prefix as etcd's half-open range.
pub(super) fn prefix_end(prefix: &[u8]) -> (String, String) {
    let all = base64::encode(&[0]);
    let start = if prefix.is_empty() {
        all.clone()
    } else {
        base64::encode(prefix)
    };
    let mut end = prefix.to_vec();
    while end.last() == Some(&0xff) {
        end.pop();
    }
    match end.last_mut() {
        None => (start, all),
        Some(last) => {
            *last += 1;
            (start, base64::encode(&end))
        }
    }
}

fn compare(compare: &Compare) -> Value {
    let key = base64::encode(&compare.key);
    let revision = |number: u64| Value::from(number.to_string());
    let (target, field, result, expected) = match &compare.condition {
        Condition::Absent => ("CREATE", "create_revision", "EQUAL", revision(0)),
        Condition::Present => ("CREATE", "create_revision", "GREATER", revision(0)),
        Condition::Created(at) => ("CREATE", "create_revision", "EQUAL", revision(*at)),
        Condition::Modified(at) => ("MOD", "mod_revision", "EQUAL", revision(*at)),
        Condition::Version(version) => ("VERSION", "version", "EQUAL", revision(*version)),
        Condition::Value(value) => ("VALUE", "value", "EQUAL", base64::encode(value).into()),
        Condition::Lease(lease) => (
            "LEASE",
            "lease",
            "EQUAL",
            revision(lease.map_or(0, LeaseId::get)),
        ),
    };
    json!({ "key": key, "target": target, "result": result, field: expected })
}

fn holds(condition: &Condition, entry: Option<&Entry>) -> bool {
    match (condition, entry) {
        (Condition::Absent, entry) => entry.is_none(),
        (_, None) => false,
        (Condition::Present, Some(_)) => true,
        (Condition::Created(at), Some(entry)) => entry.created == *at,
        (Condition::Modified(at), Some(entry)) => entry.modified == *at,
        (Condition::Version(version), Some(entry)) => entry.version == *version,
        (Condition::Value(value), Some(entry)) => entry.value == *value,
        (Condition::Lease(lease), Some(entry)) => entry.lease == *lease,
    }
}

impl EtcdJson {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let probe = http::post(address, "/v3/kv/range", &json!({ "key": "AA==" }))
            .await
            .unwrap();
        let incarnation = number(&probe["header"]["cluster_id"]);
        let etcd = Self {
            address,
            incarnation,
            revision: AtomicU64::new(0),
        };
        etcd.learn(&probe);
        etcd
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value, String> {
        let answer = http::post(self.address, path, &body).await?;
        self.learn(&answer);
        Ok(answer)
    }

    fn learn(&self, answer: &Value) {
        self.revision
            .fetch_max(number(&answer["header"]["revision"]), SeqCst);
    }

    fn at(&self, answer: &Value) -> Index {
        Index {
            incarnation: self.incarnation,
            revision: number(&answer["header"]["revision"]),
        }
    }

    async fn transact(&self, transaction: Transaction) -> Result<Committed, CommitError> {
        transaction.validate()?;
        if !transaction.blobs.is_empty() {
            return Err(Unavailable::Unsupported("blobs").into());
        }
        // etcd's compares hold for absent keys where zero is asked for, and it does not tell which one failed: so the
        // failure branch reads the entries back.
        let present = |compare: &&Compare| compare.condition != Condition::Absent;
        let compares = transaction.compare.iter().map(compare);
        let presence = transaction.compare.iter().filter(present);
        let presence = presence.map(|wanted| compare(&Compare::present(wanted.key.clone())));
        let compares: Vec<Value> = compares.chain(presence).collect();
        let operations = transaction.then.iter().map(|op| match op {
            Op::Put { key, value, lease, .. } => {
                let lease = lease.map_or(0, LeaseId::get).to_string();
                json!({ "request_put": { "key": base64::encode(key), "value": base64::encode(value), "lease": lease } })
            }
            Op::Delete { key } => json!({ "request_delete_range": { "key": base64::encode(key) } }),
        });
        let read =
            |compare: &Compare| json!({ "request_range": { "key": base64::encode(&compare.key) } });
        let body = json!({
            "compare": compares,
            "success": operations.collect::<Vec<_>>(),
            "failure": transaction.compare.iter().map(read).collect::<Vec<_>>(),
        });
        let lease = transaction.then.iter().find_map(|op| match op {
            Op::Put { lease, .. } => *lease,
            Op::Delete { .. } => None,
        });
        let answer = self
            .post("/v3/kv/txn", body)
            .await
            .map_err(|error| match lease {
                Some(lease) if error.contains("lease not found") => {
                    CommitError::LeaseUnknown { lease }
                }
                _ => CommitError::Unknown(error),
            })?;
        let index = self.at(&answer);
        let responses = answer["responses"]
            .as_array()
            .map_or(&[][..], Vec::as_slice);
        if answer["succeeded"].as_bool() != Some(true) {
            let failed =
                transaction
                    .compare
                    .iter()
                    .zip(responses)
                    .position(|(compare, response)| {
                        let entry = response["response_range"]["kvs"].get(0).map(entry);
                        !holds(&compare.condition, entry.as_ref())
                    });
            return Err(CommitError::Conflict {
                at: failed.expect("a compare that fails"),
                index,
            });
        }
        let changed = responses.iter().any(|response| {
            response.get("response_put").is_some()
                || number(&response["response_delete_range"]["deleted"]) > 0
        });
        Ok(Committed { index, changed })
    }

    async fn page(&self, range: Range) -> Result<Page, ReadError> {
        let (mut key, end) = prefix_end(&range.prefix);
        if let Some(after) = range.start_after.filter(|after| *after >= range.prefix) {
            key = base64::encode(&[&after[..], &[0]].concat());
        }
        let body = json!({
            "key": key,
            "range_end": end,
            "limit": range.limit.unwrap_or(0).to_string(),
            "revision": range.at.unwrap_or(0).to_string(),
        });
        let answer = self
            .post("/v3/kv/range", body)
            .await
            .map_err(|error| match range.at {
                Some(at) if error.contains("compacted") => ReadError::Compacted { oldest: at + 1 },
                _ => Unavailable::Unreachable(error).into(),
            })?;
        let entries = answer["kvs"].as_array().map_or(&[][..], Vec::as_slice);
        Ok(Page {
            entries: entries.iter().map(|kv| Arc::new(entry(kv))).collect(),
            revision: range.at.unwrap_or(number(&answer["header"]["revision"])),
            more: answer["more"].as_bool().unwrap_or(false),
        })
    }

    async fn lease(
        &self,
        path: &str,
        body: Value,
        lease: Option<LeaseId>,
    ) -> Result<Value, LeaseError> {
        self.post(path, body).await.map_err(|error| match lease {
            Some(lease) if error.contains("not found") => LeaseError::Unknown { lease },
            _ => Unavailable::Unreachable(error).into(),
        })
    }
}

impl Store for EtcdJson {
    fn get<'a>(&'a self, key: &'a [u8]) -> BoxFuture<'a, Result<Option<Arc<Entry>>, ReadError>> {
        Box::pin(async move {
            let answer = self
                .post("/v3/kv/range", json!({ "key": base64::encode(key) }))
                .await;
            let answer = answer.map_err(Unavailable::Unreachable)?;
            Ok(answer["kvs"].get(0).map(|kv| Arc::new(entry(kv))))
        })
    }

    fn range(&self, range: Range) -> BoxFuture<'_, Result<Page, ReadError>> {
        Box::pin(self.page(range))
    }

    fn commit(&self, transaction: Transaction) -> BoxFuture<'_, Result<Committed, CommitError>> {
        Box::pin(self.transact(transaction))
    }

    fn watch<'a>(
        &'a self,
        prefix: &'a [u8],
        from: Option<u64>,
    ) -> BoxFuture<'a, Result<Watch, WatchError>> {
        Box::pin(watch::start(self.address, prefix, from))
    }

    fn lease_grant(&self, ttl: Duration) -> BoxFuture<'_, Result<LeaseId, LeaseError>> {
        Box::pin(async move {
            if ttl.is_zero() {
                return Err(LeaseError::InvalidTtl);
            }
            let seconds = ttl.as_millis().div_ceil(1000).to_string();
            let answer = self
                .lease("/v3/lease/grant", json!({ "TTL": seconds }), None)
                .await?;
            Ok(LeaseId::new(number(&answer["ID"])).expect("a lease"))
        })
    }

    fn lease_keepalive(&self, lease: LeaseId) -> BoxFuture<'_, Result<Duration, LeaseError>> {
        Box::pin(async move {
            let body = json!({ "ID": lease.get().to_string() });
            let answer = self.lease("/v3/lease/keepalive", body, Some(lease)).await?;
            match number(&answer["result"]["TTL"]) {
                0 => Err(LeaseError::Unknown { lease }),
                seconds => Ok(Duration::from_secs(seconds)),
            }
        })
    }

    fn lease_revoke(&self, lease: LeaseId) -> BoxFuture<'_, Result<(), LeaseError>> {
        Box::pin(async move {
            let body = json!({ "ID": lease.get().to_string() });
            self.lease("/v3/lease/revoke", body, Some(lease))
                .await
                .map(drop)
        })
    }

    fn blob_put(&self, _bytes: Bytes) -> BoxFuture<'_, Result<BlobHash, BlobError>> {
        Box::pin(async { Err(Unavailable::Unsupported("blobs").into()) })
    }

    fn blob_get(&self, _hash: BlobHash) -> BoxFuture<'_, Result<Option<Bytes>, BlobError>> {
        Box::pin(async { Err(Unavailable::Unsupported("blobs").into()) })
    }

    fn compact(&self, revision: u64) -> BoxFuture<'_, Result<(), CompactError>> {
        Box::pin(async move {
            let body = json!({ "revision": revision.to_string() });
            match self.post("/v3/kv/compaction", body).await {
                Ok(_) => Ok(()),
                Err(error) if error.contains("has been compacted") => Ok(()),
                Err(error) if error.contains("future revision") => Err(CompactError::Future {
                    revision,
                    latest: self.index().revision,
                }),
                Err(error) => Err(Unavailable::Unreachable(error).into()),
            }
        })
    }

    fn snapshot(&self) -> BoxFuture<'_, Result<Snapshot, SnapshotError>> {
        Box::pin(async { Err(Unavailable::Unsupported("snapshots").into()) })
    }

    fn index(&self) -> Index {
        Index {
            incarnation: self.incarnation,
            revision: self.revision.load(SeqCst),
        }
    }

    fn status(&self) -> Status {
        Status {
            engine: "etcd",
            index: self.index(),
            compacted: 0,
            entries: 0,
            leases: 0,
            read_only: None,
        }
    }
}
