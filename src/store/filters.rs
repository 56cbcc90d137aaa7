//! How a condition of a list reads in SQL.

use super::users::Filter;
use super::value::Value;
use crate::model::UserId;

impl Filter {
    /// The condition, with its values appended to those of the query so far.
    pub(super) fn sql(&self, values: &mut Vec<Value<'static>>) -> String {
        let mut bind = |value: Value<'static>| {
            values.push(value);
            values.len()
        };
        match self {
            Filter::TextIs(field, text) => {
                format!("{} = ?{}", field.column(), bind(text.clone().into()))
            }
            // That it is there must be said, or SQLite would not use the index on e-mails.
            Filter::TextIsAlike(field, text) => {
                let (column, n) = (field.column(), bind(text.clone().into()));
                format!("({column} IS NOT NULL AND lower({column}) = lower(?{n}))")
            }
            // instr, for LIKE would read % and _ in the text as wildcards.
            Filter::TextContains(field, text) => {
                format!("instr(lower({}), lower(?{})) > 0", field.column(), bind(text.clone().into()))
            }
            Filter::TextFits(field, pattern) => {
                let n = bind(like(pattern).into());
                format!("lower({}) LIKE lower(?{n}) ESCAPE '\\'", field.column())
            }
            Filter::NumberIs(field, number) => {
                format!("{} = ?{}", field.column(), bind((*number).into()))
            }
            Filter::AtLeast(field, number) => {
                format!("{} >= ?{}", field.column(), bind((*number).into()))
            }
            Filter::AtMost(field, number) => {
                format!("{} <= ?{}", field.column(), bind((*number).into()))
            }
            Filter::Above(field, number) => {
                format!("{} > ?{}", field.column(), bind((*number).into()))
            }
            Filter::Below(field, number) => {
                format!("{} < ?{}", field.column(), bind((*number).into()))
            }
            Filter::Among(ids) => {
                let ids: Vec<String> = ids.iter().map(UserId::to_string).collect();
                let n = bind(format!("[{}]", ids.join(",")).into());
                format!("id IN (SELECT value FROM json_each(?{n}))")
            }
            Filter::Missing(field) => format!("{} IS NULL", field.column()),
            Filter::Identified => "identifier IS NOT NULL".to_owned(),
            Filter::Not(filter) => format!("({}) IS NOT TRUE", filter.sql(values)),
            Filter::All(filters) => joined(filters, " AND ", "TRUE", values),
            Filter::Any(filters) => joined(filters, " OR ", "FALSE", values),
        }
    }
}

fn joined(filters: &[Filter], word: &str, none: &str, values: &mut Vec<Value<'static>>) -> String {
    if filters.is_empty() {
        return none.to_owned();
    }
    let parts: Vec<String> = filters.iter().map(|filter| filter.sql(values)).collect();
    format!("({})", parts.join(word))
}

/// A pattern with `*` and `?` as one of LIKE's, whose own wildcards lose their meaning.
fn like(pattern: &str) -> String {
    let mut like = String::with_capacity(pattern.len());
    for c in pattern.chars() {
        match c {
            '*' => like.push('%'),
            '?' => like.push('_'),
            '%' | '_' | '\\' => {
                like.push('\\');
                like.push(c);
            }
            c => like.push(c),
        }
    }
    like
}
