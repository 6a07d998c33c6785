//! Whether a document may change as it is asked to: files of configuration may ask for the approval of others.

use guildhall_core::access::{Caller, Verb, authorize};
use guildhall_core::config::Takes;
use guildhall_core::document::Document;

use crate::Error;
use crate::history::Standing;

/// Refuses what takes more than it has: `present` is to become `next`, or to go if that is `None`.
///
/// Every way of writing comes past here, with the document that its compare is on: what is approved is what is replaced.
pub(crate) fn approved(
    caller: &Caller,
    present: &Document,
    next: Option<&Document>,
    standing: Standing,
) -> Result<(), Error> {
    let Document::Config(file) = present else {
        return Ok(());
    };
    let next = match next {
        Some(Document::Config(next)) => Some(&next.spec),
        _ => None,
    };
    let Takes { approvals, admin } = file.spec.takes(next);
    let approved = match standing {
        Standing::Direct => 0,
        Standing::Approved(others) => others,
        Standing::Same | Standing::Proposed => return Ok(()),
    };
    let key = file.key();
    if admin {
        let (namespace, name) = (Some(&key.namespace), Some(&*key.name));
        authorize(caller, Verb::Admin, Some(key.kind), namespace, name)?;
    }
    if approvals > approved {
        return Err(Error::ApprovalRequired {
            key,
            required: approvals,
            approved,
        });
    }
    Ok(())
}
