//! The dependency graph that the services declared, and whom it hurts if one is gone.

use guildhall_core::document::{Namespace, ServiceName};
use guildhall_shop::{orders, users};

use super::{
    super::{
        picture,
        report::{Check, Report, Stop},
    },
    Stage,
};

pub(super) async fn play(stage: &mut Stage, report: &mut Report) -> Result<(), Stop> {
    let namespace = Namespace::default();
    let check = Check::that("the graph has the edge order-service → user-service")
        .expected("an edge from order-service to user-service")
        .look(stage.command("graph"));
    match stage.api.graph(Some(&namespace)).await {
        Ok(graph) => {
            let holds = graph
                .edges_to(users::NAME)
                .any(|edge| edge.from.as_str() == orders::NAME && edge.is_hard());
            let picture = picture::graph(&graph);
            report.check(check.seen(picture.clone()), holds);
            report.note(picture);
        }
        Err(error) => {
            report.check(check.seen(error.to_string()), false);
        }
    }
    let check = Check::that("and the impact says that order-service breaks without user-service")
        .expected("order-service breaks")
        .look(stage.command("impact user-service"));
    let impact = match ServiceName::new(users::NAME) {
        Ok(users) => stage
            .api
            .impact(&namespace, &users)
            .await
            .map_err(|error| error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    match impact {
        Ok(impact) => {
            let holds = impact
                .breaks
                .iter()
                .any(|affected| affected.service.as_str() == orders::NAME);
            let picture = picture::impact(&impact);
            report.check(check.seen(picture.clone()), holds);
            report.note(picture);
        }
        Err(error) => {
            report.check(check.seen(error), false);
        }
    }
    Ok(())
}
