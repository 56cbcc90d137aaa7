//! A place of copies that is a command.

use std::fs;
use std::time::{Duration, Instant};

use usher::archive::{Copied, Destination};

use super::script;
use crate::common::house::House;
use crate::process::wait_until;

#[test]
fn a_command_gets_the_path_and_no_shell_sees_it() {
    let house = House::on_disk();
    let packed = house.pack(b"data");
    let program = house.path().join("take");
    script(&program, "cd \"$(dirname \"$0\")\"\nfor word; do echo \"[$word]\"; done > words\n");
    let words = format!("{}  --to $HOME;ls  *", program.display());
    let place = Destination::command(&words, Duration::from_secs(30)).expect("a command");
    assert_eq!(place.copy_file(&packed.path).expect("a run"), Copied::Now);
    let told = fs::read_to_string(house.path().join("words")).expect("a file");
    assert_eq!(told, format!("[--to]\n[$HOME;ls]\n[*]\n[{}]\n", packed.path.display()));

    let ledger = house.path().join("erasures.ledger");
    fs::write(&ledger, "{}\n{}\n").expect("a ledger");
    assert_eq!(place.follow_ledger(&ledger, 3).expect("a run"), 3);
    assert!(fs::read_to_string(house.path().join("words")).expect("it").contains("erasures.ledger]"));
    fs::remove_file(house.path().join("words")).expect("a removal");
    assert_eq!(place.follow_ledger(&ledger, 3).expect("nothing new"), 0);
    assert!(!house.path().join("words").exists());
    assert_eq!(place.follow_ledger(&ledger, 6).expect("a run"), 3);
    assert!(
        !place
            .remove(packed.path.file_name().expect("a name").to_str().expect("UTF-8"))
            .expect("not ours to remove")
    );
    assert!(Destination::command("  ", Duration::from_secs(1)).is_none());
}

#[test]
fn a_command_that_fails_or_hangs_is_told_apart_and_ended() {
    let house = House::on_disk();
    let packed = house.pack(b"data");
    let program = house.path().join("take");
    let refusal = |body: &str, patience| {
        script(&program, body);
        let place = Destination::command(&program.display().to_string(), patience).expect("a command");
        place.copy_file(&packed.path).expect_err(body).to_string()
    };
    let long = Duration::from_secs(30);
    assert!(refusal("exit 3\n", long).ends_with("ended with exit status: 3"));
    assert!(refusal("kill -9 $$\n", long).ends_with("ended with signal: 9 (SIGKILL)"));
    let gone = Destination::command("/no/such/program", long).expect("a command");
    let gone = gone.copy_file(&packed.path).expect_err("missing").to_string();
    assert!(gone.starts_with("cannot run /no/such/program"), "{gone}");

    let started = Instant::now();
    let (pid, short) = (house.path().join("pid"), Duration::from_millis(500));
    let body = format!("sleep 1000 &\necho $! > {0}.new\nmv {0}.new {0}\nwait\n", pid.display());
    let words = refusal(&body, short);
    assert!(words.contains("did not end within 0 s and was stopped"), "{words}");
    assert!(started.elapsed() >= short && started.elapsed() < long);
    // What it had started is ended with it.
    let pid = fs::read_to_string(pid).expect("it had started").trim().to_owned();
    wait_until("its end", || {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        (status.is_empty() || status.contains("State:\tZ")).then_some(())
    });
}
