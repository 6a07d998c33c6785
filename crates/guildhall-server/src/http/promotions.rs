//! Promotion: what one environment runs released in another.

use guildhall_api::wire::{PromoteBody, PromotionList};
use guildhall_control::config::Promote;
use guildhall_core::{
    config::ConfigName,
    document::{Kind, Problems},
};

use super::problem::{Refusal, invalid};
use super::{
    Api, accept,
    answer::{self, Answer},
    call::Call,
    problem, reading,
};

/// Stands for all files in a file's place.
const ALL: &str = "-";

/// `POST …/configs/{service}/{environment}/{file}/promote`
pub(crate) async fn promote(api: &Api, mut call: Call) -> Result<Answer, Refusal> {
    let key = call.key(Kind::Config)?;
    let bytes = call.read_body(api).await?;
    let PromoteBody {
        to,
        version,
        comment,
    } = accept::typed(&call.headers, &bytes)?;
    let mut options = call.write_options()?;
    options.comment = comment.or(options.comment);
    let dry_run = options.dry_run;
    let name = ConfigName::parse(&key.name)
        .map_err(|error| invalid(Problems::one("/metadata/name", error)))?;
    let asked = Promote {
        namespace: key.namespace.clone(),
        service: name.service.into(),
        from: name.environment.into(),
        file: (name.file != ALL).then(|| name.file.into()),
        to,
        version,
    };
    let control = api.control()?;
    reading::settle(api, &control, &call).await?;
    let configs = control.configs();
    let promoted = configs.promote(&call.caller, &asked, options);
    let promoted = promoted.await.map_err(problem::of)?;
    let mut answer = answer::json(&PromotionList {
        items: promoted.files,
    })?;
    if !dry_run {
        answer::set_index(&mut answer, promoted.index);
    }
    Ok(answer)
}
