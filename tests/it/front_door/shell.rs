//! The `sh` blocks of each page run, one after the other, in a folder of their own: with the built
//! program as `usher`, beside a server on a free port in the place of 8080, which has a first
//! project, as the pages say. What a line ends with counts, and so does what an API answers.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::blocks::blocks;
use super::{Page, all};
use crate::needs::installed;
use crate::process::{Process, begin, directory, lines, usher};

/// In seconds, for a page: one that waits for what never comes ends.
const PATIENCE: &str = "600";

/// What stands before the blocks: a failure of any line, or of a pipe's part, ends it; an answer
/// that is an error is a failure; a demo is a small one.
const BEFORE: &str = r#"
set -euo pipefail
curl() { command curl --silent --show-error --fail-with-body --noproxy '*' "$@"; }
usher() {
    if [ "$1" = demo ] && [ $# = 1 ]; then set -- demo --users 60 --heavy 0; fi
    command usher "$@"
}
"#;

/// A folder with a running server in it, as somebody has it who follows a page.
struct Follower {
    folder: TempDir,
    server: Process,
    /// Of the first project.
    project: String,
    key: String,
    org: String,
}

impl Follower {
    fn new() -> Follower {
        let folder = directory();
        let data = folder.path().join("usher-data");
        begin(&data);
        let project = lines(&data, &["project", "list"]).remove(0);
        let project = project.split('\t').next().expect("a key").to_owned();
        let made = |args: &[&str]| lines(&data, &[&["key", "create"], args].concat()).remove(0);
        let key = made(&["--project", &project, "--name", "reader"]);
        let org = made(&["--org", "--name", "operator", "--scopes", "read,write,delete,admin"]);
        let server = Process::start(&data);
        Follower { folder, server, project, key, org }
    }

    /// Runs the blocks of a page; what they printed, or what failed and where.
    fn follow(&self, page: &Page) -> Result<String, String> {
        let programs = self.folder.path().join("programs");
        fs::create_dir(&programs).expect("a folder");
        let program = usher(Path::new("."), &[]).get_program().to_owned();
        symlink(program, programs.join("usher")).expect("a link");
        let mut script = BEFORE.to_owned();
        for block in blocks(page).iter().filter(|block| block.kind == "sh") {
            let address = self.server.base.trim_start_matches("http://");
            let text = block.text.replace("127.0.0.1:8080", address);
            script.push_str(&format!("echo '@ {}:{}' >&2\n{text}", page.name, block.line));
        }
        let path = std::env::var("PATH").expect("a path");
        let mut shell = Command::new("timeout");
        shell
            .args([PATIENCE, "bash", "-c", &script])
            .current_dir(self.folder.path())
            .env("PATH", format!("{}:{path}", programs.display()))
            .env("PROJECT_KEY", &self.project)
            .env("USHER_KEY", &self.key)
            .env("ORG_KEY", &self.org)
            .env_remove("USHER_DATA")
            .env_remove("RUST_LOG")
            .stdin(Stdio::null());
        let output = shell.output().expect("bash runs");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        match output.status.success() {
            true => Ok(said),
            false => Err(format!("{}\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr))),
        }
    }
}

/// What the commands of a page printed. None: there is no curl.
fn run(name: &str) -> Option<String> {
    installed(PathBuf::from("/usr/bin/curl"))?;
    Some(Follower::new().follow(&Page::read(name)).unwrap_or_else(|why| panic!("{why}")))
}

#[test]
fn the_commands_of_the_readme_run() {
    let Some(said) = run("README.md") else { return };
    let token = said.lines().find(|line| line.to_ascii_lowercase().starts_with("usher-receipt: "));
    assert!(token.is_some() && said.contains("Ann Lee"), "{said}");
    assert!(said.contains("good   receipts: "), "{said}");
}

#[test]
fn the_commands_of_using_run() {
    let Some(said) = run("docs/using.md") else { return };
    assert!(said.contains("completed"), "{said}");
}

#[test]
fn the_commands_of_every_other_page_run() {
    let mut run_here = 0;
    for page in all() {
        let has_commands = blocks(&page).iter().any(|block| block.kind == "sh");
        if has_commands && !["README.md", "docs/using.md"].contains(&page.name.as_str()) {
            let Some(_) = run(&page.name) else { return };
            run_here += 1;
        }
    }
    assert!(run_here >= 2, "only {run_here} pages have commands");
}

#[test]
fn a_command_that_fails_is_named() {
    let Some(_) = installed(PathBuf::from("/usr/bin/curl")) else { return };
    let page = |text: &str| Page { name: "docs/page.md".to_owned(), text: format!("```sh\n{text}\n```\n") };
    for (text, wanted) in [
        ("usher key creat", "unrecognized subcommand"),
        (
            "curl http://127.0.0.1:8080/v1/users/single?identifier=nobody -H \"Authorization: $USHER_KEY\"",
            "404",
        ),
        ("usher project show \"$NEVER_SET\"", "NEVER_SET: unbound variable"),
        ("false | cat", "docs/page.md:1"),
    ] {
        let why = Follower::new().follow(&page(text)).expect_err(text);
        assert!(why.contains("@ docs/page.md:1") && why.contains(wanted), "{text}: {why}");
    }
    assert_eq!(Follower::new().follow(&page("echo \"$PROJECT_KEY\" | wc -l")), Ok("1\n".to_owned()));
}
