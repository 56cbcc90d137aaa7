//! Whether every row of every table reads: texts are UTF-8, JSON is JSON, numbers are in their range, words
//! are known. What is told names a table, a row's number and a column, never a value.

use rusqlite::types::ValueRef;

use super::value::params;
use super::{Db, from_sql};
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::model::{Erasure, JobStatus, Kind, Origin, PublicWrites, RegulationKind, Role, State, Step};
use crate::trace::LegalBasis;

/// Times that can be written down: the years -9999 to 9999.
const TIMES: std::ops::RangeInclusive<Millis> = -377_705_023_201_000..=253_402_207_200_000;

/// What the rows came to.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Rows {
    pub read: u64,
    pub faults: Vec<String>,
}

/// A column as the file declares it, and what may stand in it.
struct Column {
    name: String,
    declared: String,
    is_needed: bool,
    rule: Rule,
}

#[derive(Clone, Copy)]
enum Rule {
    /// What its type allows.
    Any,
    /// 0 or more.
    Number,
    Time,
    Flag,
    Bytes(usize),
    Object,
    List,
    Word(fn(&str) -> bool),
}

impl Rule {
    fn of(table: &str, column: &str, declared: &str) -> Rule {
        match (table, column) {
            ("users", "state") => Rule::Word(|word| State::parse(word).is_some()),
            ("users", "hidden_ground") | ("jobs", "ground") => {
                Rule::Word(|word| LegalBasis::parse(word).is_some())
            }
            ("events", "kind") => Rule::Word(|word| Kind::parse(word).is_some()),
            ("jobs", "erasure") => Rule::Word(|word| Erasure::parse(word).is_some()),
            ("jobs", "origin") => Rule::Word(|word| Origin::parse(word).is_some()),
            ("jobs", "status") => Rule::Word(|word| JobStatus::parse(word).is_some()),
            ("jobs", "step") => Rule::Word(|word| Step::parse(word).is_some()),
            ("projects", "public_writes") => Rule::Word(|word| PublicWrites::parse(word).is_some()),
            ("regulations", "kind") => Rule::Word(|word| RegulationKind::parse(word).is_some()),
            ("users", "attributes" | "extra") | ("events", "data") | ("jobs", "counts") => Rule::Object,
            ("projects", "placeholders") => Rule::List,
            (_, "incarnation" | "receipt") => Rule::Bytes(16),
            (
                "api_keys" | "old_secrets" | "admin_sessions" | "admin_links" | "audit" | "audit_heads",
                "hash",
            ) => Rule::Bytes(32),
            ("admins", "role") => Rule::Word(|word| Role::parse(word).is_some()),
            ("recovery_codes", "digest") => Rule::Bytes(32),
            // Hashes, and the number of a run beside times.
            (_, "message_key" | "word") | ("upkeep", "done_at") => Rule::Any,
            ("visitor_salts", "day") => Rule::Number,
            (_, "live_mode" | "deleted" | "ends_with_user" | "all_projects") => Rule::Flag,
            (_, name) if name.starts_with("is_") => Rule::Flag,
            (_, "at" | "day" | "until" | "first_seen" | "last_seen" | "cutoff") => Rule::Time,
            (_, name) if name.ends_with("_at") => Rule::Time,
            _ if declared == "INTEGER" => Rule::Number,
            _ => Rule::Any,
        }
    }
}

impl Column {
    /// What is wrong with a value of it.
    fn fault(&self, value: ValueRef) -> Option<&'static str> {
        match (self.declared.as_str(), value) {
            (_, ValueRef::Null) => self.is_needed.then_some("is missing"),
            ("INTEGER", ValueRef::Integer(number)) => self.rule.fault_of_number(number),
            ("INTEGER", _) => Some("is no whole number"),
            ("TEXT", ValueRef::Text(text)) => match std::str::from_utf8(text) {
                Ok(text) => self.rule.fault_of_text(text),
                Err(_) => Some("is not UTF-8"),
            },
            ("TEXT", _) => Some("is no text"),
            ("BLOB", ValueRef::Blob(bytes)) => match self.rule {
                Rule::Bytes(length) if bytes.len() != length => Some("is not as long as it should be"),
                _ => None,
            },
            ("BLOB", _) => Some("is no row of bytes"),
            _ => None,
        }
    }
}

