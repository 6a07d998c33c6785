//! Who did not ask for configuration carries none of what reading, comparing and sealing it takes: the SDK without its
//! features, and the gateway. A dependency that a feature should have gated shows only in what cargo resolves.

use super::Finding;

/// What only the features of guildhall-core bring. (zeroize comes with TLS, too.)
const GATED: [&str; 6] = [
    "base64",
    "chacha20poly1305",
    "granit-parser",
    "jsonschema",
    "similar",
    "toml",
];

/// The crates that carry none of it, each as it is without features.
pub(crate) const LEAN: [&str; 3] = ["guildhall", "guildhall-api", "guildhall-gateway"];

/// What of [`GATED`] is among `packages`: the output of `cargo tree --prefix none` for a crate of [`LEAN`].
pub(crate) fn findings(name: &str, packages: &str) -> Vec<Finding> {
    let mut found: Vec<&str> = packages
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|package| GATED.contains(package))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
        .into_iter()
        .map(|package| {
            Finding::file(
                name,
                format!(
                    "carries {package} without being asked to; put what needs it behind a feature \
                     (cargo tree -p {name} -e normal -i {package} says who brings it)"
                ),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::render;

    fn check(packages: &str, expect: &str) {
        assert_eq!(render(&findings("guildhall", packages)), expect);
    }

    #[test]
    fn what_is_not_gated_passes() {
        check(
            "guildhall v0.1.0 (/w/crates/guildhall)\nserde v1.0.0\ntoml_datetime v1.0.0\n",
            "",
        );
    }

    #[test]
    fn a_parser_that_came_along_is_told_once() {
        check(
            "guildhall v0.1.0 (/w/crates/guildhall)\ntoml v1.0.0\ntoml v1.0.0 (*)\n",
            "guildhall: carries toml without being asked to; put what needs it behind a feature \
             (cargo tree -p guildhall -e normal -i toml says who brings it)",
        );
    }
}
