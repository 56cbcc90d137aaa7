//! What the pages as a whole must be: the README short, every page reachable, every link good.

use super::{Page, all, root};
use crate::process::usher;

/// The README has at most so many lines.
const README_MAX: usize = 150;

/// The targets of a page's links and pictures, without those to other sites.
fn targets(page: &Page) -> Vec<String> {
    let text = &page.text;
    let ends = [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"')];
    let mut found = Vec::new();
    for (begin, end) in ends {
        for (at, _) in text.match_indices(begin) {
            let rest = &text[at + begin.len()..];
            found.push(rest[..rest.find(end).expect("an end")].to_owned());
        }
    }
    found.retain(|target| !target.contains("://") && !target.starts_with("mailto:"));
    found
}

/// The names by which a page's headings are linked to: as GitHub makes them.
fn anchors(page: &Page) -> Vec<String> {
    let headings = page.text.lines().filter(|line| line.starts_with('#'));
    let words = headings.map(|line| line.trim_start_matches('#').trim().to_lowercase());
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, '-' | '_' | ' ');
    words.map(|text| text.chars().filter(kept).collect::<String>().replace(' ', "-")).collect()
}

/// The links of a page that lead nowhere.
fn dead(page: &Page) -> Vec<String> {
    let folder = root().join(&page.name).parent().expect("a folder").to_owned();
    let mut dead = Vec::new();
    for target in targets(page) {
        let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
        let at = folder.join(file);
        if !file.is_empty() && !at.exists() {
            dead.push(format!("{}: {target}", page.name));
            continue;
        }
        if anchor.is_empty() {
            continue;
        }
        let there = match file {
            "" => anchors(page),
            _ => {
                let text = std::fs::read_to_string(&at).expect("a page");
                anchors(&Page { name: target.clone(), text })
            }
        };
        if !there.iter().any(|known| known == anchor) {
            dead.push(format!("{}: {target}: no such heading", page.name));
        }
    }
    dead
}

#[test]
fn the_readme_is_short_and_leads_to_every_page() {
    let readme = Page::read("README.md");
    assert!(readme.text.lines().count() <= README_MAX, "{} lines", readme.text.lines().count());
    let links = targets(&readme);
    for page in all().iter().filter(|page| page.name != "README.md") {
        assert!(links.contains(&page.name), "{} is not linked from the README", page.name);
    }
}

#[test]
fn each_link_leads_somewhere() {
    let dead: Vec<String> = all().iter().flat_map(dead).collect();
    assert!(dead.is_empty(), "{}", dead.join("\n"));
}

#[test]
fn a_link_that_leads_nowhere_is_named() {
    let text =
        "# A title\n[a](#a-title) [b](#b) [c](nowhere.md) [d](tls.md#renewing) [e](https://example.com)\n";
    let page = Page { name: "docs/page.md".to_owned(), text: text.to_owned() };
    assert_eq!(dead(&page), ["docs/page.md: #b: no such heading", "docs/page.md: nowhere.md"]);
}

#[test]
fn pictures_are_small() {
    for name in ["user-light.webp", "user-dark.webp"] {
        let bytes = std::fs::read(root().join("docs/pictures").join(name)).expect("a picture");
        assert!(bytes.len() < 200_000, "{name}: {} bytes", bytes.len());
        assert!(bytes.starts_with(b"RIFF") && bytes[8..12] == *b"WEBP", "{name} is no picture");
    }
}

#[test]
fn one_version_of_rust_is_named_everywhere() {
    let toml = |name: &str| -> toml::Table {
        std::fs::read_to_string(root().join(name)).expect("a file").parse().expect("TOML")
    };
    let channel = toml("rust-toolchain.toml")["toolchain"]["channel"].as_str().expect("a text").to_owned();
    let least = toml("Cargo.toml")["package"]["rust-version"].as_str().expect("a text").to_owned();
    assert_eq!(channel.matches('.').count(), 2, "{channel} has three parts");
    assert!(channel.starts_with(&format!("{least}.")), "{channel}, and {least} in Cargo.toml");
    let image = std::fs::read_to_string(root().join("deploy/Dockerfile")).expect("a file");
    assert!(image.contains(&format!("FROM rust:{channel}-")), "{channel}, and another in the image");
    assert!(Page::read("README.md").text.contains(&format!("Rust](https://rustup.rs) {least} or newer")));
}

/// What is wrong with the form of a change log.
fn faults_of_changes(text: &str) -> Vec<String> {
    let (mut faults, mut heading) = (Vec::new(), "");
    let mut seen = std::collections::BTreeSet::new();
    for line in text.lines() {
        if line.starts_with("## ") {
            heading = "";
        } else if let Some(kind) = line.strip_prefix("### ") {
            heading = kind;
            if !["Added", "Changed", "Fixed"].contains(&kind) {
                faults.push(format!("{kind} is none of Added, Changed and Fixed"));
            }
        } else if let Some(change) = line.strip_prefix("- ") {
            if heading.is_empty() {
                faults.push(format!("under no heading: {change}"));
            }
            if !seen.insert(change) {
                faults.push(format!("twice: {change}"));
            }
        }
    }
    faults
}

#[test]
fn each_change_is_named_once_under_its_heading() {
    let faults = faults_of_changes(&Page::read("CHANGELOG.md").text);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert_eq!(
        faults_of_changes("## 1\n- a\n### Added\n- b\n- b\n### Broken\n"),
        ["under no heading: a", "twice: b", "Broken is none of Added, Changed and Fixed"]
    );
}

#[test]
fn each_flag_of_the_server_is_in_operations() {
    let output = usher(root(), &["serve", "--help"]).output().expect("it runs");
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    let named = said.lines().filter_map(|line| line.trim_start().strip_prefix("--"));
    let flags: Vec<String> = named
        .map(|rest| format!("--{}", rest.split([' ', '[', '=']).next().unwrap_or_default()))
        .filter(|flag| flag.len() > 2)
        .collect();
    assert!(flags.len() > 20, "{flags:?}");
    let page = Page::read("docs/operations.md").text;
    let missing: Vec<&String> = flags.iter().filter(|flag| !page.contains(flag.as_str())).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
