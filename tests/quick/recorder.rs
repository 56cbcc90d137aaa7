//! Taking in many at once leaves what one after another leaves: random histories go through both, on two
//! databases with the same clock, and what stands in the tables afterwards is compared.

use std::collections::HashMap;
use std::fmt::Write;
use std::sync::mpsc;

use fastrand::Rng;
use rusqlite::Connection;
use rusqlite::types::Value;
use serde_json::json;
use usher::clock::{DAY, HOUR, MINUTE, Millis, SECOND};
use usher::erasure::{begin, trash};
use usher::error::{Error, Result};
use usher::model::{Device, Erasure, Kind, Origin, ProfileChange, Said};
use usher::people::activity::{self, Incoming};
use usher::people::recorder::Recorder;
use usher::people::subject::Subject;
use usher::people::suppressions::Policy;
use usher::people::{holder, identify, suppressions};
use usher::store::{ErasingTx, Normal, NormalTx, Priority, TxOf};
use usher::trace::{Actor, Who};

use crate::common::app::{TestApp, event, named};
use crate::common::number;

type Run = Box<dyn FnMut(&NormalTx) -> Result<()> + Send>;

/// So many histories of one pair of databases, one after another, before its tables are compared.
const TOGETHER: u64 = 10;
const STEPS: usize = 30;

#[derive(Debug, Clone)]
enum Step {
    Events(Actor, Vec<Incoming>),
    Identify(Actor, Subject),
    Hide(String),
    Erase(String, Erasure),
    KeepOut(String, u32),
    Tick,
    Wait(Millis),
}

/// How events are taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    OneByOne,
    Together,
    /// Wrongly: what is held back is never written.
    Unsettled,
}

#[test]
fn many_at_once_leave_what_one_by_one_leaves() {
    let pairs = number("HISTORIES").map_or(2, |histories| u64::try_from(histories).expect("a number") / 100);
    for pair in 0..pairs {
        compare(pair * TOGETHER, Way::Together, |seed, one, many| {
            assert!(one == many, "histories from {seed} on differ:\n{}", difference(one, many));
        });
    }
}

/// The twin.
#[test]
fn without_settling_the_tables_differ() {
    let mut differing = 0;
    compare(0, Way::Unsettled, |_, one, many| differing += u32::from(one != many));
    assert!(differing > 0, "the comparison sees nothing");
}

fn compare(first: u64, way: Way, mut see: impl FnMut(u64, &str, &str)) {
    let (one, many) = (TestApp::new(), TestApp::new());
    for seed in first..first + TOGETHER {
        let mut rng = Rng::with_seed(seed);
        for _ in 0..STEPS {
            let step = step(&mut rng, seed, one.clock.now());
            let told = take(&one, &step, Way::OneByOne);
            assert_eq!(told, take(&many, &step, way), "history {seed}, {step:?}");
        }
    }
    see(first, &dump(&one), &dump(&many));
}

fn step(rng: &mut Rng, seed: u64, now: Millis) -> Step {
    let name = |rng: &mut Rng| match rng.u8(..10) {
        0..7 => format!("h{seed}-u{}", rng.u8(..5)),
        _ => format!("h{seed}-a{}", rng.u8(..4)),
    };
    let actor = |rng: &mut Rng| match rng.u8(..4) {
        0 => Actor::Token,
        1 => Actor::System,
        _ => Actor::Key(1),
    };
    match rng.u8(..100) {
        0..62 => {
            let actor = actor(rng);
            let count = if rng.u8(..4) == 0 { 1 } else { rng.usize(2..16) };
            // Often of few people, as a client sends them.
            let few = rng.bool();
            let one = subject(rng, seed);
            let events = (0..count).map(|_| {
                let subject = if few && rng.u8(..5) > 0 { one.clone() } else { subject(rng, seed) };
                incoming(rng, subject, now)
            });
            Step::Events(actor, events.collect())
        }
        62..70 => Step::Identify(actor(rng), subject(rng, seed)),
        70..75 => Step::Hide(name(rng)),
        75..78 => Step::Erase(name(rng), Erasure::Everything),
        78..81 => Step::Erase(name(rng), Erasure::Activity),
        81..83 => Step::KeepOut(name(rng), rng.u32(1..3)),
        83..87 => Step::Tick,
        87..98 => Step::Wait(rng.i64(1..50) * MINUTE),
        _ => Step::Wait(rng.i64(1..9) * DAY),
    }
}

