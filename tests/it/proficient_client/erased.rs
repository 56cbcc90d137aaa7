//! Conversations go with their user's activity, down to the bytes.

use std::collections::HashMap;
use usher::store::NormalTx;

use serde_json::{Value, json};
use usher::erasure;
use usher::erasure::trash;
use usher::model::{Erasure, Origin, ProfileChange, Said, TRASH_PERIOD, UserId};
use usher::people::subject::Subject;
use usher::people::{find, merge, profile, registration, users};

use super::{begin, count, get, ids, path, refused, say, signed, signing};
use crate::erasure::{Person, left};
use crate::harness::{Server, named};

/// Ann's conversation and Eve's, all of it random; and whose words they are.
fn converse(server: &Server, rng: &mut fastrand::Rng) -> (Value, Person, Person) {
    let mut speak = |name: &str, turns: usize| {
        let interaction = begin(server, name);
        let mut text = |length: usize| (0..length).map(|_| rng.alphanumeric()).collect::<String>();
        let mut secrets: Vec<String> =
            // Some rows spill into overflow pages.
            (0..turns).map(|n| text(if n % 50 == 0 { 6_000 } else { 20 + n % 180 })).collect();
        secrets.iter().for_each(|secret| _ = say(server, name, &interaction, secret));
        let title = text(40);
        signed(server, "POST", &path(&interaction), name).json(json!({ "name": title })).send().expect(200);
        secrets.push(title);
        (interaction, Person::of(secrets))
    };
    let (interaction, ann) = speak("ann", 600);
    let (_, eve) = speak("eve", 20);
    (interaction, ann, eve)
}

fn user(interaction: &Value) -> UserId {
    let id = interaction["user_id"].as_str().and_then(|id| id.strip_prefix("u_")).expect("an id");
    UserId(id.parse().expect("a number"))
}

#[test]
fn erasing_the_activity_takes_conversations_to_the_byte() {
    for way in ["everything", "activity", "trash", "account and activity"] {
        let server = signing();
        let (interaction, ann, eve) = converse(&server, &mut fastrand::Rng::with_seed(7));
        let dir = server.path().parent().expect("a directory").to_owned();
        server.tick();
        assert!(!left(&dir, &[&ann]).is_empty(), "the search sees nothing");
        let id = user(&interaction);
        match way {
            "everything" => erase(&server, id, Erasure::Everything),
            "activity" => erase(&server, id, Erasure::Activity),
            "trash" => {
                let project = server.project().id;
                server.write(move |tx| trash::hide(tx, &find::get_by_id(tx, project, id)?));
                server.clock.advance(TRASH_PERIOD);
            }
            _ => {
                erase(&server, id, Erasure::Account);
                server.tick();
                assert_eq!(count(&server, "messages"), 620, "an account's erasure leaves the activity");
                erase(&server, id, Erasure::Activity);
            }
        }
        refused(signed(&server, "GET", &path(&interaction), "ann").send(), 404, "resource_not_found");
        server.tick();
        let open: i64 = server
            .sqlite()
            .query_row("SELECT COUNT(*) FROM jobs WHERE status <> 'completed'", [], |row| row.get(0))
            .expect("a count");
        assert_eq!(open, 0, "{way}");
        assert_eq!((count(&server, "interactions"), count(&server, "messages")), (1, 20), "{way}");
        assert_eq!(left(&dir, &[&ann]), HashMap::new(), "{way}");
        assert!(!left(&dir, &[&eve]).is_empty(), "{way} took another's words");
    }
}

fn erase(server: &Server, id: UserId, erasure: Erasure) {
    let project = server.project().id;
    server.write(move |tx| {
        let user = find::get_detached_too_by_id(tx, project, id)?;
        erasure::begin(tx, &user, erasure, Origin::Request).map(|_| ())
    });
}

#[test]
fn what_is_said_after_an_erasure_of_the_activity_stays() {
    let server = signing();
    let old = begin(&server, "ann");
    say(&server, "ann", &old, "before");
    erase(&server, user(&old), Erasure::Activity);
    let body = json!({ "interaction_id": old["id"], "content": "late" });
    refused(signed(&server, "POST", "/messages", "ann").json(body).send(), 404, "resource_not_found");
    // At the same instant, before the rows have left.
    let new = begin(&server, "ann");
    say(&server, "ann", &new, "after");
    server.tick();
    assert_eq!(ids(&get(&server, "/interactions", "ann")), [new["id"].as_str().expect("an id")]);
    assert_eq!((count(&server, "interactions"), count(&server, "messages")), (1, 1));
}

