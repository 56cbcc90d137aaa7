//! Lives made at random: whatever happens to some people and visitors, in whatever order,
//! what is counted is there, and what is erased does not come back.

use std::collections::BTreeSet;
use usher::store::NormalTx;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError};
use serde_json::json;
use usher::clock::{DAY, HOUR, MINUTE, Millis};
use usher::erasure;
use usher::erasure::{jobs, trash};
use usher::model::{Erasure, JobStatus, Origin, ProjectId, TRASH_PERIOD, User, UserId};
use usher::people::{activity, find, holder, merge};

use crate::harness::{Server, named};
use crate::segment::{check_counters, count, find, send};

const PEOPLE: [&str; 3] = ["ann", "bob", "cy"];
const VISITORS: [&str; 3] = ["v", "w", "x"];

/// One thing that happens. The first number says to whom.
#[derive(Debug, Clone)]
enum Deed {
    /// A tracked event, so long ago.
    Track(usize, Millis),
    Page(usize, Millis),
    /// What was sent before, again.
    Again(usize),
    Identify(usize),
    Both(usize, usize),
    Alias(usize, usize),
    Group(usize),
    Hide(usize),
    Restore(usize),
    Erase(usize, Erasure),
    EraseVisitor(usize, Erasure),
    Schedule(usize),
    Cancel(usize),
    /// One move of a merge, or all the work that is due.
    Move,
    Work,
    /// Deletions begin to fail, or to work again.
    Break,
    Mend,
    Pass(Millis),
}

fn deed() -> impl Strategy<Value = Deed> {
    let who = 0..3_usize;
    let ago = prop_oneof![Just(0), Just(1), Just(MINUTE), Just(31 * MINUTE), Just(2 * HOUR)];
    let kind = prop_oneof![Just(Erasure::Account), Just(Erasure::Activity), Just(Erasure::Everything)];
    prop_oneof![
        6 => (who.clone(), ago.clone()).prop_map(|(who, ago)| Deed::Track(who, ago)),
        6 => (who.clone(), ago).prop_map(|(who, ago)| Deed::Page(who, ago)),
        4 => (0..50_usize).prop_map(Deed::Again),
        2 => who.clone().prop_map(Deed::Identify),
        3 => (who.clone(), who.clone()).prop_map(|(who, visitor)| Deed::Both(who, visitor)),
        3 => (who.clone(), who.clone()).prop_map(|(who, visitor)| Deed::Alias(who, visitor)),
        1 => who.clone().prop_map(Deed::Group),
        2 => who.clone().prop_map(Deed::Hide),
        1 => who.clone().prop_map(Deed::Restore),
        3 => (who.clone(), kind.clone()).prop_map(|(who, kind)| Deed::Erase(who, kind)),
        2 => (who.clone(), kind).prop_map(|(who, kind)| Deed::EraseVisitor(who, kind)),
        1 => who.clone().prop_map(Deed::Schedule),
        1 => who.prop_map(Deed::Cancel),
        3 => Just(Deed::Move),
        2 => Just(Deed::Work),
        1 => Just(Deed::Break),
        1 => Just(Deed::Mend),
        4 => prop_oneof![Just(1), Just(MINUTE), Just(HOUR), Just(DAY), Just(TRASH_PERIOD - 1), Just(TRASH_PERIOD)]
            .prop_map(Deed::Pass),
    ]
}

/// What is remembered of a life, to be held against what the server says.
struct Tale<'a> {
    server: &'a Server,
    project: ProjectId,
    sent: Vec<serde_json::Value>,
    /// Messages that were erased with their user, and must not be seen again.
    erased: BTreeSet<String>,
    broken: bool,
}

