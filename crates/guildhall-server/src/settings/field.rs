//! One declaration per setting: its type, default, doc comment and example, from which reading, validation and the
//! published reference all follow.

use super::value::Given;

/// What the reference says about one setting.
pub(crate) struct Field {
    /// The section it stands in.
    pub(crate) section: &'static str,
    /// Its name in that section.
    pub(crate) key: &'static str,
    /// Its doc comment, line by line.
    pub(crate) doc: &'static [&'static str],
    /// What it holds.
    pub(crate) kind: &'static str,
    /// Its default, as TOML.
    pub(crate) default: String,
    /// Another value it could have, as TOML.
    pub(crate) example: &'static str,
    /// The flag of `guildhall server` that sets it.
    pub(crate) flag: Option<&'static str>,
}

impl Field {
    /// `section.key`.
    pub(crate) fn path(&self) -> String {
        format!("{}.{}", self.section, self.key)
    }

    /// The environment variable that sets it.
    pub(crate) fn variable(&self) -> String {
        format!("GUILDHALL__{}__{}", self.section, self.key).to_uppercase()
    }
}

/// A section of the settings, as [`section!`] declares it.
pub(crate) trait Section: Default {
    /// Its name in the file.
    const NAME: &'static str;
    /// Its doc comment, line by line.
    const ABOUT: &'static [&'static str];

    /// Its settings, in the order of their declaration.
    fn fields() -> Vec<Field>;

    /// Reads the setting `key`; `None` if there is none of that name.
    fn assign(&mut self, key: &str, given: &Given) -> Option<Result<(), String>>;

    /// The setting `key` as TOML, secrets masked.
    fn shown(&self, key: &str) -> Option<String>;
}

/// Declares a section: `key: Type = default, "example as TOML" [, flag "--flag"];`, each with its doc comment.
macro_rules! section {
    ($(#[doc = $about:literal])+ $section:ident = $name:literal {
        $($(#[doc = $doc:literal])+ $key:ident: $type:ty = $default:expr, $example:literal $(, flag $flag:literal)?;)*
    }) => {
        $(#[doc = $about])+
        #[derive(Clone, Debug)]
        pub struct $section {
            $($(#[doc = $doc])+ pub $key: $type,)*
        }

        impl Default for $section {
            fn default() -> Self {
                Self { $($key: $default,)* }
            }
        }

        impl $crate::settings::field::Section for $section {
            const NAME: &'static str = $name;
            const ABOUT: &'static [&'static str] = &[$($about,)+];

            fn fields() -> Vec<$crate::settings::field::Field> {
                use $crate::settings::value::Value;
                let default = Self::default();
                vec![$($crate::settings::field::Field {
                    section: $name,
                    key: stringify!($key),
                    doc: &[$($doc,)+],
                    kind: <$type as Value>::TYPE,
                    default: default.$key.to_toml().to_string(),
                    example: $example,
                    flag: [$($flag,)?].first().copied(),
                },)*]
            }

            fn assign(
                &mut self,
                key: &str,
                given: &$crate::settings::value::Given,
            ) -> Option<Result<(), String>> {
                use $crate::settings::value::Value;
                match key {
                    $(stringify!($key) => Some(<$type as Value>::read(given).map(|value| self.$key = value)),)*
                    _ => None,
                }
            }

            fn shown(&self, key: &str) -> Option<String> {
                use $crate::settings::value::Value;
                match key {
                    $(stringify!($key) => Some(self.$key.shown()),)*
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use section;