#[test]
fn a_long_conversation_is_deleted_to_the_last_byte() {
    let server = signing();
    let (interaction, ann, eve) = converse(&server, &mut fastrand::Rng::with_seed(8));
    let dir = server.path().parent().expect("a directory").to_owned();
    signed(&server, "DELETE", &path(&interaction), "ann").send().expect(200);
    refused(signed(&server, "GET", &path(&interaction), "ann").send(), 404, "resource_not_found");
    // Some rows are left for later, and for nobody to see.
    assert_eq!(count(&server, "messages"), 370);
    assert_eq!(ids(&get(&server, "/interactions", "ann")), Vec::<String>::new());
    server.tick();
    assert_eq!((count(&server, "interactions"), count(&server, "messages")), (1, 20));
    server.app.store().empty_wal().expect("an empty WAL");
    while server.app.store().scrub().expect("a scrub") > 0 {}
    server.app.store().empty_wal().expect("an empty WAL");
    assert_eq!(left(&dir, &[&ann]), HashMap::new());
    assert!(!left(&dir, &[&eve]).is_empty());
}

#[test]
fn conversations_are_counted_with_what_is_held() {
    let server = signing();
    let interaction = begin(&server, "ann");
    say(&server, "ann", &interaction, "one");
    say(&server, "ann", &interaction, "two");
    let project = server.project().id;
    let held = server.read(|db| find::inventory(db, &find::get(db, project, "ann")?));
    let rows = |table: &str| held.iter().find(|held| held.table == table).map(|held| held.rows);
    assert_eq!((rows("interactions"), rows("messages")), (Some(1), Some(2)));
}

/// A visitor has none through an API; the rules take it all the same.
#[test]
fn a_merged_visitors_conversations_are_the_users() {
    let server = signing();
    let project = server.project().id;
    server.write(move |tx: &NormalTx| {
        let subject = Subject { identifier: None, anonymous_id: Some(named("v")) };
        let visitor = registration::ensure(tx, project, &subject)?;
        let begun = usher::store::interactions::insert(tx, visitor.id, [1; 16], "helper", tx.now())?;
        usher::store::messages::insert(tx, &begun, [2; 16], None, "hello")?;
        profile::record_activity(tx, &visitor, Said::Nothing)?;
        users::create_or_update(tx, project, &named("ann"), &ProfileChange::default())?.expect("taken");
        merge::unite(tx, project, &named("v"), &named("ann")).map(|_| ())
    });
    let path = format!("/interactions/i_{}", "01".repeat(16));
    for moved in [false, true] {
        let interaction = get(&server, &path, "ann");
        assert_eq!(interaction["agent_id"], "helper", "moved: {moved}");
        say(&server, "ann", &interaction, "and on");
        server.tick();
    }
    assert_eq!(count(&server, "messages"), 3);
    let ann = user(&get(&server, &path, "ann"));
    erase(&server, ann, Erasure::Everything);
    server.tick();
    assert_eq!((count(&server, "messages"), count(&server, "interactions"), server.rows_of(ann)), (0, 0, 0));
}

/// Rows that refer to others may have moved before those: they leave first, whosever they are.
#[test]
fn an_erasure_amid_a_merge_goes_table_by_table() {
    let server = signing();
    let project = server.project().id;
    let ann = server.write(move |tx: &NormalTx| {
        let subject = Subject { identifier: None, anonymous_id: Some(named("v")) };
        let visitor = registration::ensure(tx, project, &subject)?;
        let ann =
            users::create_or_update(tx, project, &named("ann"), &ProfileChange::default())?.expect("taken").0;
        let begun = usher::store::interactions::insert(tx, visitor.id, [1; 16], "helper", tx.now())?;
        usher::store::messages::insert(tx, &begun, [2; 16], None, "hello")?;
        let ann = merge::unite(tx, project, &named("v"), &named("ann")).map(|_| ann)?;
        // The messages have moved, the interaction has not.
        usher::store::data_inventory::rehome(tx, visitor.id, ann.id, 250)?;
        Ok(ann.id)
    });
    erase(&server, ann, Erasure::Everything);
    let report = server.tick();
    assert_eq!((report.faults, report.completed), (0, 1));
    assert_eq!(
        (count(&server, "messages"), count(&server, "interactions"), count(&server, "users")),
        (0, 0, 0)
    );
}
