//! Holds against every way of erasing, in any order, with restores of older copies: nobody who is held is
//! ever erased, and nobody who was released is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::test_runner::Config;
use serde_json::json;
use tempfile::TempDir;
use usher::clock::{DAY, HOUR, Millis, rfc3339};
use usher::model::{State, TRASH_PERIOD, UserId};

use super::{copy, put_back, state};
use crate::harness::{Reply, Server};
use crate::segment::count;

const PEOPLE: [&str; 3] = ["ann", "bob", "cy"];
/// So many events has each of them.
const EVENTS: u32 = 2;

#[derive(Debug, Clone)]
enum Deed {
    Register(usize),
    /// For good, or so long.
    Hold(usize, Option<Millis>),
    Release(usize),
    Restrict(usize),
    Unrestrict(usize),
    Trash(usize),
    Hard(usize),
    Account(usize),
    Schedule(usize),
    /// A regulation about all of them.
    Bulk,
    Pass(Millis),
    Work,
    Copy,
    PutBack(usize),
}

fn deed() -> impl Strategy<Value = Deed> {
    let who = 0..3_usize;
    let long = prop_oneof![Just(None), Just(Some(HOUR)), Just(Some(3 * DAY)), Just(Some(9 * DAY))];
    prop_oneof![
        4 => who.clone().prop_map(Deed::Register),
        5 => (who.clone(), long).prop_map(|(who, long)| Deed::Hold(who, long)),
        2 => who.clone().prop_map(Deed::Release),
        1 => who.clone().prop_map(Deed::Restrict),
        1 => who.clone().prop_map(Deed::Unrestrict),
        3 => who.clone().prop_map(Deed::Trash),
        2 => who.clone().prop_map(Deed::Hard),
        1 => who.clone().prop_map(Deed::Account),
        3 => who.clone().prop_map(Deed::Schedule),
        2 => Just(Deed::Bulk),
        4 => prop_oneof![Just(HOUR), Just(DAY), Just(TRASH_PERIOD)].prop_map(Deed::Pass),
        4 => Just(Deed::Work),
        1 => Just(Deed::Copy),
        1 => who.prop_map(Deed::PutBack),
    ]
}

/// What is remembered, to be held against what the server has.
struct Tale {
    server: Option<Server>,
    /// False: holds and restrictions are remembered, and nobody is told. Then they must be missed.
    tells: bool,
    held: BTreeMap<i64, Option<Millis>>,
    restricted: BTreeSet<i64>,
    /// How much each of them had done by then.
    events: BTreeMap<i64, i64>,
    /// Erasures that were accepted, whenever they may begin.
    doomed: BTreeSet<i64>,
    copies: Vec<(TempDir, BTreeSet<i64>)>,
}

impl Tale {
    fn new(tells: bool) -> Tale {
        let server = Some(Server::start());
        let (held, restricted, doomed) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
        let (events, copies) = (BTreeMap::new(), Vec::new());
        let mut tale = Tale { server, tells, held, restricted, events, doomed, copies };
        for name in PEOPLE {
            tale.server().seed(name).events(EVENTS).insert();
        }
        tale.happen(&Deed::Copy);
        tale
    }

    fn server(&self) -> &Server {
        self.server.as_ref().expect("a server")
    }

    fn ids(&self) -> BTreeSet<i64> {
        let conn = self.server().sqlite();
        let mut statement = conn.prepare("SELECT id FROM users").expect("a query");
        statement.query_map([], |row| row.get(0)).expect("ids").map(|id| id.expect("an id")).collect()
    }

    fn holder(&self, who: usize) -> Option<i64> {
        let sql = "SELECT id FROM users WHERE identifier = ?1";
        self.server().sqlite().query_row(sql, [PEOPLE[who]], |row| row.get(0)).ok()
    }

    fn send(&self, method: &str, path: &str, body: Option<serde_json::Value>) -> Reply {
        let (server, all) = (self.server(), &self.server().project().all);
        let request = server.request(method, path).header("X-APTRINSIC-API-KEY", all);
        let request = request.header("x-api-version", "2025-09").bearer(all);
        match body {
            Some(body) => request.json(body).send(),
            None => request.send(),
        }
    }

