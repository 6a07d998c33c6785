//! Promotion of files of configuration between environments.

use guildhall_core::document::DocumentKey;

use super::{Client, ClientError, PutOptions, call::Call, documents::prepared};
use crate::wire::{PromoteBody, PromotionList, path};

impl Client {
    /// Releases in another environment what `source` names: a file, or with `-` as the file all that its service has in its
    /// environment, in one transaction. With `dry_run` it says what that means and writes nothing.
    pub async fn promote_config(
        &self,
        source: &DocumentKey,
        body: &PromoteBody,
        options: &PutOptions,
    ) -> Result<PromotionList, ClientError> {
        let call = Call::post(path::promote(source)).json(body)?;
        self.call(prepared(call, options)?).await?.json()
    }
}
