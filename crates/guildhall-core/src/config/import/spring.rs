//! Names by Spring Cloud's convention: `{application}[-{profile}].{extension}`.

use super::{Options, set::Place};
use crate::config::SHARED;

/// The application whose files all applications get.
pub(super) const ALL: &str = "application";

/// Where a file named by the convention is: `users-prod.yaml` is the service's `application.yaml` in the environment,
/// `users.yaml` the one it has everywhere, `application-prod.yaml` the one that all share there. What stands after the
/// last `-` is a profile only if it is known as an environment: `user-service.yaml` is of a service.
///
/// A service that is mapped to `_` keeps its file's name, since all that is shared would be named alike otherwise.
pub(super) fn place(name: &str, extension: Option<&str>, options: &Options) -> Place {
    let stem = extension
        .and_then(|extension| name.strip_suffix(extension)?.strip_suffix('.'))
        .unwrap_or(name);
    let (application, profile) = match stem.rsplit_once('-') {
        Some((application, profile))
            if !application.is_empty() && options.is_environment(profile) =>
        {
            (application, profile)
        }
        _ => (stem, SHARED),
    };
    let file = |stem: &str| match extension {
        Some(extension) => format!("{stem}.{extension}"),
        None => stem.to_owned(),
    };
    match application {
        ALL => Place::new(SHARED, profile, &file(ALL)),
        shared if options.service(shared) == SHARED => Place::new(SHARED, profile, &file(shared)),
        service => Place::new(service, profile, &file(ALL)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_an_application_and_a_profile() {
        let mut options = Options::default();
        options.service_names.insert("redis".into(), SHARED.into());
        options
            .environment_names
            .insert("blue".into(), "prod-blue".into());
        for (name, extension, expect) in [
            (
                "users-prod.yaml",
                Some("yaml"),
                ("users", "prod", "application.yaml"),
            ),
            (
                "users.yaml",
                Some("yaml"),
                ("users", "_", "application.yaml"),
            ),
            (
                "user-service.yaml",
                Some("yaml"),
                ("user-service", "_", "application.yaml"),
            ),
            (
                "user-service-PROD.yml",
                Some("yml"),
                ("user-service", "PROD", "application.yml"),
            ),
            (
                "users-blue.json",
                Some("json"),
                ("users", "blue", "application.json"),
            ),
            (
                "application-dev.properties",
                Some("properties"),
                ("_", "dev", "application.properties"),
            ),
            (
                "application.yaml",
                Some("yaml"),
                ("_", "_", "application.yaml"),
            ),
            ("redis-dev.yaml", Some("yaml"), ("_", "dev", "redis.yaml")),
            ("users-prod", None, ("users", "prod", "application")),
            ("-prod", None, ("-prod", "_", "application")),
        ] {
            let (service, environment, file) = expect;
            assert_eq!(
                place(name, extension, &options),
                Place::new(service, environment, file),
                "{name}"
            );
        }
    }
}
