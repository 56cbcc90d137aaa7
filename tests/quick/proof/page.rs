//! The page of a receipt, rendered from the struct that its first lines describe.

use askama::Template;
use usher::clock;

use super::{ASKED, kept, receipt};

struct Page {
    title: String,
    theme: &'static str,
    flash: Option<Flash>,
}

struct Flash {
    tone: &'static str,
    text: String,
}

struct Time {
    iso: String,
    absolute: String,
}

struct Gone {
    label: String,
    rows: u64,
}

struct Stay {
    label: String,
    rows: u64,
    why: String,
}

struct Backup {
    name: String,
    made: Time,
    pruned: Time,
}

struct Failed {
    why: Option<String>,
    job_href: String,
}

#[derive(Template)]
#[template(path = "receipt.html")]
struct ReceiptPage {
    page: Page,
    file: String,
    hash: String,
    fault: Option<String>,
    failed: Option<Failed>,
    back_href: Option<String>,
    download_href: Option<String>,
    number: u64,
    place: u64,
    id: String,
    erasure: &'static str,
    right: String,
    origin: String,
    asked: Time,
    due: Time,
    began: Time,
    erased: Time,
    scrubbed: Time,
    verified: Time,
    completed: Time,
    counts: Vec<Gone>,
    since: Vec<Gone>,
    gone: u64,
    stays: Vec<Stay>,
    mentions: u64,
    some_rows: bool,
    first_version: bool,
    with_figures: bool,
    pages: u64,
    changed: u64,
    frames: u64,
    mode: &'static str,
    scan_bytes: u64,
    scan_pages: u64,
    needles: u64,
    needles_dropped: u64,
    took_ms: u64,
    backups: Vec<Backup>,
    installation: String,
    subject: String,
    key: String,
    signature: String,
    previous: Option<String>,
    ledger_id: String,
    ledger_seq: u64,
    ledger_head: String,
    audit_seq: u64,
    audit_head: String,
}

fn time(at: i64) -> Time {
    let iso = clock::rfc3339(at);
    let absolute = iso.replace('T', " ").replace('Z', " UTC");
    Time { iso, absolute }
}

fn page(theme: &'static str) -> ReceiptPage {
    let kept = kept(1);
    let r = kept.receipt.clone();
    let figures = &kept.figures;
    let rows = |went: Vec<usher::proof::receipt::Gone>| {
        went.into_iter().map(|gone| Gone { label: gone.label, rows: gone.rows }).collect::<Vec<_>>()
    };
    let (counts, since) = (rows(r.counts), rows(r.since.unwrap_or_default()));
    ReceiptPage {
        page: Page { title: "Receipt 1".into(), theme, flash: None },
        file: kept.file_name(),
        hash: usher::proof::hex::Hex::sha256(&receipt(1).bytes()).to_string(),
        fault: None,
        failed: None,
        back_href: Some("/admin/jobs".into()),
        download_href: Some("/admin/receipts/1.json".into()),
        number: r.number,
        place: figures.place,
        id: r.id.to_string(),
        erasure: r.asked.erasure.as_str(),
        right: r.asked.right,
        origin: "requested over the API".into(),
        asked: time(r.asked.at),
        due: time(r.asked.due),
        began: time(r.done.began_at),
        erased: time(r.done.erased_at),
        scrubbed: time(r.done.scrubbed_at),
        verified: time(r.done.verified_at),
        completed: time(r.done.completed_at),
        gone: counts.iter().chain(&since).map(|gone| gone.rows).sum(),
        counts,
        since,
        stays: r
            .stays
            .into_iter()
            .map(|stay| Stay { label: stay.label, rows: stay.rows, why: stay.why })
            .collect(),
        mentions: r.mentions,
        some_rows: false,
        first_version: false,
        with_figures: true,
        pages: figures.scrub.pages,
        changed: figures.scrub.changed,
        frames: figures.checkpoint.frames,
        mode: "changed pages",
        scan_bytes: figures.scan.bytes,
        scan_pages: figures.scan.pages,
        needles: figures.scan.needles,
        needles_dropped: figures.scan.needles_dropped,
        took_ms: figures.scan.took_ms,
        backups: r
            .backups
            .into_iter()
            .map(|backup| Backup {
                name: backup.name,
                made: time(backup.made_at),
                pruned: time(backup.pruned_at),
            })
            .collect(),
        installation: r.installation.to_string(),
        subject: r.subject.to_string(),
        key: r.key.to_string(),
        signature: r.signature.to_string(),
        previous: None,
        ledger_id: r.ledger.id.to_string(),
        ledger_seq: figures.ledger_seq,
        ledger_head: r.ledger.head.to_string(),
        audit_seq: figures.audit_seq,
        audit_head: r.audit.head.to_string(),
    }
}

