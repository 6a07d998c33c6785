//! How the fields of a policy are declared: once, with everything that is said about them.
//!
//! A field stands with its doc comment, its name in JSON, its default, where both come from, and what an edit of it
//! keeps. Type, merge, validation's paths and the reference (docs/reference/policies.md) are made from that, so that
//! none of them can say another thing; tests hold the default against what is compiled, and what is kept against the
//! machines.

/// A field, as the reference tells of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name in JSON.
    pub name: &'static str,
    /// Its type in Rust; [`reference`](super::reference) words it.
    pub rust_type: &'static str,
    /// Its default as JSON; `None` if it must be given, `"none"` if there is none, and in parentheses what depends on
    /// other fields.
    pub default: Option<&'static str>,
    /// Where its name and default come from.
    pub source: &'static str,
    /// What an edit of it keeps; empty for fields of an object, which the field that holds the object speaks for.
    pub keeps: &'static str,
    /// Its doc comment, line by line.
    pub doc: &'static [&'static str],
}

/// A type whose fields are described.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Described {
    /// The type's name.
    pub name: &'static str,
    /// For a section its field in a policy's spec, such as `retry`.
    pub section: Option<&'static str>,
    /// Its doc comment, line by line.
    pub doc: &'static [&'static str],
    /// Its fields, in the order of their declaration.
    pub fields: &'static [Field],
}

/// Declares a section: a field of the spec whose own fields are merged one by one.
macro_rules! section {
    (
        $(#[doc = $doc:literal])+
        $type:ident at $section:literal {
            $(
                $(#[doc = $field_doc:literal])+
                $field:ident $name:literal: $value:ty, default $default:literal, from $source:literal, keeps $keeps:literal;
            )+
        }
    ) => {
        $(#[doc = $doc])+
        ///
        /// A field that is absent leaves the word to less specific policies, and to its default where none has it.
        #[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $type {
            $(
                $(#[doc = $field_doc])+
                #[doc = ""]
                #[doc = concat!("Default: ", $default, ". From: ", $source, ". An edit keeps: ", $keeps, ".")]
                #[serde(rename = $name, skip_serializing_if = "Option::is_none")]
                pub $field: Option<$value>,
            )+
        }

        impl $type {
            /// Its fields, described.
            pub const DESCRIBED: $crate::policy::described::Described = $crate::policy::described::Described {
                name: stringify!($type),
                section: Some($section),
                doc: &[$($doc),+],
                fields: &[$($crate::policy::described::Field {
                    name: $name,
                    rust_type: stringify!($value),
                    default: Some($default),
                    source: $source,
                    keeps: $keeps,
                    doc: &[$($field_doc),+],
                },)+],
            };

            /// Takes what is absent here from `less`. `note` hears of every field that `less` has, and whether it was
            /// taken.
            pub(in crate::policy) fn fill(&mut self, less: &Self, note: &mut dyn FnMut(&'static str, bool)) {
                $(
                    if let Some(value) = &less.$field {
                        let taken = self.$field.is_none();
                        if taken {
                            self.$field = Some(value.clone());
                        }
                        note(concat!($section, ".", $name), taken);
                    }
                )+
            }
        }
    };
}

/// Declares an object: the value of a field, merged as a whole.
macro_rules! object {
    (
        $(#[doc = $doc:literal])+
        $type:ident {
            $(
                $(#[doc = $must_doc:literal])+
                $must:ident $must_name:literal: $must_value:ty, from $must_source:literal;
            )*
            $(optional
                $(#[doc = $may_doc:literal])+
                $may:ident $may_name:literal: $may_value:ty, default $default:literal, from $may_source:literal;
            )*
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $type {
            $(
                $(#[doc = $must_doc])+
                #[doc = ""]
                #[doc = concat!("From: ", $must_source, ".")]
                #[serde(rename = $must_name)]
                pub $must: $must_value,
            )*
            $(
                $(#[doc = $may_doc])+
                #[doc = ""]
                #[doc = concat!("Default: ", $default, ". From: ", $may_source, ".")]
                #[serde(rename = $may_name, default, skip_serializing_if = "Option::is_none")]
                pub $may: Option<$may_value>,
            )*
        }

        impl $type {
            /// Its fields, described.
            pub const DESCRIBED: $crate::policy::described::Described = $crate::policy::described::Described {
                name: stringify!($type),
                section: None,
                doc: &[$($doc),+],
                fields: &[
                    $($crate::policy::described::Field {
                        name: $must_name,
                        rust_type: stringify!($must_value),
                        default: None,
                        source: $must_source,
                        keeps: "",
                        doc: &[$($must_doc),+],
                    },)*
                    $($crate::policy::described::Field {
                        name: $may_name,
                        rust_type: stringify!($may_value),
                        default: Some($default),
                        source: $may_source,
                        keeps: "",
                        doc: &[$($may_doc),+],
                    },)*
                ],
            };
        }
    };
}

pub(in crate::policy) use {object, section};