fn subject(rng: &mut Rng, seed: u64) -> Subject {
    let user = match rng.u8(..30) {
        0 => "null".to_owned(),
        // An anonymous id in a user's place.
        1 => format!("h{seed}-a{}", rng.u8(..4)),
        _ => format!("h{seed}-u{}", rng.u8(..5)),
    };
    let anonymous = match rng.u8(..30) {
        0 => "guest".to_owned(),
        1 => format!("h{seed}-u{}", rng.u8(..5)),
        _ => format!("h{seed}-a{}", rng.u8(..4)),
    };
    let (user, anonymous) = (named(&user), named(&anonymous));
    match rng.u8(..4) {
        0 => Subject { identifier: Some(user), anonymous_id: Some(anonymous) },
        1 => Subject { identifier: None, anonymous_id: Some(anonymous) },
        _ => Subject { identifier: Some(user), anonymous_id: None },
    }
}

fn incoming(rng: &mut Rng, subject: Subject, now: Millis) -> Incoming {
    let at = match rng.u8(..20) {
        0..6 => Said::Nothing,
        6 => Said::Sent(now - rng.i64(0..HOUR)),
        7 => Said::Unreadable(Some(now - rng.i64(0..DAY))),
        8 => Said::At { at: now - rng.i64(0..HOUR), earliest: now - DAY },
        9 => Said::at(now + rng.i64(0..9) * SECOND),
        10 => Said::at(now + rng.i64(1..9) * HOUR),
        11 => Said::at(now - rng.i64(0..9) * DAY),
        // The same instant more than once.
        12 => Said::at(now - now % HOUR),
        _ => Said::at(now - rng.i64(0..3 * HOUR)),
    };
    let name = if rng.u8(..50) == 0 { "bad\u{7}".to_owned() } else { format!("did {}", rng.u8(..5)) };
    let session = (rng.u8(..3) == 0).then(|| named(&format!("visit {}", rng.u8(..3))));
    let os = (rng.bool()).then(|| format!("os {}", rng.u8(..3)));
    Incoming {
        subject,
        kind: Kind::ALL[rng.usize(..Kind::ALL.len())],
        name,
        at,
        message_id: (rng.u8(..3) > 0).then(|| format!("message {}", rng.u8(..60))),
        session,
        url: rng.bool().then(|| "https://example.com/".to_owned()),
        data: json!({ "n": rng.u8(..) }).as_object().expect("an object").clone(),
        device: Device { os, ..Device::default() },
    }
}

/// What the caller is told.
fn take(app: &TestApp, step: &Step, way: Way) -> String {
    let project = app.project().id;
    match step.clone() {
        Step::Events(actor, events) => write(app, actor, move |tx: &NormalTx| {
            let mut recorder = Recorder::new(tx, project);
            let mut told = String::new();
            for event in &events {
                let outcome = match way {
                    Way::OneByOne => tx.nested(|| activity::record(tx, project, event)),
                    Way::Together | Way::Unsettled => recorder.record(event),
                };
                writeln!(told, "{outcome:?}").expect("memory");
            }
            if way == Way::Together {
                recorder.settle()?;
            }
            Ok(told)
        }),
        Step::Identify(actor, subject) => write(app, actor, move |tx: &NormalTx| {
            let change = ProfileChange { first_name: Some(Some("Ann".into())), ..ProfileChange::default() };
            let outcome = tx.nested(|| identify::identify(tx, project, &subject, &change, None));
            Ok(match outcome {
                Ok(received) => format!("{:?}", received.map(drop)),
                Err(error) => format!("{error:?}"),
            })
        }),
        Step::Hide(name) => {
            write(app, Actor::Key(1), move |tx: &ErasingTx| match holder::named(tx, project, &name)? {
                Some(user) if user.deleted_at.is_none() => {
                    trash::hide(tx, &user).map(|_| "hidden".to_owned())
                }
                _ => Ok("nobody".to_owned()),
            })
        }
        Step::Erase(name, erasure) => {
            write(app, Actor::Key(1), move |tx: &ErasingTx| match holder::named(tx, project, &name)? {
                Some(user) if begin::may_begin(&user, erasure) => {
                    begin::begin(tx, &user, erasure, Origin::Request).map(|_| "begun".to_owned())
                }
                _ => Ok("nobody".to_owned()),
            })
        }
        Step::KeepOut(name, days) => write(app, Actor::Key(1), move |tx: &ErasingTx| {
            suppressions::add(tx, project, &named(&name), Policy::Days(days)).map(|_| "kept out".to_owned())
        }),
        Step::Tick => {
            app.tick();
            String::new()
        }
        Step::Wait(by) => {
            app.clock.advance(by);
            String::new()
        }
    }
}

