//! `guildhall export`: documents as files hold them, without what the platform owns.

use clap::Args;
use guildhall_api::client::ListQuery;
use guildhall_core::document::Kind;

use super::{
    Failure,
    context::Context,
    get, inline,
    manifest::word,
    output::{self, Format},
};

const EXAMPLES: &str = "\
Examples:
  guildhall export > everything.yaml            what users define, not what runs
  guildhall export httproutes -A
  guildhall export instances locks              runs and is held at the moment

What is exported can be applied elsewhere: guildhall apply -f everything.yaml";

/// What users define. Instances and locks are of the moment, and exported only when asked for.
const USUAL: [Kind; 6] = [
    Kind::Service,
    Kind::ServiceVersion,
    Kind::Gateway,
    Kind::HttpRoute,
    Kind::Policy,
    Kind::Config,
];

/// Print documents such that they can be applied again
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(super) struct Export {
    /// The kinds [default: services, serviceversions, gateways, httproutes, policies and configs]
    #[arg(value_name = "KIND")]
    kinds: Vec<String>,
    /// Only documents with such labels
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// From all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
}

impl Export {
    pub(super) async fn run(self, context: Context) -> Result<(), Failure> {
        let kinds = match self.kinds.as_slice() {
            [] => USUAL.to_vec(),
            words => words
                .iter()
                .map(|word| get::kind(word))
                .collect::<Result<_, _>>()?,
        };
        let namespace = (!self.all_namespaces).then_some(&context.namespace);
        let query = ListQuery {
            selector: self.selector,
            ..ListQuery::default()
        };
        let mut documents = Vec::new();
        for kind in kinds {
            let listed = context
                .client
                .list(kind, namespace, &query)
                .await
                .map_err(|error| {
                    Failure::call(format!("{} cannot be listed", kind.plural()), &error)
                })?;
            for why in &listed.skipped {
                output::warn(why);
            }
            for document in &listed.documents {
                let failed = |error| {
                    let what = format!("{} cannot be exported", word(&document.key()));
                    Failure::call(what, &error)
                };
                let whole = inline::whole(&context, document.portable(), None).await;
                documents.push(whole.map_err(failed)?);
            }
        }
        if context.output == Format::Json {
            return output::json(&serde_json::json!({"items": documents}));
        }
        for document in documents {
            output::text(&format!("---\n{}", output::to_yaml(&document)?))?;
        }
        Ok(())
    }
}
