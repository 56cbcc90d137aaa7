//! What is deployed: the unit's exposure, and what an image's build reads.

use std::process::Command;

/// As `systemd-analyze security` counts it: the whole exposure, 0 (closed) to 10.
fn exposure(unit: &str) -> f64 {
    let dir = tempfile::tempdir().expect("a folder");
    let path = dir.path().join("usher.service");
    std::fs::write(&path, unit).expect("written");
    let out = Command::new("systemd-analyze")
        .args(["security", "--offline=yes", "--no-pager"])
        .arg(&path)
        .output()
        .expect("systemd-analyze runs (Debian: systemd)");
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let line = said.lines().find(|line| line.contains("Overall exposure level"));
    let number = line.and_then(|line| line.split(": ").nth(1)).and_then(|rest| rest.split(' ').next());
    number.and_then(|number| number.parse().ok()).unwrap_or_else(|| panic!("no figure in: {said}"))
}

const UNIT: &str = include_str!("../../deploy/usher.service");

#[test]
fn the_units_exposure_is_two_or_less() {
    let seen = exposure(UNIT);
    assert!(seen <= 2.0, "the exposure is {seen}");
    // The twin: the same unit without its filter is seen as open.
    let open: String = UNIT
        .lines()
        .filter(|line| !line.starts_with("SystemCall") && !line.starts_with("Protect"))
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(exposure(&open) > 2.0);
}

/// Also without Docker: what `COPY . .` would take is listed by name, all else stays out.
#[test]
fn an_image_is_built_from_sources_alone() {
    let ignored = include_str!("../../.dockerignore");
    let mut lines = ignored.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    assert_eq!(lines.next(), Some("*"), "everything is left out first");
    for line in lines {
        let taken = line.strip_prefix('!').unwrap_or_else(|| panic!("{line:?} is no exception"));
        assert!(!taken.contains("usher-data") && !taken.contains('*'), "{taken}");
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(taken);
        assert!(path.exists(), "{taken} does not exist");
    }
}
