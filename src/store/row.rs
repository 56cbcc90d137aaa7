//! A row of an answer, and how SQLite takes and gives values.

use rusqlite::ToSql;
use rusqlite::types::{ToSqlOutput, ValueRef};

use super::from_sql;
use super::value::{FromValue, Value, odd_row};
use crate::error::Result;

pub struct Row<'r>(&'r rusqlite::Row<'r>);

/// A column by its place in the statement, or by its name.
pub trait Column: rusqlite::RowIndex {}
impl Column for usize {}
impl Column for &str {}

impl<'r> Row<'r> {
    pub(super) fn of(row: &'r rusqlite::Row<'r>) -> Row<'r> {
        Row(row)
    }

    /// [`crate::error::Error::Damaged`] if the column has a value of another kind.
    pub fn get<T: FromValue>(&self, column: impl Column) -> Result<T> {
        T::from_value(self.value(column)?).ok_or_else(odd_row)
    }

    /// What no column of ours has is a row of bytes: text that is no UTF-8, and fractions as an empty one.
    /// It reads as nothing else, and who looks for what is there still finds it.
    pub fn value(&self, column: impl Column) -> Result<Value<'_>> {
        Ok(match self.0.get_ref(column).map_err(from_sql)? {
            ValueRef::Null => Value::Null,
            ValueRef::Integer(number) => Value::Int(number),
            ValueRef::Text(text) => std::str::from_utf8(text)
                .map_or_else(|_| Value::Blob(text.into()), |text| Value::Text(text.into())),
            ValueRef::Blob(bytes) => Value::Blob(bytes.into()),
            ValueRef::Real(_) => Value::Blob([].as_slice().into()),
        })
    }

    /// A text, where it lies.
    pub fn text(&self, column: impl Column) -> Result<&str> {
        self.0.get_ref(column).map_err(from_sql)?.as_str().map_err(|_| odd_row())
    }

    /// The same where there may be none.
    pub fn text_or_null(&self, column: impl Column) -> Result<Option<&str>> {
        self.0.get_ref(column).map_err(from_sql)?.as_str_or_null().map_err(|_| odd_row())
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Int(number) => ValueRef::Integer(*number),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}
