//! A user.

use serde::{Deserialize, Serialize};

use crate::{Record, Refusal, clock, id};

/// The most characters of a name or an address.
const LONGEST: usize = 200;

/// A user, as kept and as answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// `user_` and 16 hexadecimal digits.
    pub id: String,
    /// What they are called.
    pub name: String,
    /// Where they get mail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// RFC 3339, UTC.
    pub created_at: String,
}

/// `POST /users`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewUser {
    /// What they are called; 1 to 200 characters.
    pub name: String,
    /// Where they get mail.
    #[serde(default)]
    pub email: Option<String>,
}

impl NewUser {
    /// The user it asks for, with an id and the present time.
    pub(super) fn create(self) -> Result<User, Refusal> {
        if self.name.trim().is_empty() || self.name.chars().count() > LONGEST {
            return Err(Refusal::bad_request(format!(
                "name must have 1 to {LONGEST} characters"
            )));
        }
        if self
            .email
            .as_ref()
            .is_some_and(|email| !email.contains('@') || email.chars().count() > LONGEST)
        {
            return Err(Refusal::bad_request(
                "email is not an address such as ada@example.org",
            ));
        }
        Ok(User {
            id: id::new("user"),
            name: self.name,
            email: self.email,
            created_at: clock::timestamp(),
        })
    }
}

impl Record for User {
    fn id(&self) -> &str {
        &self.id
    }
}
