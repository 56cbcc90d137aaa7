//! What a test needs of the machine: programs that `tests/run` installs, and a disk that can
//! be filled. Where it is missing a test is skipped, and says so; where `CI` is set, as by
//! `tests/run`, it fails.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

#[track_caller]
pub fn skipped(missing: &str) {
    assert!(std::env::var_os("CI").is_none(), "{missing}");
    eprintln!("SKIPPED: {missing}");
}

/// A program that `tests/run` installs.
#[track_caller]
pub fn installed(program: PathBuf) -> Option<PathBuf> {
    if program.exists() {
        return Some(program);
    }
    skipped(&format!("{} is missing; tests/run installs it", program.display()));
    None
}

/// A file system of its own with little room, in memory, for as long as this lives.
pub struct SmallDisk(TempDir);

impl SmallDisk {
    #[track_caller]
    pub fn of(kib: u32) -> Option<SmallDisk> {
        let disk = SmallDisk(tempfile::tempdir().expect("a directory"));
        if disk.mount(&["-t", "tmpfs", "-o", &format!("size={kib}k"), "tmpfs"]) {
            return Some(disk);
        }
        skipped("a file system can be mounted by root alone, or with sudo");
        None
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Gives it this much room in all.
    pub fn grow(&self, kib: u32) {
        assert!(self.mount(&["-o", &format!("remount,size={kib}k")]), "it cannot grow");
    }

    fn mount(&self, args: &[&str]) -> bool {
        self.run("mount", args)
    }

    /// As who we are, else as root without a password.
    fn run(&self, program: &str, args: &[&str]) -> bool {
        let mut plain = Command::new(program);
        let mut sudo = Command::new("sudo");
        sudo.args(["-n", program]);
        [&mut plain, &mut sudo].into_iter().any(|command| {
            let command = command.args(args).arg(self.path()).stdout(Stdio::null()).stderr(Stdio::null());
            command.status().is_ok_and(|status| status.success())
        })
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // What stays mounted is seen by whoever looks at the mounts; the test has said what it
        // had to say.
        self.run("umount", &[]);
    }
}
