//! `guildhall config watch`: what a file comes to, whenever that changes.

use clap::Args;
use guildhall_api::{client::ConfigItem, wire::ConfigEvent};
use guildhall_core::config::seal::Sight;

use super::{File, For};
use crate::cli::{
    Failure,
    context::Context,
    manifest::word,
    output::{self, Format},
};

/// Print what a file's readers get, now and whenever it changes
#[derive(Debug, Args)]
pub(super) struct Watch {
    #[command(flatten)]
    file: File,
    #[command(flatten)]
    reader: For,
}

impl Watch {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let key = self.file.key(&context)?;
        let mut stream =
            context
                .client
                .watch_config(&key, self.reader.reader().as_ref(), Sight::Masked, None);
        let mut started = false;
        loop {
            let item = match stream.next().await {
                Ok(item) => item,
                // A watch that once worked takes itself up again; one that never did is a mistake.
                Err(error) if started && error.is_retryable() => {
                    output::warn(&format!("{error}; trying again"));
                    continue;
                }
                Err(error) => {
                    let what = format!("{} cannot be watched", word(&key));
                    return Err(Failure::call(what, &error));
                }
            };
            started = true;
            let line = match item {
                ConfigItem::Config(config) => shown(&config, context.output)?,
                ConfigItem::Problem(problem) => {
                    output::warn(&problem.detail);
                    continue;
                }
            };
            if !output::line(&line)? {
                return Ok(());
            }
        }
    }
}

fn shown(config: &ConfigEvent, format: Format) -> Result<String, Failure> {
    if format != Format::Table {
        let json = serde_json::to_string(config).map_err(output::unwritable)?;
        return Ok(json + "\n");
    }
    let versions = config.inputs.iter();
    let versions = versions.map(|input| input.to_string());
    let versions: Vec<String> = versions.collect();
    let content = match &config.content {
        Some(text) if text.is_empty() || text.ends_with('\n') => text.clone(),
        Some(text) => format!("{text}\n"),
        None => "(not text)\n".to_owned(),
    };
    Ok(format!("# {}\n{content}", versions.join(", ")))
}
