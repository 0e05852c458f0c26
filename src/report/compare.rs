//! Two results side by side: reading them back, and showing what has changed.

mod json;
mod read;
mod table;

pub use json::json;
pub use read::{Found, ReadError, folder};
pub use table::{differences, render};
