//! Each reason that something is repaired, dropped or refused for has a meaning, and its line in the docs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use usher::people::reasons::REASONS;

/// Texts in quotes.
fn quoted(text: &str) -> Vec<String> {
    text.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// From a beginning to the first `end` after it, for each time that it is there.
fn parts<'a>(text: &'a str, from: &str, end: &str) -> Vec<&'a str> {
    let part = |(at, _): (usize, &str)| {
        let rest = &text[at + from.len()..];
        rest.find(end).map_or(rest, |end| &rest[..end])
    };
    text.match_indices(from).map(part).collect()
}

/// Every reason that the sources count something under.
fn reasons_in_sources() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeSet::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let text = fs::read_to_string(&path).expect("a text");
            // The field goes before the reason, if both stand there.
            for from in ["Repair::of(", "Repair::refused(", "repairs.note("] {
                for part in parts(&text, from, ");") {
                    let arguments = part.split_once(", ").map_or("", |(_, rest)| rest);
                    found.extend(quoted(arguments.lines().next().unwrap_or_default()).pop());
                }
            }
        }
    }
    // Where the reason is chosen elsewhere.
    let elsewhere = [
        ("model/intake.rs", "match self {\n            Dropped::Late", "\n        }"),
        ("model.rs", "pub fn check(text: &str) -> Result<(), &'static str> {", "\n    }"),
        ("api/segment/taking.rs", "fn mended_repairs(", "\n}"),
        ("api/segment/taking.rs", "fn wrong_repairs(", "\n}"),
        ("api/gainsight/cells.rs", "fn fault(kind: Kind)", "\n}"),
        ("api/gainsight/cells.rs", "const NO_OBJECT", ";"),
        ("api/gainsight/cells.rs", "const NO_TEXT", ";"),
        ("api/gainsight/cells.rs", "pub fn text_fault(", "\n}"),
    ];
    for (file, from, end) in elsewhere {
        let text = fs::read_to_string(root.join(file)).expect("a source");
        let parts = parts(&text, from, end);
        assert_eq!(parts.len(), 1, "{file} has no {from} any more: look where its reasons went");
        found.extend(quoted(parts[0]));
    }
    // A message as a whole has no field.
    found.remove("");
    found
}

#[test]
fn every_reason_in_the_sources_has_a_meaning() {
    let known: BTreeSet<String> = REASONS.iter().map(|(reason, _)| (*reason).to_owned()).collect();
    assert_eq!(known.len(), REASONS.len(), "each once");
    assert_eq!(reasons_in_sources(), known);
}

#[test]
fn the_docs_have_every_reason_and_its_meaning() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/repairs.md");
    let text = fs::read_to_string(path).expect("the page");
    let (fields, reasons) = text.split_once("\n## Reasons\n").expect("its second part");
    let rows: Vec<&str> = reasons.lines().filter(|line| line.starts_with("| `")).collect();
    let expected: Vec<String> =
        REASONS.iter().map(|(reason, meaning)| format!("| `{reason}` | {meaning} |")).collect();
    assert_eq!(rows, expected);
    for (reason, _) in REASONS {
        assert!(fields.contains(&format!("`{reason}`")), "no field leads to {reason}");
    }
}
