//! What Usher is made of: the licences, bans and sources that deny.toml allows hold for every crate
//! of the lock file, and the bill of materials lists each that is in the binary.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::LazyLock;

use serde_json::Value;

/// What `cargo metadata` says of the locked crates of all platforms.
static METADATA: LazyLock<Value> = LazyLock::new(|| {
    let out = Command::new(env!("CARGO"))
        .args(["metadata", "--locked", "--format-version", "1"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(out.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).expect("cargo writes JSON")
});

#[derive(Debug, Clone, serde::Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

/// The part of deny.toml that is checked, by cargo-deny's names.
#[derive(serde::Deserialize)]
struct Deny {
    licenses: Licenses,
    bans: Bans,
    sources: Sources,
}

#[derive(serde::Deserialize)]
struct Licenses {
    allow: BTreeSet<String>,
    exceptions: Vec<Exception>,
}

#[derive(serde::Deserialize)]
struct Exception {
    #[serde(rename = "crate")]
    name: String,
    allow: BTreeSet<String>,
}

#[derive(serde::Deserialize)]
struct Bans {
    #[serde(default)]
    deny: Vec<Named>,
    /// Pre-release crates that are in the binary all the same, each with its reason.
    skip: Vec<Named>,
}

#[derive(serde::Deserialize)]
struct Named {
    #[serde(rename = "crate")]
    name: String,
    #[serde(default)]
    reason: String,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

fn deny() -> Deny {
    toml::from_str(include_str!("../../deny.toml")).expect("deny.toml is read")
}

fn packages() -> Vec<Package> {
    serde_json::from_value(METADATA["packages"].clone()).expect("packages")
}

/// Usher and what it is built of on any platform, without what only tests and builds need.
fn in_the_binary() -> Vec<Package> {
    let nodes: BTreeMap<&str, &Value> = METADATA["resolve"]["nodes"]
        .as_array()
        .expect("nodes")
        .iter()
        .map(|node| (node["id"].as_str().expect("id"), node))
        .collect();
    let mut seen = BTreeSet::new();
    let mut left = vec![METADATA["resolve"]["root"].as_str().expect("root")];
    while let Some(id) = left.pop() {
        if seen.insert(id.to_owned()) {
            let deps = nodes[id]["deps"].as_array().expect("deps").iter();
            left.extend(deps.filter(|dep| linked(dep)).filter_map(|dep| dep["pkg"].as_str()));
        }
    }
    packages().into_iter().filter(|package| seen.contains(&package.id)).collect()
}

fn linked(dep: &Value) -> bool {
    dep["dep_kinds"].as_array().expect("kinds").iter().any(|kind| kind["kind"].is_null())
}

/// Why a crate may not be used under these rules; nothing if it may.
fn against(deny: &Deny, package: &Package) -> Option<String> {
    let who = format!("{} {}", package.name, package.version);
    if deny.bans.deny.iter().any(|banned| banned.name == package.name) {
        return Some(format!("{who} is banned"));
    }
    if let Some(source) = &package.source
        && !deny.sources.allow_registry.iter().any(|known| source == &format!("registry+{known}"))
    {
        return Some(format!("{who} comes from {source}"));
    }
    let Some(licence) = &package.license else {
        return Some(format!("{who} names no licence"));
    };
    let asked = match spdx::Expression::parse_mode(licence, spdx::ParseMode::LAX) {
        Ok(asked) => asked,
        Err(error) => return Some(format!("{who}: {licence}: {error}")),
    };
    let exception = deny.licenses.exceptions.iter().find(|exception| exception.name == package.name);
    let allowed = |licence: &str| {
        deny.licenses.allow.contains(licence)
            || exception.is_some_and(|exception| exception.allow.contains(licence))
    };
    (!asked.evaluate(|part| allowed(&part.to_string()))).then(|| format!("{who} is under {licence}"))
}

#[test]
fn every_crate_is_allowed_by_deny_toml() {
    let deny = deny();
    let against: Vec<_> = packages().iter().filter_map(|package| against(&deny, package)).collect();
    assert!(against.is_empty(), "{against:#?}");
}

#[test]
fn a_crate_that_is_not_allowed_is_found() {
    let mut deny = deny();
    let mut package = packages().into_iter().find(|package| package.name == "serde").expect("serde is used");
    assert_eq!(against(&deny, &package), None);
    package.license = Some("MIT AND GPL-3.0-only".to_owned());
    assert!(against(&deny, &package).is_some_and(|why| why.contains("GPL")));
    package.license = None;
    assert!(against(&deny, &package).is_some_and(|why| why.contains("no licence")));
    package.license = Some("MIT".to_owned());
    package.source = Some("git+https://example.com/serde".to_owned());
    assert!(against(&deny, &package).is_some_and(|why| why.contains("comes from")));
    package.source = None;
    deny.bans.deny.push(Named { name: "serde".to_owned(), reason: String::new() });
    assert!(against(&deny, &package).is_some_and(|why| why.contains("banned")));
}

#[test]
fn a_pre_release_crate_in_the_binary_has_a_reason() {
    let deny = deny();
    let early: Vec<_> = in_the_binary().into_iter().filter(|package| is_early(&package.version)).collect();
    for package in &early {
        let skip =
            deny.bans.skip.iter().find(|skip| skip.name == format!("{}@{}", package.name, package.version));
        assert!(
            skip.is_some_and(|skip| skip.reason.len() > 20),
            "{} {} has no reason",
            package.name,
            package.version
        );
    }
    for skip in &deny.bans.skip {
        assert!(
            early.iter().any(|package| skip.name == format!("{}@{}", package.name, package.version)),
            "{} is excused and not used",
            skip.name
        );
    }
    assert!(is_early("0.3.0-pre.0") && !is_early("0.11.1+wasi-snapshot-preview1") && !is_early("1.0.0"));
}

fn is_early(version: &str) -> bool {
    version.split('+').next().is_some_and(|numbers| numbers.contains('-'))
}

#[test]
fn the_bill_of_materials_lists_what_is_in_the_binary() {
    let out = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/sbom.py"))
        .env("CARGO", env!("CARGO"))
        .output()
        .expect("python3 runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let bill: Value = serde_json::from_slice(&out.stdout).expect("the bill is JSON");
    assert_eq!((&bill["bomFormat"], &bill["specVersion"]), (&"CycloneDX".into(), &"1.5".into()));
    let listed: BTreeMap<String, &Value> = bill["components"]
        .as_array()
        .expect("components")
        .iter()
        .map(|one| {
            (
                format!(
                    "{} {}",
                    one["name"].as_str().expect("name"),
                    one["version"].as_str().expect("version")
                ),
                one,
            )
        })
        .collect();
    let wanted: BTreeSet<_> = in_the_binary()
        .into_iter()
        .filter(|package| package.name != "usher")
        .map(|package| format!("{} {}", package.name, package.version))
        .collect();
    assert_eq!(listed.keys().cloned().collect::<BTreeSet<_>>(), wanted);
    for (name, one) in listed {
        assert_eq!(
            one["hashes"][0]["content"].as_str().map(str::len),
            Some(64),
            "{name} without its SHA-256"
        );
        assert!(one["licenses"][0]["expression"].is_string(), "{name} without its licence");
    }
}
