//! How fast users are found by a part of their names, in this process, and what the names take:
//! `cargo bench --bench find -- [USERS]`. Prints a line a kind of search, with its median and its 99th
//! percentile.

#![allow(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "it prints what it finds out, and ends where it cannot"
)]

use std::hint::black_box;
use std::time::{Duration, Instant};

use usher::find::{Change, Find, Names, Query};
use usher::model::{ProjectId, UserId};

const PROJECT: ProjectId = ProjectId(1);
const USERS: i64 = 1_000_000;
const ROUNDS: usize = 60;
const PAGE: usize = 51;

const FIRST: [&str; 20] = [
    "Anna",
    "Björn",
    "Carla",
    "Dmitri",
    "Eva",
    "François",
    "Giulia",
    "Hans",
    "Ines",
    "Jürgen",
    "Kemal",
    "Lena",
    "Mario",
    "Nadja",
    "Olaf",
    "Petra",
    "Quentin",
    "Renée",
    "Søren",
    "Tomasz",
];
const LAST: [&str; 20] = [
    "Smith",
    "Müller",
    "García",
    "Rossi",
    "Nowak",
    "Johnson",
    "Andersson",
    "Ivanov",
    "Dubois",
    "Fischer",
    "O'Neill",
    "Kowalski",
    "Haugen",
    "Schröder",
    "Lopez",
    "Weber",
    "Petrov",
    "Martin",
    "Jensen",
    "Costa",
];

/// What the user of a number is called.
fn names(n: i64) -> Names {
    let number = usize::try_from(n).expect("a number");
    let (first, last) = (FIRST[number * 7 % 20], LAST[number / 20 % 20]);
    let mut names = Names::default();
    names.identifier = Some(format!("user-{:08x}", n.wrapping_mul(2_654_435_761) & 0xffff_ffff));
    names.email = Some(format!("{}.{}{n}@example.com", first.to_lowercase(), last.to_lowercase()));
    names.first_name = Some(first.to_owned());
    names.last_name = Some(last.to_owned());
    names
}

/// Memory of this process that is in use, in MB.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kilobytes = line.split_whitespace().next().and_then(|number| number.parse::<f64>().ok());
    kilobytes.unwrap_or_default() / 1_024.0
}

fn measure(what: &str, texts: &[String], run: impl Fn(&Query) -> usize) {
    let (mut times, mut found) = (Vec::new(), 0);
    for n in 0..ROUNDS {
        let query = Query::new(&texts[n % texts.len()]).expect("a text");
        let started = Instant::now();
        found += black_box(run(&query));
        times.push(started.elapsed());
    }
    times.sort();
    let at = |percent: usize| times[(times.len() - 1) * percent / 100];
    println!("{what:<8} median {:>10.2?}  p99 {:>10.2?}  hits {}", at(50), at(99), found / ROUNDS);
}

fn each(what: &str, count: i64, change: impl Fn(i64) -> Change, find: &Find) {
    let changes: Vec<Change> = (0..count).map(change).collect();
    let started = Instant::now();
    changes.into_iter().for_each(|change| find.apply(vec![change]));
    let time = started.elapsed() / u32::try_from(count).expect("a number");
    println!("{what:<8} {time:.2?} each");
}

fn main() {
    let users = std::env::args().skip(1).find_map(|word| word.parse().ok()).unwrap_or(USERS);
    let (before, started) = (resident(), Instant::now());
    let (find, mut making) = (Find::default(), Duration::ZERO);
    find.begin();
    for from in (0..users).step_by(10_000) {
        let began = Instant::now();
        let stretch: Vec<_> =
            (from..users.min(from + 10_000)).map(|n| (PROJECT, UserId(n * 1_000), names(n))).collect();
        making += began.elapsed();
        find.load(stretch);
    }
    find.finish();
    println!("built    {users} users in {:.2?}, {:.1} MB", started.elapsed() - making, resident() - before);

    let page = |query: &Query| find.page(&[PROJECT], query, None, PAGE).hits.len();
    let of = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<String>>();
    let mails: Vec<String> = (1..20).filter_map(|n| names(users * n / 20).email.clone()).collect();
    measure("exact", &mails, page);
    measure("prefix", &of(&["ann", "user-00", "bjö"]), page);
    measure("absent", &of(&["zzzz", "qqqqxy"]), page);
    measure("part", &of(&["haugen9999", "ller777", "99999@"]), page);
    measure("words", &of(&["smith anna", "o'neill jürgen", "777 smith"]), page);
    measure("worst", &of(&["x", "e", "@example", "a e"]), page);
    let slips: Vec<String> = mails.iter().map(|mail| mail.replacen('@', "9@", 1)).collect();
    let near = |query: &Query| find.near(&[PROJECT], query, 20).len();
    measure("typo", &slips, near);
    measure("typo", &of(&["haugne", "andersonn", "petra haugne", "user-zzzzzzzz"]), near);

    let longer = |n: i64| {
        let mut names = names(n * 97 % users);
        names.display_name = Some("somebody with a longer name".into());
        Change::Put(PROJECT, UserId(n * 97 % users * 1_000), names)
    };
    let count = 10_000.min(users);
    each("renamed", count, longer, &find);
    each("erased", count, |n| Change::Gone(PROJECT, UserId(n * 89 % users * 1_000)), &find);
}