impl Tale<'_> {
    fn post(&self, message: serde_json::Value) {
        // A refusal is an answer, too.
        send(self.server, "/v1/batch", json!({ "batch": [message] })).expect(200);
    }

    fn say(&mut self, mut message: serde_json::Value, ago: Millis) {
        let id = format!("m{}", self.sent.len());
        let at = usher::clock::rfc3339(self.server.clock.now() - ago);
        message["messageId"] = json!(id);
        message["timestamp"] = json!(at);
        self.sent.push(message.clone());
        self.post(message);
    }

    fn everybody(&self) -> Vec<User> {
        let project = self.project;
        let ids: Vec<i64> = {
            let conn = self.server.sqlite();
            let mut statement = conn.prepare("SELECT id FROM users ORDER BY id").expect("a query");
            statement.query_map([], |row| row.get(0)).expect("ids").map(|id| id.expect("an id")).collect()
        };
        let live = |id| self.server.app.read(|db| find::get_by_id(db, project, UserId(id))).ok();
        ids.into_iter().filter_map(live).collect()
    }

    fn seen(&self, user: &User) -> Vec<String> {
        let events = self.server.read(|db| activity::timeline(db, user, Millis::MIN, Millis::MAX, 10_000, 0));
        events.into_iter().map(|event| event.message_id).collect()
    }

    /// Erases what a closure finds, and remembers what it had done.
    fn erase(&mut self, found: Option<User>, kind: Erasure) {
        let Some(user) = found else { return };
        let events = self.seen(&user);
        let user_id = user.id;
        self.server.write(move |tx| {
            let user = find::get_hidden_too_by_id(tx, user.project, user_id, tx.now())?;
            erasure::begin(tx, &user, kind, Origin::Request)
        });
        self.erased.extend(events);
    }

    fn visitor(&self, visitor: usize) -> Option<User> {
        let project = self.project;
        self.server.write(move |tx: &NormalTx| holder::alias_holder(tx, project, VISITORS[visitor]))
    }

    fn person(&self, who: usize) -> Option<User> {
        let (project, now) = (self.project, self.server.clock.now());
        self.server.app.read(|db| find::get_hidden_too(db, project, PEOPLE[who], now)).ok()
    }

    fn happen(&mut self, deed: &Deed) {
        let (server, project) = (self.server, self.project);
        match *deed {
            Deed::Track(who, ago) => {
                self.say(json!({ "type": "track", "userId": PEOPLE[who], "event": "x" }), ago);
            }
            Deed::Page(who, ago) => self.say(json!({ "type": "page", "anonymousId": VISITORS[who] }), ago),
            Deed::Again(n) => {
                if let Some(message) = self.sent.get(n % self.sent.len().max(1)) {
                    self.post(message.clone());
                }
            }
            Deed::Identify(who) => {
                self.post(json!({ "type": "identify", "userId": PEOPLE[who], "traits": { "email": "e@example.com" } }));
            }
            Deed::Both(who, visitor) => self
                .post(json!({ "type": "identify", "userId": PEOPLE[who], "anonymousId": VISITORS[visitor] })),
            Deed::Alias(who, visitor) => {
                self.post(json!({ "type": "alias", "userId": PEOPLE[who], "previousId": VISITORS[visitor] }));
            }
            Deed::Group(who) => self.post(json!({ "type": "group", "userId": PEOPLE[who], "groupId": "g" })),
            Deed::Hide(who) => {
                if let Some(user) = find(server, PEOPLE[who]) {
                    server.write(move |tx| trash::hide(tx, &user));
                }
            }
            Deed::Restore(who) => {
                if let Some(user) = self.person(who) {
                    let _ = server.app.write_blocking(move |tx| trash::restore(tx, user.id));
                }
            }
            Deed::Erase(who, kind) => self.erase(self.person(who), kind),
            Deed::EraseVisitor(who, kind) => self.erase(self.visitor(who), kind),
            Deed::Schedule(who) => {
                server.write(move |tx| jobs::schedule(tx, project, &named(PEOPLE[who])));
            }
            Deed::Cancel(n) => {
                let all = server.read(|db| jobs::scheduled_page(db, project, 10_000, 0));
                if let Some(job) = all.get(n) {
                    let id = job.id;
                    let _ = server.app.write_blocking(move |tx| jobs::cancel(tx, None, id));
                }
            }
            Deed::Move => {
                server.write(|tx: &NormalTx| merge::chunk(tx));
            }
            Deed::Work => {
                server.tick();
            }
            Deed::Break if !self.broken => {
                let sql =
                    "CREATE TRIGGER broken BEFORE DELETE ON events BEGIN SELECT RAISE(ABORT, 'broken'); END";
                server.sqlite().execute_batch(sql).expect("a trigger");
                self.broken = true;
            }
            Deed::Mend if self.broken => {
                server.sqlite().execute_batch("DROP TRIGGER broken").expect("no trigger");
                self.broken = false;
            }
            Deed::Break | Deed::Mend => {}
            Deed::Pass(time) => server.clock.advance(time),
        }
    }

    /// What must hold at any time.
    fn check(&self) -> Result<(), TestCaseError> {
        let mut seen = BTreeSet::new();
        for user in self.everybody() {
            let events = self.seen(&user);
            let sessions =
                self.server.read(|db| activity::sessions(db, &user, (Millis::MIN, Millis::MAX), 10_000));
            let said = (user.event_count, user.session_count);
            let there = (events.len() as i64, sessions.len() as i64);
            prop_assert_eq!(said, there, "counters of {:?}", user.identifier);
            for id in events {
                prop_assert!(!self.erased.contains(&id), "{} was erased and is back", id);
                prop_assert!(seen.insert(id.clone()), "{} is there twice", id);
            }
        }
        Ok(())
    }

    /// What must hold once all work is done.
    fn check_the_end(&mut self) -> Result<(), TestCaseError> {
        self.happen(&Deed::Mend);
        let failed = self.server.read(|db| jobs::list(db, None, 1_000));
        for job in failed.into_iter().filter(|job| job.status == JobStatus::Failed) {
            self.server.write(move |tx| jobs::retry(tx, job.id));
        }
        self.server.clock.advance(HOUR);
        self.server.tick();
        self.check()?;
        check_counters(self.server);
        let none = [
            "jobs WHERE status IN ('running', 'failed')",
            "users WHERE state IN ('erasing', 'merged')",
            "users WHERE merged_into IS NOT NULL",
            "users WHERE state = 'detached' AND (identifier IS NOT NULL OR email IS NOT NULL OR attributes <> '{}')",
            "aliases JOIN users u ON u.id = user_id WHERE u.state NOT IN ('live', 'hidden')",
            "events JOIN users u ON u.id = user_id WHERE at <= coalesce(activity_erased_at, -1e18)",
            "sessions JOIN users u ON u.id = user_id WHERE started_at <= coalesce(activity_erased_at, -1e18)",
            "jobs WHERE status = 'completed' AND (reference NOT LIKE 'erased:%' OR user_id IS NOT NULL)",
        ];
        for rows in none {
            prop_assert_eq!(count(self.server, rows), 0, "{}", rows);
        }
        Ok(())
    }
}

/// How many are made: 32, or as many as `LIVES` says, for who wants to look longer.
fn lives() -> u32 {
    std::env::var("LIVES").ok().and_then(|number| number.parse().ok()).unwrap_or(32)
}

proptest! {
    #![proptest_config(Config { cases: lives(), max_shrink_iters: 400, failure_persistence: None, ..Config::default() })]

    #[test]
    fn in_random_lives_counts_are_right_and_no_erased_returns(
        deeds in proptest::collection::vec(deed(), 1..70)
    ) {
        let server = Server::start();
        let project = server.project().id;
        let mut tale = Tale { server: &server, project, sent: Vec::new(), erased: BTreeSet::new(), broken: false };
        for deed in &deeds {
            tale.happen(deed);
            tale.check()?;
        }
        tale.check_the_end()?;
    }
}
