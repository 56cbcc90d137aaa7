//! The examples of the five vendors' pages, sent as printed.