    fn tell(&self, method: &str, path: &str) -> bool {
        !self.tells || self.send(method, path, Some(json!({}))).status < 300
    }

    fn happen(&mut self, deed: &Deed) {
        match *deed {
            Deed::Register(who) => {
                let body = json!({ "external_id": PEOPLE[who] });
                self.send("POST", "/users", Some(body));
            }
            Deed::Hold(who, long) => {
                let Some(id) = self.holder(who) else { return };
                let until = long.map(|long| self.server().clock.now() + long);
                let body = json!({ "until": until.map(rfc3339), "reason": "a case" });
                let path = format!("/api/users/{id}/hold");
                if !self.tells || self.send("POST", &path, Some(body)).status == 200 {
                    self.held.insert(id, until);
                    self.note_events(id);
                }
            }
            Deed::Release(n) => {
                let Some(id) = self.held.keys().nth(n).copied() else { return };
                self.held.remove(&id);
                self.tell("DELETE", &format!("/api/users/{id}/hold"));
            }
            Deed::Restrict(who) => {
                let Some(id) = self.holder(who) else { return };
                if self.tell("POST", &format!("/api/users/{id}/restriction")) {
                    self.restricted.insert(id);
                    self.note_events(id);
                }
            }
            Deed::Unrestrict(n) => {
                let Some(id) = self.restricted.iter().nth(n).copied() else { return };
                self.restricted.remove(&id);
                self.tell("DELETE", &format!("/api/users/{id}/restriction"));
            }
            Deed::Trash(who) => {
                self.send("DELETE", &format!("/v1/users/{}", PEOPLE[who]), None);
            }
            Deed::Hard(who) => {
                let path = format!("/v1/users/{}?hardDelete=true", PEOPLE[who]);
                self.erase(who, &path);
            }
            Deed::Account(who) => {
                let Some(id) = self.holder(who) else { return };
                self.erase(who, &format!("/users/{id:024x}"));
            }
            Deed::Schedule(who) => {
                let path = format!("/api/v1/{}/users/{}", self.server().project().key, PEOPLE[who]);
                self.send("DELETE", &path, None);
            }
            Deed::Bulk => {
                let body = json!({
                    "regulationType": "DELETE_ONLY", "subjectType": "USER_ID", "subjectIds": PEOPLE,
                });
                let meant: Vec<i64> = (0..PEOPLE.len()).filter_map(|who| self.holder(who)).collect();
                let revivable = "SELECT id FROM users WHERE state = 'live' OR deleted_at > ?1";
                let now = self.server().clock.now();
                let there: BTreeSet<i64> = {
                    let conn = self.server().sqlite();
                    let mut statement = conn.prepare(revivable).expect("a query");
                    let rows = statement.query_map([now - TRASH_PERIOD], |row| row.get(0)).expect("ids");
                    rows.map(|id| id.expect("an id")).collect()
                };
                self.send("POST", "/regulations", Some(body)).expect(200);
                self.doomed.extend(meant.into_iter().filter(|id| there.contains(id)));
            }
            Deed::Pass(time) => self.server().clock.advance(time),
            Deed::Work => {
                self.server().tick();
            }
            Deed::Copy => self.copies.push((copy(self.server()), self.ids())),
            Deed::PutBack(n) => {
                let server = self.server.take().expect("a server");
                let (copied, ids) = &self.copies[n % self.copies.len()];
                self.server = Some(put_back(server, copied));
                // Who came later is not in it.
                self.held.retain(|id, _| ids.contains(id));
                self.restricted.retain(|id| ids.contains(id));
            }
        }
    }

    /// Asks for an erasure of this one person: not of one who is held, and else at once.
    fn erase(&mut self, who: usize, path: &str) {
        let id = self.holder(who);
        if self.send("DELETE", path, None).status == 200
            && let Some(id) = id
            && !self.is_held(id)
        {
            self.held.remove(&id);
            self.restricted.remove(&id);
            // What is left of the account is nobody's any more.
            self.doomed.remove(&id);
        }
    }

