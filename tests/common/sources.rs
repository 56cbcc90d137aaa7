//! The sources themselves, for tests that read them.

use std::fs;
use std::path::Path;

/// Every file of Rust in a folder of the repository: its path there, and its text.
pub fn rust_files(folder: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                let name = path.strip_prefix(&root).expect("in the folder").to_string_lossy().into_owned();
                files.push((name, fs::read_to_string(&path).expect("a text")));
            }
        }
    }
    files.sort();
    files
}

/// The names of the tests in a text.
pub fn test_names(text: &str) -> Vec<&str> {
    let mut names = Vec::new();
    let mut lines = text.lines().map(str::trim_start);
    while let Some(line) = lines.next() {
        if line.starts_with("#[test]") || line.starts_with("#[actix_web::test]") {
            // Other attributes may stand between.
            let name = lines.find_map(|line| {
                let name = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")?;
                name.split('(').next()
            });
            names.push(name.expect("a test has a name"));
        }
    }
    names
}
