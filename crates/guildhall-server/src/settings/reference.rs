//! The published reference of all settings, and the view of those in force.

use std::fmt::Write as _;

use super::{Loaded, Settings, Source};

/// The reference as Markdown; committed as `docs/reference/settings.md` and compared by a test.
pub(crate) fn reference() -> String {
    let mut page = String::from(
        "<!-- Generated: guildhall settings reference > docs/reference/settings.md -->\n\n# Settings\n\n\
         A node reads its settings from four places; each overrides those before it:\n\n\
         1. the defaults below,\n\
         2. a TOML file, given as `guildhall server --config FILE`,\n\
         3. environment variables, `GUILDHALL__SECTION__KEY`,\n\
         4. flags; `--set section.key=value` sets any.\n\n\
         A setting that does not exist is refused, with the nearest that does. `guildhall settings validate` checks \
         without starting anything, `guildhall settings show` says what is in force and where it comes from.\n\n\
         Durations are whole numbers with a unit: `250ms`, `30s`, `1h30m`. Sizes: `64KiB`, `1MiB`. In variables and \
         flags, the parts of a list are separated by commas.\n",
    );
    let fields = Settings::fields();
    for (section, about) in Settings::sections() {
        let _ = write!(page, "\n## [{section}]\n\n{}\n", prose(about));
        for field in fields.iter().filter(|field| field.section == section) {
            let _ = write!(page, "\n### {}\n\n{}\n\n", field.path(), prose(field.doc));
            let _ = writeln!(page, "- type: {}", field.kind);
            let _ = writeln!(page, "- default: `{}`", field.default);
            let _ = writeln!(page, "- variable: `{}`", field.variable());
            if let Some(flag) = field.flag {
                let _ = writeln!(page, "- flag: `{flag}`");
            }
            let _ = writeln!(page, "- example: `{} = {}`", field.key, field.example);
        }
    }
    page
}

fn prose(doc: &[&str]) -> String {
    let lines: Vec<&str> = doc.iter().map(|line| line.trim()).collect();
    lines.join("\n")
}

/// The settings in force as a TOML file that could be read back, secrets masked; `changed` leaves out defaults.
pub(crate) fn show(loaded: &Loaded, changed: bool) -> String {
    let mut page = String::new();
    let fields = Settings::fields();
    for (section, _) in Settings::sections() {
        let mut lines = String::new();
        for field in fields.iter().filter(|field| field.section == section) {
            let source = loaded
                .sources
                .get(&field.path())
                .unwrap_or(&Source::Default);
            if changed && *source == Source::Default {
                continue;
            }
            let value = loaded
                .settings
                .shown(section, field.key)
                .unwrap_or_default();
            let _ = writeln!(lines, "{} = {value}  # {source}", field.key);
        }
        if !lines.is_empty() {
            let gap = if page.is_empty() { "" } else { "\n" };
            let _ = write!(page, "{gap}[{section}]\n{lines}");
        }
    }
    page
}
