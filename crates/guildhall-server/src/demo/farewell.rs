//! What is said when the story is over and everything stays up: where things are, and what to try.

use super::{cast::Role, places::loopback, story::Stage};

/// Addresses and things to try.
pub(super) fn farewell(stage: &Stage) -> String {
    let cast = &stage.cast;
    let (api, gateway) = (cast.api(), cast.gateway());
    let process = |role: Role, place: String| {
        (
            role.name(),
            format!("{place:<24} process {}", cast.process(role)),
        )
    };
    let at = |port| loopback(port).to_string();
    let ports = cast.ports;
    let places = [
        process(Role::Platform, api.clone()),
        process(Role::Gateway, gateway.clone()),
        process(Role::User(0), at(ports.users[0])),
        process(Role::User(1), at(ports.users[1])),
        process(Role::Order, at(ports.orders)),
        (
            "data and logs".to_owned(),
            cast.directory.path.display().to_string(),
        ),
    ];
    let create = format!(
        r#"curl -i {gateway}/users -H 'content-type: application/json' -d '{{"name":"Grace"}}'"#
    );
    let try_these = [
        (create, "create a user"),
        (
            format!("curl -i {gateway}/users"),
            "x-served-by says which instance answered",
        ),
        (
            format!("curl -i {gateway}/nowhere"),
            "guildhall-reason says why not",
        ),
        (format!("curl {api}/api/v1/status"), "how the platform is"),
        (stage.command("status"), "the same, for people"),
        (
            stage.command("instances user-service"),
            "where it is and whether it is well",
        ),
        (
            stage.command("watch instances"),
            "then kill -9 an instance in another terminal",
        ),
        (stage.command("graph"), "who depends on whom"),
        (
            stage.command("get httproutes -o yaml"),
            "the routes that the gateway serves",
        ),
    ];
    let mut text = String::from("\nEverything stays up.\n\n");
    for (what, place) in places {
        text += &format!("  {what:<16} {place}\n");
    }
    text += "\nTry:\n\n";
    for (command, why) in try_these {
        text += &format!("  {command}\n      {why}\n");
    }
    text += "\nCtrl-C ends it.\n";
    text
}
