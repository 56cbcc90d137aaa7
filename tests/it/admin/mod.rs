//! The admin pages, as a browser without a screen sees them.

mod find;
