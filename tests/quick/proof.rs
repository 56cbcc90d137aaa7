//! What can be shown to an outsider. Each check stands beside what it must refuse: a check
//! that finds nothing wrong anywhere would pass no test in here.

mod audit;
mod canonical;
mod chain;
mod check;
mod page;
mod receipts;
mod signing;

use std::ops::Range;

use serde_json::Value;

use crate::common::receipts::*;

/// Every value that holds no other, with its path and its place in the text. The text is made
/// here, apart from the program's own.
fn leaves(value: &Value) -> (String, Vec<(String, Range<usize>)>) {
    fn walk(value: &Value, path: &str, text: &mut String, leaves: &mut Vec<(String, Range<usize>)>) {
        match value {
            Value::Object(fields) => {
                text.push('{');
                for (n, (name, value)) in fields.iter().enumerate() {
                    let sep = if n == 0 { "" } else { "," };
                    text.push_str(&format!("{sep}\"{name}\":"));
                    let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                    walk(value, &path, text, leaves);
                }
                text.push('}');
            }
            Value::Array(items) => {
                text.push('[');
                for (n, item) in items.iter().enumerate() {
                    text.push_str(if n == 0 { "" } else { "," });
                    walk(item, &format!("{path}[{n}]"), text, leaves);
                }
                text.push(']');
            }
            leaf => {
                let start = text.len();
                text.push_str(&leaf.to_string());
                leaves.push((path.to_owned(), start..text.len()));
            }
        }
    }
    let (mut text, mut found) = (String::new(), Vec::new());
    walk(value, "", &mut text, &mut found);
    (text, found)
}

/// The value at a path such as `counts[0].rows`.
fn at<'a>(value: &'a mut Value, path: &str) -> &'a mut Value {
    let pointer = format!("/{}", path.replace(['.', '['], "/").replace(']', ""));
    value.pointer_mut(&pointer).expect("a field")
}
