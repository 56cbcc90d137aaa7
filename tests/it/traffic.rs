//! Several clients at once that post, erase and move to the trash, and what they were told: all
//! that was acknowledged must be there afterwards, once, and whoever was erased must be gone.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use fastrand::Rng;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::process::{agent, post};

/// Messages in a batch.
const BATCH: usize = 40;
/// People who stay, and have most of the messages.
const PEOPLE: usize = 60;
/// Losses that are named; the others are counted.
const NAMED: usize = 8;

/// Messages of people who stay, sent in one request. Their ids are their names in the file.
#[derive(Clone)]
struct Sent {
    ids: Vec<String>,
    body: Value,
}

/// Somebody who comes, does something, and leaves.
struct Leaver {
    name: String,
    is_erased: bool,
    id: String,
    /// When each was told or asked for; None: the connection broke before.
    came: Option<u64>,
    asked: Option<u64>,
    left: Option<u64>,
}

#[derive(Default)]
struct Told {
    /// With the time of each answer.
    stored: Vec<(u64, Sent)>,
    /// To be sent once more: nobody knows whether they are there.
    again: Vec<Sent>,
    leavers: Vec<Leaver>,
    /// Answers that are neither good nor 503.
    odd: Vec<String>,
    refused: usize,
}

pub struct Traffic {
    key: String,
    seed: u64,
    next: AtomicUsize,
    told: Mutex<Told>,
}

/// How an answer came: none when the connection broke.
type Answer = Option<u16>;

impl Traffic {
    pub fn new(key: &str, seed: u64) -> Traffic {
        Traffic { key: key.to_owned(), seed, next: AtomicUsize::new(0), told: Mutex::default() }
    }

    /// Clients at work until `during` is over; then each ends with its request. They end before
    /// when the server does. `time` dates what they are told: any number that never falls.
    pub fn run<T>(
        &self,
        base: &str,
        clients: usize,
        time: &(dyn Fn() -> u64 + Sync),
        during: impl FnOnce() -> T,
    ) -> T {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            for _ in 0..clients {
                scope.spawn(|| {
                    let client = Client { traffic: self, agent: agent(), base, time };
                    while !over.load(Ordering::SeqCst) {
                        if client.act().is_none() {
                            break;
                        }
                    }
                });
            }
            let done = during();
            over.store(true, Ordering::SeqCst);
            done
        })
    }

    /// Messages, erasures and moves to the trash that were acknowledged.
    pub fn acknowledged(&self) -> usize {
        let told = self.told.lock().expect("a lock");
        let stored: usize = told.stored.iter().map(|(_, sent)| sent.ids.len()).sum();
        let of = |one: &Leaver| usize::from(one.came.is_some()) + usize::from(one.left.is_some());
        stored + told.leavers.iter().map(of).sum::<usize>()
    }

    /// People whose erasure was acknowledged.
    pub fn erased(&self) -> Vec<String> {
        let told = self.told.lock().expect("a lock");
        let those = told.leavers.iter().filter(|one| one.is_erased && one.left.is_some());
        those.map(|one| one.name.clone()).collect()
    }

    /// A message that was acknowledged.
    pub fn one_stored(&self) -> String {
        self.told.lock().expect("a lock").stored[0].1.ids[0].clone()
    }

    /// Requests that were answered 503.
    pub fn refused(&self) -> usize {
        self.told.lock().expect("a lock").refused
    }

    pub fn odd_answers(&self) -> Vec<String> {
        self.told.lock().expect("a lock").odd.clone()
    }

    /// What was acknowledged up to a time, and is not so in the file. Where the erasures are
    /// `over`, not a row of the erased may be left.
    pub fn losses(&self, conn: &Connection, upto: u64, over: bool) -> Vec<String> {
        let events = counts(conn, "SELECT name, 1 FROM events");
        let told = self.told.lock().expect("a lock");
        let there = |id: &str| events.get(id).copied().unwrap_or_default();
        let mut losses = Vec::new();
        let twice = events.iter().filter(|(_, number)| **number > 1);
        losses.extend(twice.map(|(id, number)| format!("{id} is there {number} times")));
        let unknown = told.again.iter().map(|sent| (None, sent));
        for (at, sent) in told.stored.iter().map(|(at, sent)| (Some(*at), sent)).chain(unknown) {
            let number = sent.ids.iter().filter(|id| there(id) == 1).count();
            let (id, of) = (&sent.ids[0], sent.ids.len());
            if at.is_some_and(|at| at <= upto) && number < of {
                losses.push(format!("{number} of the {of} messages from {id} on are there"));
            } else if number > 0 && number < of {
                losses.push(format!("half a batch: {number} of the {of} messages from {id} on"));
            }
        }
        let states = states(conn);
        for one in &told.leavers {
            let state = states.get(&one.name).map(String::as_str);
            let (name, before) = (&one.name, |time: Option<u64>| time.is_some_and(|at| at <= upto));
            let fits = match (before(one.left), before(one.asked), before(one.came)) {
                (true, ..) if one.is_erased => state.is_none() && (!over || there(&one.id) == 0),
                (true, ..) => state == Some("hidden"),
                (false, true, _) => true,
                (false, false, true) => state == Some("live") && there(&one.id) == 1,
                (false, false, false) => true,
            };
            if !fits {
                let is = state.unwrap_or("gone");
                losses.push(format!("{name}, {one}, is {is} with {} messages", there(&one.id)));
            }
        }
        let more = losses.len().saturating_sub(NAMED);
        losses.truncate(NAMED);
        losses.extend((more > 0).then(|| format!("and {more} more")));
        losses
    }
}

