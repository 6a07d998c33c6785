//! What is said when the story is over and everything stays up: where things are, and what to try.

use super::story::Stage;

/// Addresses and things to try.
pub(super) fn farewell(stage: &Stage) -> String {
    let cast = &stage.cast;
    let (api, gateway) = (cast.api(), cast.gateway());
    let [first, second] = cast.ports.users;
    let users = format!("127.0.0.1:{first}, 127.0.0.1:{second}");
    let places = [
        ("API", api.clone()),
        ("gateway", gateway.clone()),
        ("user-service", users),
        ("order-service", format!("127.0.0.1:{}", cast.ports.orders)),
        ("data and logs", cast.directory.path.display().to_string()),
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
            "then kill an instance in another terminal",
        ),
        (stage.command("graph"), "who depends on whom"),
        (
            stage.command("get httproutes -o yaml"),
            "the routes that the gateway serves",
        ),
    ];
    let mut text = String::from("\nEverything stays up.\n\n");
    for (what, place) in places {
        text += &format!("  {what:<14} {place}\n");
    }
    text += "\nTry:\n\n";
    for (command, why) in try_these {
        text += &format!("  {command}\n      {why}\n");
    }
    text += "\nCtrl-C ends it.\n";
    text
}
