//! What the client gets of a backend's answer.

use guildhall_core::route::{Reason, table::RuleFilter};
use http::{
    HeaderValue, StatusCode, Version,
    header::{CONNECTION, UPGRADE},
};
use hyper::upgrade::OnUpgrade;

use super::{Answer, Answered};
use crate::{answer::Refusal, headers, policy, record::Record, upstream::Deadline};

/// Prepares a backend's answer for the client: hygiene, then the rule's filters.
pub(crate) async fn pass_on(
    record: &mut Record,
    answered: Answered,
    deadline: Option<Deadline>,
    upgrade: Option<(&HeaderValue, OnUpgrade)>,
    filters: &[RuleFilter],
    backend_filters: &[RuleFilter],
) -> Result<Answer, Refusal> {
    let upstream = answered.upstream;
    let (mut head, incoming) = answered.response.into_parts();
    let switched = headers::response_hygiene(&mut head.headers);
    head.version = Version::HTTP_11;
    for filter in filters.iter().chain(backend_filters) {
        if let RuleFilter::ResponseHeaders(edit) = filter {
            headers::edit(&mut head.headers, edit);
        }
    }
    record.reason = Reason::Forwarded;
    record.status = head.status.as_u16();
    if record.policed.is_some() {
        policy::pass_on(&mut head, record);
    }
    if head.status != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Answer::Upstream {
            head,
            incoming,
            upstream,
            deadline,
        });
    }
    // A tunnel only opens where the client asked for what the backend agreed to: otherwise one of
    // the two still speaks HTTP.
    const UNASKED: Refusal = Refusal::closing(
        Reason::UpstreamInvalid,
        "the instance switched to a protocol that was not asked for",
    );
    let (asked, client) = upgrade.ok_or(UNASKED)?;
    let protocol = switched
        .filter(|protocol| is_listed(protocol, asked))
        .ok_or(UNASKED)?;
    head.headers
        .insert(CONNECTION, HeaderValue::from_static("upgrade"));
    head.headers.insert(UPGRADE, protocol);
    let backend = Box::pin(upstream.into_tunnel()).await.ok_or(UNASKED)?;
    Ok(Answer::Tunnel {
        head,
        client,
        backend,
    })
}

/// Whether `protocol` is among those `asked` for.
fn is_listed(protocol: &HeaderValue, asked: &HeaderValue) -> bool {
    let mut listed = asked
        .as_bytes()
        .split(|byte| *byte == b',')
        .map(<[u8]>::trim_ascii);
    listed.any(|one| one.eq_ignore_ascii_case(protocol.as_bytes().trim_ascii()))
}
