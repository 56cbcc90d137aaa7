//! The pages that a newcomer reads first: their commands run, their links lead somewhere, and
//! the map of the source is the source's.

mod blocks;
mod formats;
mod pages;
mod shell;

use std::fs;
use std::path::{Path, PathBuf};

/// A page of the repository.
pub struct Page {
    /// From the root, as `docs/tls.md`.
    pub name: String,
    pub text: String,
}

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

impl Page {
    pub fn read(name: &str) -> Page {
        Page { name: name.to_owned(), text: fs::read_to_string(root().join(name)).expect("a page") }
    }
}

/// Every page that is for people: in the root, and in docs/.
pub fn all() -> Vec<Page> {
    let mut names: Vec<PathBuf> = ["", "docs"]
        .iter()
        .flat_map(|folder| fs::read_dir(root().join(folder)).expect("a folder"))
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "md"))
        .collect();
    names.sort();
    let relative = |path: PathBuf| path.strip_prefix(root()).expect("in the root").display().to_string();
    let pages: Vec<Page> = names.into_iter().map(|path| Page::read(&relative(path))).collect();
    assert!(pages.len() > 12, "only {} pages were found", pages.len());
    pages
}
