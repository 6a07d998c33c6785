//! Retries from outside: every reason against one, pauses, the server's wishes, and the budget.

mod budget;
mod policy;
