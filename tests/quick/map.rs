//! `docs/architecture.md` is the source's map: its rooms are those of `src/lib.rs`, which are those of
//! the layer test; its files are there, and none is visited twice on one way.

use std::collections::BTreeSet;
use std::path::Path;

use crate::layers;

/// What has no room.
const ENDS: [&str; 2] = ["lib", "main"];
const PAGE: &str = include_str!("../../docs/architecture.md");
const LIB: &str = include_str!("../../src/lib.rs");

/// The names in backticks in the first column of the first table of rooms in a text, row by row.
fn rows(text: &str) -> Vec<Vec<String>> {
    let rows = text
        .lines()
        .map(|line| line.trim_start_matches("//!").trim())
        .skip_while(|line| !line.starts_with("| room "))
        .take_while(|line| line.starts_with('|'))
        .skip(2);
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    cells.map(quoted).collect()
}

fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

fn rooms(text: &str) -> Vec<String> {
    rows(text).concat()
}

/// The ways of a map: the title of each, and the files of its steps.
fn ways(page: &str) -> Vec<(String, Vec<String>)> {
    let mut ways: Vec<(String, Vec<String>)> = Vec::new();
    let mut is_way = false;
    for line in page.lines() {
        if let Some(title) = line.strip_prefix("## ") {
            is_way = title.starts_with("The way of ");
            if is_way {
                ways.push((title.to_owned(), Vec::new()));
            }
        }
        let is_step = line.split_once(". ").is_some_and(|(n, _)| n.parse::<u32>().is_ok());
        if is_way && is_step {
            let files = quoted(line).into_iter().filter(|word| word.ends_with(".rs"));
            ways.last_mut().expect("a way").1.extend(files);
        }
    }
    ways
}

/// What is wrong with the ways of a map.
fn faults(page: &str) -> Vec<String> {
    let mut faults = Vec::new();
    for (title, files) in ways(page) {
        let mut seen = BTreeSet::new();
        for file in &files {
            if !Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file).is_file() {
                faults.push(format!("{title}: there is no src/{file}"));
            }
            if !seen.insert(file) {
                faults.push(format!("{title}: {file} is visited twice"));
            }
        }
    }
    faults
}

#[test]
fn the_map_has_the_rooms_of_the_source() {
    assert_eq!(rooms(PAGE), rooms(LIB));
    let in_lib: BTreeSet<String> = rooms(LIB).into_iter().collect();
    let declared: BTreeSet<String> = LIB
        .lines()
        .filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';'))
        .map(str::to_owned)
        .collect();
    assert_eq!(in_lib, declared);
    let held: BTreeSet<String> = layers::rooms()
        .map(|(name, _)| name)
        .filter(|name| !ENDS.contains(name))
        .map(str::to_owned)
        .collect();
    assert_eq!(in_lib, held);
}

#[test]
fn the_list_of_rooms_begins_at_the_ground() {
    let list = rows(LIB);
    let row_of = |name: &str| {
        list.iter().position(|row| row.iter().any(|room| room == name)).unwrap_or_else(|| panic!("{name}"))
    };
    for (name, may_use) in layers::rooms().filter(|(name, _)| !ENDS.contains(name)) {
        for used in may_use {
            assert!(row_of(used) <= row_of(name), "{name} may use {used}, which stands below it");
        }
    }
}

#[test]
fn each_way_goes_through_files_that_are_there() {
    let faults = faults(PAGE);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let ways = ways(PAGE);
    assert_eq!(ways.len(), 4);
    for (title, files) in ways {
        assert!(files.len() >= 8, "{title}: {files:?}");
    }
}

#[test]
fn a_map_that_is_wrong_is_named() {
    let page = "| room | what |\n|---|---|\n| `a`, `b` | c `d` |\n\n## The way of a test\n1. `clock.rs` x\n\
                2. `no.rs`, `main.rs` by `words`\n3. `clock.rs` y\n## Else\n1. `no.rs`\n";
    assert_eq!(rows(page), [["a", "b"]]);
    assert_eq!(
        faults(page),
        ["The way of a test: there is no src/no.rs", "The way of a test: clock.rs is visited twice"]
    );
}
