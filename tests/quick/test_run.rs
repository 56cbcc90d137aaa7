//! `tests/run` runs every test once: the quick ones, then those of `tests/it` by kind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::common::sources::{rust_files, test_names};

const RUN: &str = include_str!("../run");

/// The kinds that name their modules. The fourth, HTTP, is all others.
const NAMED: [&str; 3] = ["process", "browser", "clients"];

/// What a module cannot do without starting a process.
const STARTS: [&str; 6] =
    ["Command::new(", "Process::start", "Process::run(", "usher(", "SmallDisk::of(", "process::lines("];

/// The modules that the script names for each kind.
fn kinds(script: &str) -> BTreeMap<&'static str, Vec<String>> {
    let modules = |kind: &str| {
        let (_, rest) = script.split_once(&format!("\n{kind}='")).expect("the kind's list");
        let (list, _) = rest.split_once('\'').expect("its end");
        list.split_whitespace().map(str::to_owned).collect()
    };
    NAMED.map(|kind| (kind, modules(kind))).into()
}

/// Of each module of `tests/it`: its sources, and its tests as the test program names them.
struct Module {
    text: String,
    tests: Vec<String>,
}

fn modules() -> BTreeMap<String, Module> {
    let mut modules: BTreeMap<String, Module> = BTreeMap::new();
    for (path, text) in rust_files("tests/it") {
        let path = path.trim_end_matches(".rs").trim_end_matches("/mod").replace('/', "::");
        let top = path.split("::").next().expect("a name").to_owned();
        let module = modules.entry(top).or_insert(Module { text: String::new(), tests: Vec::new() });
        module.tests.extend(test_names(&text).iter().map(|test| format!("{path}::{test}")));
        module.text.push_str(&text);
    }
    modules.retain(|_, module| !module.tests.is_empty());
    modules
}

/// What is wrong with the lists.
fn faults(kinds: &BTreeMap<&str, Vec<String>>, modules: &BTreeMap<String, Module>) -> Vec<String> {
    let mut faults = Vec::new();
    let named: Vec<&String> = kinds.values().flatten().collect();
    for name in &named {
        if named.iter().filter(|other| other == &name).count() > 1 {
            faults.push(format!("{name} is named twice"));
        }
        if !modules.contains_key(*name) {
            faults.push(format!("{name} is named, and has no test in tests/it"));
        }
    }
    for (name, module) in modules {
        let starts = STARTS.iter().find(|word| module.text.contains(*word));
        if let Some(word) = starts.filter(|_| !named.contains(&name)) {
            faults.push(format!("{name} starts a process ({word}): name it in tests/run"));
        }
        // A filter is any part of a test's name: `cli::` takes those of `keys_cli::`, too.
        for test in &module.tests {
            let takes = |list: &&Vec<String>| list.iter().any(|name| test.contains(&format!("{name}::")));
            let kinds: Vec<&Vec<String>> = kinds.values().filter(takes).collect();
            if kinds.len() > 1 || kinds.iter().any(|list| !list.contains(name)) {
                faults.push(format!("{test} is run as another kind than {name}, or as two"));
            }
        }
    }
    faults
}

#[test]
fn every_module_is_run_as_one_kind() {
    let (kinds, modules) = (kinds(RUN), modules());
    assert!(modules.len() > 80 && modules.values().map(|module| module.tests.len()).sum::<usize>() > 1_000);
    let faults = faults(&kinds, &modules);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The twin: each way in which a test is left out, run twice, or run as another kind.
#[test]
fn a_list_that_is_wrong_is_noticed() {
    let good = kinds(RUN);
    let with = |kind: &'static str, module: &str| {
        let mut kinds = good.clone();
        kinds.get_mut(kind).expect("a kind").push(module.to_owned());
        kinds
    };
    let mut without = good.clone();
    without.get_mut("process").expect("a kind").retain(|name| name != "kills");
    for (kinds, word) in [
        (without, "kills starts a process"),
        (with("browser", "kills"), "kills is named twice"),
        (with("process", "gone"), "gone is named, and has no test"),
        // A part of `native_proofs::`.
        (with("process", "proofs"), "native_proofs::"),
    ] {
        let faults = faults(&kinds, &modules());
        assert!(faults.iter().any(|fault| fault.starts_with(word)), "{word}: {faults:?}");
    }
}

/// `tests/run` asks for the two programs alone.
#[test]
fn no_test_stands_outside_the_two_programs() {
    let programs: BTreeSet<String> = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests"))
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.join("main.rs").exists() || path.extension().is_some_and(|end| end == "rs"))
        .map(|path| path.file_name().expect("a name").to_string_lossy().into_owned())
        .collect();
    assert_eq!(programs, BTreeSet::from(["it".to_owned(), "quick".to_owned()]));
    for (path, text) in rust_files("src") {
        assert!(test_names(&text).is_empty(), "{path} has a test");
    }
}
