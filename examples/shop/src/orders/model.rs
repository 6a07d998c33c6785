//! An order.

use serde::{Deserialize, Serialize};

use crate::{Record, Refusal, clock, id};

/// The most characters of an item's name.
const LONGEST: usize = 200;
/// The most pieces in one order.
const MOST: u32 = 1000;

/// An order, as kept and as answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Order {
    /// `order_` and 16 hexadecimal digits.
    pub id: String,
    /// Who ordered.
    pub user_id: String,
    /// What.
    pub item: String,
    /// How many.
    pub quantity: u32,
    /// How far it is: `pending`.
    pub status: String,
    /// RFC 3339, UTC.
    pub created_at: String,
}

/// `POST /orders`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewOrder {
    /// Who orders: the id of a user of user-service.
    #[serde(default)]
    pub user_id: Option<String>,
    /// What; 1 to 200 characters.
    pub item: String,
    /// How many, 1 to 1,000; 1 if absent.
    #[serde(default = "one")]
    pub quantity: u32,
}

fn one() -> u32 {
    1
}

impl NewOrder {
    /// The user's id, if it can be one, once everything else has been found to be right.
    pub(super) fn customer(&self) -> Result<&str, Refusal> {
        if self.item.trim().is_empty() || self.item.chars().count() > LONGEST {
            return Err(Refusal::bad_request(format!(
                "item must have 1 to {LONGEST} characters"
            )));
        }
        if !(1..=MOST).contains(&self.quantity) {
            return Err(Refusal::bad_request(format!(
                "quantity must be 1 to {MOST}"
            )));
        }
        match self.user_id.as_deref() {
            None | Some("") => Err(Refusal::bad_request(
                "userId is missing: give the id of a user",
            )),
            Some(id) if !id::is_id(id) => Err(Refusal::bad_request("User not found")),
            Some(id) => Ok(id),
        }
    }

    /// The order it asks for, of a user that exists.
    pub(super) fn create(self, user_id: String) -> Order {
        Order {
            id: id::new("order"),
            user_id,
            item: self.item,
            quantity: self.quantity,
            status: "pending".to_owned(),
            created_at: clock::timestamp(),
        }
    }
}

impl Record for Order {
    fn id(&self) -> &str {
        &self.id
    }
}