impl Rule {
    fn fault_of_number(self, number: i64) -> Option<&'static str> {
        let is_good = match self {
            Rule::Number => number >= 0,
            Rule::Time => TIMES.contains(&number),
            Rule::Flag => [0, 1].contains(&number),
            _ => true,
        };
        (!is_good).then_some("is out of its range")
    }

    fn fault_of_text(self, text: &str) -> Option<&'static str> {
        match self {
            Rule::Object if serde_json::from_str::<serde_json::Map<_, _>>(text).is_err() => {
                Some("is no JSON object")
            }
            Rule::List if serde_json::from_str::<Vec<String>>(text).is_err() => {
                Some("is no JSON list of texts")
            }
            Rule::Word(is_known) if !is_known(text) => Some("is no word that this version knows"),
            _ => None,
        }
    }
}

/// Reads every row of every table. At most `limit` faults are told.
pub fn read_all(db: &Db, limit: usize) -> Result<Rows> {
    let tables = "SELECT name, wr FROM pragma_table_list
         WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name";
    let tables = db.rows(tables, &[], |row| Ok((row.get::<String>(0)?, row.get::<bool>(1)?)))?;
    let mut all = Rows::default();
    for (table, is_without_rowid) in tables {
        if let Err(error) = read_table(db, &table, is_without_rowid, limit, &mut all) {
            all.faults.push(format!("{table} cannot be read: {error}"));
        }
    }
    Ok(all)
}

fn read_table(db: &Db, table: &str, is_without_rowid: bool, limit: usize, all: &mut Rows) -> Result<()> {
    let columns = "SELECT name, type, \"notnull\" FROM pragma_table_info(?1) ORDER BY cid";
    let columns = db.rows(columns, params![table], |row| {
        let (name, declared) = (row.get::<String>(0)?, row.get::<String>(1)?);
        let rule = Rule::of(table, &name, &declared);
        Ok(Column { name, declared, is_needed: row.get(2)?, rule })
    })?;
    let names: Vec<String> = columns.iter().map(|column| format!("\"{}\"", column.name)).collect();
    // One that has no number is named by its place.
    let number = if is_without_rowid { "NULL" } else { "rowid" };
    let sql = format!("SELECT {number}, {} FROM \"{table}\" NOT INDEXED", names.join(", "));
    let mut statement = db.conn.prepare(&sql).map_err(from_sql)?;
    let mut rows = statement.query([]).map_err(from_sql)?;
    let (mut place, mut last) = (0_i64, None);
    loop {
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => return Ok(()),
            Err(error) => {
                let after =
                    last.map_or("from its first row on".to_owned(), |last| format!("after row {last}"));
                all.faults.push(format!("{table} cannot be read {after}: {}", words(error)));
                return Ok(());
            }
        };
        place += 1;
        all.read += 1;
        let number = row.get::<_, Option<i64>>(0).map_err(from_sql)?.unwrap_or(place);
        last = Some(number);
        for (n, column) in columns.iter().enumerate() {
            let value = row.get_ref(n + 1).map_err(from_sql)?;
            if let Some(fault) = column.fault(value)
                && all.faults.len() < limit
            {
                all.faults.push(format!("{table}, row {number}: {} {fault}", column.name));
            }
        }
    }
}

/// What SQLite says of a page, without what to do about it, which is said once.
fn words(error: rusqlite::Error) -> String {
    match from_sql(error) {
        Error::Damaged(what) => what,
        other => other.to_string(),
    }
}
