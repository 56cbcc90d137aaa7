//! The registry of holdings names every table and column there is, and no other.

use std::collections::BTreeSet;

use rusqlite::Connection;
use usher::store::data_inventory::TABLES;

use crate::common::app::TestApp;

#[test]
fn the_registry_is_all_tables_and_columns_of_the_schema() {
    let app = TestApp::new();
    assert_eq!(schema(&app.sqlite()), registry());
}

/// The twin: a column more, and a table more, are seen.
#[test]
fn a_column_or_table_that_the_registry_lacks_is_noticed() {
    let app = TestApp::new();
    let conn = app.sqlite();
    conn.execute_batch(
        "ALTER TABLE sessions ADD COLUMN shoe_size TEXT; CREATE TABLE notes (user_id INTEGER)",
    )
    .expect("a change");
    let missing: Vec<String> = schema(&conn).difference(&registry()).cloned().collect();
    assert_eq!(missing, ["notes.user_id", "sessions.shoe_size"]);
}

fn schema(conn: &Connection) -> BTreeSet<String> {
    let mut statement = conn
        .prepare(
            "SELECT t.name || '.' || c.name FROM sqlite_schema t, pragma_table_info(t.name) c
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%'",
        )
        .expect("the schema");
    let names = statement.query_map([], |row| row.get::<_, String>(0)).expect("the schema");
    names.map(|name| name.expect("a name")).collect()
}

fn registry() -> BTreeSet<String> {
    TABLES
        .iter()
        .flat_map(|table| table.columns.iter().map(|column| format!("{}.{}", table.name, column.name)))
        .collect()
}