impl std::fmt::Display for Leaver {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let kind = if self.is_erased { "erased" } else { "trashed" };
        write!(f, "{kind} ({:?}, {:?}, {:?})", self.came, self.asked, self.left)
    }
}

fn counts(conn: &Connection, sql: &str) -> HashMap<String, i64> {
    let mut rows = conn.prepare(sql).expect("a query");
    let mut rows = rows.query([]).expect("rows");
    let mut counts: HashMap<String, i64> = HashMap::new();
    while let Some(row) = rows.next().expect("a row") {
        *counts.entry(row.get(0).expect("a text")).or_default() += row.get::<_, i64>(1).expect("a number");
    }
    counts
}

fn states(conn: &Connection) -> HashMap<String, String> {
    let sql = "SELECT identifier, state FROM users WHERE identifier IS NOT NULL";
    let mut rows = conn.prepare(sql).expect("a query");
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
    rows.map(|row| row.expect("a row")).collect()
}

struct Client<'a> {
    traffic: &'a Traffic,
    agent: ureq::Agent,
    base: &'a str,
    time: &'a (dyn Fn() -> u64 + Sync),
}

impl Client<'_> {
    /// The next of its deeds. None: there is no server any more.
    fn act(&self) -> Option<()> {
        // Not at once each time: other people's deeds go on beside it.
        let again = if fastrand::bool() { self.told().again.pop() } else { None };
        if let Some(sent) = again {
            return self.store(sent);
        }
        let number = self.traffic.next.fetch_add(1, Ordering::SeqCst);
        let mut rng = Rng::with_seed(self.traffic.seed.wrapping_add(number as u64));
        match rng.u8(..100) {
            0..45 => self.store(messages(number, 1, &mut rng)),
            45..80 => self.store(messages(number, BATCH, &mut rng)),
            // A client that did not hear the answer sends what is there already.
            80..85 => {
                let told = self.told();
                let known =
                    told.stored.get(rng.usize(..told.stored.len().max(1))).map(|(_, sent)| sent.clone());
                drop(told);
                known.map_or(Some(()), |sent| self.post(&sent.body).map(drop))
            }
            roll => self.come_and_leave(number, roll < 93),
        }
    }

    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.traffic.told.lock().expect("a lock")
    }

    fn post(&self, body: &Value) -> Answer {
        let answer = post(&self.agent, &format!("{}/v1/batch", self.base), &self.traffic.key, body).ok()?;
        self.heard(answer.0, &answer.1);
        Some(answer.0)
    }

    fn heard(&self, status: u16, text: &str) {
        match status {
            200 => {}
            503 => {
                self.told().refused += 1;
                // It says when to come again; a server that is full or ill is not to be run down.
                std::thread::sleep(Duration::from_millis(5));
            }
            _ => self.told().odd.push(format!("{status} {text}")),
        }
    }

    fn store(&self, sent: Sent) -> Option<()> {
        let answer = self.post(&sent.body);
        let mut told = self.told();
        match answer {
            Some(200) => told.stored.push(((self.time)(), sent)),
            _ => told.again.push(sent),
        }
        answer.map(drop)
    }

    fn come_and_leave(&self, number: usize, is_erased: bool) -> Option<()> {
        let name = format!("{}-{number}", if is_erased { "erased" } else { "trashed" });
        let id = format!("of {name}");
        let body = json!({ "batch": [message(&name, &id)] });
        let came = self.post(&body);
        let at = |answer: Answer| (answer == Some(200)).then(|| (self.time)());
        let mut one = Leaver { name, is_erased, id, came: at(came), asked: None, left: None };
        let mut left = None;
        if one.came.is_some() {
            one.asked = Some((self.time)());
            let query = if is_erased { "?hardDelete=true" } else { "" };
            let url = format!("{}/v1/users/{}{query}", self.base, one.name);
            let answer = self.agent.delete(url).header("X-APTRINSIC-API-KEY", &self.traffic.key).call();
            left = answer.ok().map(|mut answer| {
                let status = answer.status().as_u16();
                self.heard(status, &answer.body_mut().read_to_string().unwrap_or_default());
                status
            });
            one.left = at(left);
        }
        let goes_on = came.is_some() && (one.asked.is_none() || left.is_some());
        self.told().leavers.push(one);
        goes_on.then_some(())
    }
}

fn message(user: &str, id: &str) -> Value {
    let text = "on and on ".repeat(id.len() % 40);
    json!({ "type": "track", "event": id, "messageId": id, "userId": user, "properties": { "text": text } })
}

fn messages(number: usize, of: usize, rng: &mut Rng) -> Sent {
    let ids: Vec<String> = (0..of).map(|n| format!("m{number}-{n}")).collect();
    let batch: Vec<Value> =
        ids.iter().map(|id| message(&format!("person-{}", rng.usize(..PEOPLE)), id)).collect();
    Sent { ids, body: json!({ "batch": batch }) }
}