    fn note_events(&mut self, id: i64) {
        let events = count(self.server(), &format!("events WHERE user_id = {id}"));
        self.events.insert(id, events);
    }

    fn is_held(&self, id: i64) -> bool {
        let now = self.server().clock.now();
        self.held.get(&id).is_some_and(|until| until.is_none_or(|until| until > now))
    }

    /// Why somebody is missed who is held or restricted.
    fn check(&self) -> Result<(), String> {
        let held = self.held.keys().copied().filter(|id| self.is_held(*id));
        for id in held.chain(self.restricted.iter().copied()) {
            let events = count(self.server(), &format!("events WHERE user_id = {id}"));
            let is_there = matches!(
                state(self.server(), UserId(id)),
                Some(State::Live | State::Hidden | State::Waiting)
            );
            if !is_there || Some(&events) != self.events.get(&id) {
                return Err(format!("{id} is kept and was erased: {events} events"));
            }
        }
        Ok(())
    }

    /// Everybody is released, and time passes: whatever was asked for is done.
    fn check_the_end(&mut self) -> Result<(), String> {
        let listed = self.send("GET", "/api/holds", None).expect(200).json();
        for kept in listed["data"].as_array().into_iter().flatten() {
            let id = kept["id"].as_str().expect("an id");
            for (what, path) in [("hold", "hold"), ("restriction", "restriction")] {
                if !kept[what].is_null() {
                    self.send("DELETE", &format!("/api/users/{id}/{path}"), None).expect(204);
                }
            }
        }
        for _ in 0..9 {
            self.server().clock.advance(DAY);
            self.server().tick();
        }
        let none = [
            "users WHERE state IN ('hidden', 'erasing')",
            "jobs WHERE status IN ('scheduled', 'running', 'failed')",
            "holds",
            "users WHERE restricted_at IS NOT NULL",
        ];
        for rows in none {
            let left = count(self.server(), rows);
            if left > 0 {
                return Err(format!("{left} {rows}"));
            }
        }
        match self.doomed.iter().find(|id| state(self.server(), UserId(**id)).is_some()) {
            Some(id) => Err(format!("{id} was to be erased and was forgotten")),
            None => Ok(()),
        }
    }
}

fn run(deeds: &[Deed], tells: bool) -> Result<(), String> {
    let mut tale = Tale::new(tells);
    for deed in deeds {
        tale.happen(deed);
        tale.check()?;
    }
    tale.check_the_end()
}

/// How many are made: 24, or as many as `LIVES` says, for who wants to look longer.
fn lives() -> u32 {
    std::env::var("LIVES").ok().and_then(|number| number.parse().ok()).unwrap_or(24)
}

proptest! {
    #![proptest_config(Config { cases: lives(), max_shrink_iters: 200, failure_persistence: None, ..Config::default() })]

    #[test]
    fn nobody_held_is_erased_and_nobody_released_is_forgotten(
        deeds in proptest::collection::vec(deed(), 1..40)
    ) {
        let told = run(&deeds, true);
        prop_assert!(told.is_ok(), "{}", told.unwrap_err());
    }
}

/// The twin: the same, where nobody is told of the hold, misses the person by each of the ways.
#[test]
fn without_its_hold_each_way_of_erasing_is_noticed() {
    let ways: [Vec<Deed>; 5] = [
        vec![Deed::Hard(0), Deed::Work],
        vec![Deed::Account(0), Deed::Work],
        vec![Deed::Trash(0), Deed::Pass(TRASH_PERIOD), Deed::Work],
        vec![Deed::Schedule(0), Deed::Pass(DAY), Deed::Work],
        vec![Deed::Bulk, Deed::Work],
    ];
    for way in ways {
        let deeds = [vec![Deed::Hold(0, None)], way].concat();
        assert_eq!(run(&deeds, true), Ok(()), "{deeds:?}");
        let missed = run(&deeds, false).expect_err("missed");
        assert!(missed.contains("was erased"), "{deeds:?}: {missed}");
    }
}