fn write<P: Priority>(
    app: &TestApp,
    actor: Actor,
    run: impl FnMut(&TxOf<P>) -> Result<String> + Send + 'static,
) -> String {
    let who = Who { actor, ..Who::default() };
    let answer = app.app.store().submit::<P, _, _>(app.clock.clone(), who, run).expect("a place");
    match answer.blocking_recv().expect("an answer") {
        Ok(told) => told,
        Err(error) => format!("{error:?}"),
    }
}

/// All that the tables have, but for what is drawn: ids are told by their order.
fn dump(app: &TestApp) -> String {
    const TABLES: [&str; 9] = [
        "users",
        "aliases",
        "sessions",
        "events",
        "projects",
        "repairs",
        "recent_repairs",
        "suppressions",
        "erased_identifiers",
    ];
    const DRAWN: [&str; 5] = ["incarnation", "handle", "key", "ingest_token", "message_key"];
    let conn = app.sqlite();
    let [users, sessions] = ["users", "sessions"].map(|table| places(&conn, table));
    let mut all = String::new();
    for table in TABLES {
        let mut statement = conn.prepare(&format!("SELECT * FROM {table}")).expect("a table");
        let columns: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        let mut rows = statement.query([]).expect("rows");
        while let Some(row) = rows.next().expect("a row") {
            write!(all, "{table}:").expect("memory");
            for (n, column) in columns.iter().enumerate() {
                let value: Value = row.get(n).expect("a value");
                let value = match (table, column.as_str(), value) {
                    (_, drawn, _) if DRAWN.contains(&drawn) => continue,
                    ("users" | "sessions" | "events" | "recent_repairs", "id", _) => continue,
                    (_, "user_id" | "merged_into", Value::Integer(id)) => format!("{:?}", users.get(&id)),
                    (_, "session_id", Value::Integer(id)) => format!("{:?}", sessions.get(&id)),
                    (_, "message_id", Value::Text(id)) if id.starts_with("usher-") => "drawn".to_owned(),
                    (_, _, value) => format!("{value:?}"),
                };
                write!(all, " {column}={value}").expect("memory");
            }
            all.push('\n');
        }
    }
    all
}

fn places(conn: &Connection, table: &str) -> HashMap<i64, usize> {
    let mut statement = conn.prepare(&format!("SELECT id FROM {table} ORDER BY id")).expect("a table");
    let ids = statement.query_map([], |row| row.get(0)).expect("ids");
    ids.enumerate().map(|(place, id)| (id.expect("an id"), place)).collect()
}

fn difference(one: &str, many: &str) -> String {
    let lines = one.lines().zip(many.lines()).filter(|(one, many)| one != many).take(5);
    let mut told: String =
        lines.map(|(one, many)| format!("one by one: {one}\ntogether:   {many}\n")).collect();
    writeln!(told, "{} and {} rows", one.lines().count(), many.lines().count()).expect("memory");
    told
}

/// What is written plainly is undone by the group, whose other closures run again.
#[test]
fn a_closure_that_fails_late_takes_no_other_with_it() {
    let app = TestApp::new();
    let project = app.project().id;
    app.seed("ann").insert();
    let (go_on, wait) = mpsc::channel::<()>();
    let submit = |run: Run| {
        let mut run = run;
        let who = Who::default();
        let run = move |tx: &NormalTx| run(tx);
        app.app.store().submit::<Normal, _, _>(app.clock.clone(), who, run).expect("a place")
    };
    let wait = std::sync::Mutex::new(wait);
    // Until it ends, the others gather to a group.
    let first = submit(Box::new(move |_| {
        _ = wait.lock().expect("a lock").recv();
        Ok(())
    }));
    let record = move |name: &'static str, fails: fn() -> Result<()>| {
        move |tx: &NormalTx| {
            let mut recorder = Recorder::new(tx, project);
            recorder.record(&event(&named("ann"), name, tx.now()))?;
            recorder.settle()?;
            fails()
        }
    };
    let answers = [
        submit(Box::new(record("before", || Ok(())))),
        submit(Box::new(record("refused", || Err(Error::UnknownKey)))),
        submit(Box::new(record("panicked", || panic!("a test's")))),
        submit(Box::new(record("after", || Ok(())))),
    ];
    drop(go_on);
    first.blocking_recv().expect("an answer").expect("a write");
    let good = answers.map(|answer| answer.blocking_recv().expect("an answer").is_ok());
    assert_eq!(good, [true, false, false, true]);
    let conn = app.sqlite();
    let names: String = conn
        .query_row("SELECT group_concat(name, ' ' ORDER BY id) FROM events", [], |row| row.get(0))
        .expect("names");
    assert_eq!(names, "before after");
    let counts: (i64, i64) = conn
        .query_row("SELECT u.event_count, s.event_count FROM users u JOIN sessions s", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })
        .expect("counts");
    assert_eq!(counts, (2, 2));
}
