//! The blocks of a page: which are commands that a test runs (`sh`), which are commands that need root,
//! a network or a service (`console`, each listed here), and which are data.

use std::collections::BTreeSet;

use super::{Page, all};

/// What a block of a page may be.
const DATA: [&str; 5] = ["text", "json", "yaml", "js", ""];

/// The commands that no test runs: the page, the first command, and why.
const CONSOLE: &[(&str, &str, &str)] = &[
    ("CONTRIBUTING.md", "cargo run --release", "network: it fetches crates"),
    ("CONTRIBUTING.md", "cargo test --test it segment::", "network: it fetches crates"),
    ("CONTRIBUTING.md", "docs/pictures/make", "service: a browser"),
    ("README.md", "cargo run --release", "network: it fetches crates"),
    ("README.md", "tests/run", "root and network: it installs programs"),
    ("docs/behind-a-proxy.md", "usher serve --public-url https://usher.example.com", "service: a proxy"),
    ("docs/finding-users.md", "usher user find", "service: a user of that name"),
    (
        "docs/finding-users.md",
        "curl -s https://usher.example.com/api/users/search",
        "service: a server of that name",
    ),
    ("docs/formats.md", "tail -n +2 usher-20261124T215500Z-1a2b3c4d.backup", "service: the program age"),
    ("docs/importing.md", "usher import users.csv", "service: a file of that name"),
    ("docs/importing.md", "usher import usher-export.ndjson.gz", "service: a file of that name"),
    (
        "docs/importing.md",
        "aws s3 cp --recursive s3://my-bucket/segment-logs/ segment-logs/",
        "network: a bucket",
    ),
    ("docs/importing.md", "usher import --from posthog events.jsonl.gz", "service: a file of that name"),
    ("docs/importing.md", "curl -u \"$SECRET:\"", "network: an account"),
    ("docs/importing.md", "curl -u \"$KEY:$SECRET\"", "network: an account"),
    ("docs/importing.md", "usher import visits.json", "service: a file of that name"),
    ("docs/importing.md", "usher import auth0-users.json.gz", "service: a file of that name"),
    ("docs/importing.md", "firebase auth:export users.json", "network: an account"),
    ("docs/importing.md", "usher import --from csv --map userId=Nr", "service: a file of that name"),
    ("docs/importing.md", "curl --data-binary @users.csv", "service: a server of that name"),
    ("docs/operations.md", "usher serve", "service: it serves until it is stopped"),
    (
        "docs/operations.md",
        "usher serve --backup-every 24 --backup-copy /mnt/other-disk",
        "root: a mounted disk",
    ),
    ("docs/operations.md", "systemctl stop usher", "root and a service: systemd"),
    ("docs/operations.md", "usher restore /mnt/other-disk/", "root: a mounted disk"),
    ("docs/operations.md", "usher serve --read-only", "root: a mounted disk"),
    ("docs/signing-in.md", "usher admin totp-off NAME", "service: an authenticator app"),
    ("docs/tls.md", "usher serve --listen 0.0.0.0:443", "root: a port below 1024"),
    ("docs/tls.md", "certbot certonly", "network: a certificate authority"),
    ("docs/tls.md", "#!/bin/sh", "root: a hook of certbot's"),
];

pub struct Block {
    /// Of the line that opens it, from 1.
    pub line: usize,
    pub kind: String,
    pub text: String,
}

impl Block {
    /// Its first line, without a prompt.
    fn first(&self) -> &str {
        let line = self.text.lines().next().unwrap_or_default();
        line.strip_prefix("$ ").unwrap_or(line)
    }
}

/// The fenced blocks of a page, in their order.
pub fn blocks(page: &Page) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut is_open = false;
    for (n, line) in page.text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), is_open) {
            (Some(kind), false) => {
                found.push(Block { line: n + 1, kind: kind.trim().to_owned(), text: String::new() });
                is_open = true;
            }
            (Some(_), true) => is_open = false,
            (None, true) => {
                let block = found.last_mut().expect("an open block");
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, false) => {}
        }
    }
    assert!(!is_open, "{}: a block has no end", page.name);
    found
}

/// What is wrong with the kinds of a page's blocks.
fn faults(page: &Page) -> Vec<String> {
    let mut faults = Vec::new();
    for block in blocks(page) {
        let at = format!("{}:{}", page.name, block.line);
        match block.kind.as_str() {
            "sh" => {}
            "console" => {
                let is_listed = |(name, first, _): &&(&str, &str, &str)| {
                    *name == page.name && block.first().starts_with(first)
                };
                if !CONSOLE.iter().any(|listed| is_listed(&listed)) {
                    faults.push(format!("{at}: a console block that is not listed: {}", block.first()));
                }
            }
            kind if DATA.contains(&kind) => {
                let is_command = |line: &str| {
                    ["$ ", "usher ", "curl ", "cargo ", "sudo "].iter().any(|word| line.starts_with(word))
                };
                if let Some(line) = block.text.lines().find(|line| is_command(line)) {
                    faults.push(format!("{at}: a command in a block that is none: {line}"));
                }
            }
            kind => faults.push(format!("{at}: a block of kind {kind:?}: sh, console, or {DATA:?}")),
        }
        if block.kind == "json" && !block.text.contains('…') {
            let lines = block.text.lines().map(serde_json::from_str::<serde_json::Value>);
            let whole = serde_json::from_str::<serde_json::Value>(&block.text);
            if whole.is_err() && lines.into_iter().any(|line| line.is_err()) {
                faults.push(format!("{at}: it is no JSON"));
            }
        }
    }
    faults
}

#[test]
fn each_block_is_run_listed_or_data() {
    let faults: Vec<String> = all().iter().flat_map(faults).collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    // And none is listed that is not there.
    let there: BTreeSet<(String, String)> = all()
        .iter()
        .flat_map(|page| blocks(page).into_iter().map(|block| (page.name.clone(), block)))
        .filter(|(_, block)| block.kind == "console")
        .map(|(name, block)| (name, block.first().to_owned()))
        .collect();
    for (name, first, why) in CONSOLE {
        let needs = ["root", "network", "service"].iter().any(|need| why.starts_with(need));
        assert!(needs, "{name}: {first}: {why}");
        assert!(there.iter().any(|(page, line)| page == name && line.starts_with(first)), "{name}: {first}");
    }
}

#[test]
fn a_block_of_no_kind_is_named() {
    let page = |text: &str| Page { name: "docs/page.md".to_owned(), text: text.to_owned() };
    for (text, wanted) in [
        ("```bash\nusher verify\n```\n", "a block of kind \"bash\""),
        ("```console\n$ rm -r /\n```\n", "not listed: rm -r /"),
        ("```text\nusher verify\n```\n", "a command in a block that is none"),
        ("\n```json\n{\"a\": 1,}\n```\n", "docs/page.md:2: it is no JSON"),
    ] {
        let found = faults(&page(text));
        assert!(found.len() == 1 && found[0].contains(wanted), "{text}: {found:?}");
    }
    assert!(
        faults(&page("```sh\nusher verify\n```\n```text\nwords\n```\n```json\n{}\n{}\n```\n")).is_empty()
    );
}