#[test]
fn the_page_says_what_the_receipt_says() {
    let html = page("auto").render().expect("a page");
    let r = receipt(1);
    for fact in [
        "Receipt: an account and its activity were erased",
        "Number 1 in its project, 1 of all",
        "The signature is valid.",
        "requested over the API",
        "2026-01-19 12:30:00 UTC",
        "not stated",
        "events, interactions and logs",
        "added after the request</th><td class=\"num\">3</td>",
        "<strong>4912</strong>",
        "tells late events for 30 days — it says nothing of anybody",
        "in the project mentions this account in 2 places",
        "41 of 318 checked",
        "everything written since the erasure began",
        "5120 values; 12 skipped",
        "usher-20260118T030000Z-1a2b3c4d.backup",
        "none, this is the first",
        &format!("usher verify --receipt {} --key signing.pub<", kept(1).file_name()),
        &r.signature.to_string(),
        &r.key.to_string(),
        &r.subject.to_string(),
    ] {
        assert!(html.contains(fact), "{fact}\n{html}");
    }
    assert!(html.trim_start().starts_with("<!doctype html>"));
}

#[test]
fn the_page_needs_nothing_from_outside_and_no_script() {
    let html = page("dark").render().expect("a page");
    for never in ["http:", "https:", "//", "<script", "style=", "<style", "onclick", "<img", "<form"] {
        assert!(!html.contains(never), "{never}\n{html}");
    }
    assert!(html.contains("href=\"/static/usher.css\"") && html.contains("data-theme=\"dark\""));
}

#[test]
fn the_page_shows_a_fault_and_trusts_no_text() {
    let mut bad = page("light");
    bad.fault = Some("the signature is not valid: <b>".into());
    bad.right = "<script>alert(1)</script>".into();
    bad.failed = Some(Failed { why: Some("found in <i>".into()), job_href: "/admin/jobs/1".into() });
    bad.page.flash = Some(Flash { tone: "warn", text: "a & b".into() });
    let html = bad.render().expect("a page");
    assert!(html.contains("This receipt is not valid.") && !html.contains("The signature is valid."));
    assert!(
        html.contains("This erasure failed later.") && !html.contains("<i>") && !html.contains("tried again")
    );
    assert!(!html.contains("<b>") && !html.contains("<script>") && html.contains("a &#38; b"));
}

#[test]
fn the_page_of_a_short_receipt_says_so() {
    let mut short = page("auto");
    (short.erasure, short.mode) = ("account", "whole files");
    short.counts.clear();
    short.stays.clear();
    short.backups.clear();
    (short.mentions, short.back_href, short.download_href) = (0, None, None);
    short.previous = Some("ab".repeat(32));
    short.asked = time(ASKED - 1_000);
    let html = short.render().expect("a page");
    for fact in [
        "Receipt: an account was erased",
        "There was no data.",
        "No data of this account is kept.",
        "No backup contains this account.",
        "the whole files:",
        "2026-01-19 12:29:59 UTC",
        &"ab".repeat(32),
    ] {
        assert!(html.contains(fact), "{fact}");
    }
    assert!(!html.contains("users’ data") && !html.contains("Download") && !html.contains("Back<"));
    let mut one = page("auto");
    (one.erasure, one.mentions) = ("activity", 1);
    // The first that is there, after others that were lost.
    one.number = 4;
    let html = one.render().expect("a page");
    assert!(html.contains("it was no longer there"), "{html}");
    assert!(
        html.contains("the activity of an account")
            && html.contains("Other users’ data in the project mentions this account in one place.")
    );
    let mut old = page("auto");
    (old.first_version, old.mentions) = (true, 1);
    let html = old.render().expect("a page");
    assert!(html.contains("contains values of this account in one place") && !html.contains("of all"));
}
