//! The name of a test is one claim, short enough to be read at a glance.

use crate::common::sources::{rust_files, test_names};

const LONGEST: usize = 60;

/// Words that leave open who is meant, or that another would say more plainly.
const UNUSUAL: [&str; 4] = ["nobodys", "somebodys", "theirs", "whoever"];

fn faults(name: &str) -> Vec<String> {
    let mut faults = Vec::new();
    if name.len() > LONGEST {
        faults.push(format!("{} characters: {name}", name.len()));
    }
    faults.extend(UNUSUAL.iter().filter(|word| name.contains(*word)).map(|word| format!("{word}: {name}")));
    faults
}

#[test]
fn names_of_tests_have_at_most_60_characters() {
    let mut count = 0;
    let mut found = Vec::new();
    for folder in ["tests/it", "tests/quick"] {
        for (path, text) in rust_files(folder) {
            for name in test_names(&text) {
                count += 1;
                found.extend(faults(name).into_iter().map(|fault| format!("{path}: {fault}")));
            }
        }
    }
    assert!(count > 1_500, "only {count} tests were found");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn a_longer_name_is_noticed() {
    let name = "a".repeat(LONGEST);
    assert_eq!(faults(&name), Vec::<String>::new());
    assert_eq!(faults(&format!("{name}a")).len(), 1);
    assert_eq!(faults("whoever_asks_is_answered").len(), 1);
    let text =
        "#[test]\n#[ignore = \"slow\"]\nfn one() {}\nfn none() {}\n    #[test]\n    fn two(n in 0..9) {}\n";
    assert_eq!(test_names(text), ["one", "two"]);
}
