//! Whose the names are of a user whose 7 days are over by a clock that is not trusted, and after that
//! clock was set back.

use serde_json::json;
use usher::clock::{DAY, HOUR, MINUTE, Millis};
use usher::model::{State, TRASH_PERIOD, UserId};

use super::{hide, put, row, state};
use crate::harness::{START, Server};
use crate::segment::{batch, count, find, user};

const JUMP: Millis = 2 * DAY + HOUR;

/// Ann with a visitor's past, hidden, and past the seventh day by a clock that nobody trusts.
fn waiting() -> (Server, UserId) {
    let server = Server::start();
    batch(
        &server,
        json!([
            { "type": "track", "anonymousId": "phone", "event": "seen" },
            { "type": "identify", "anonymousId": "phone", "userId": "ann" },
            { "type": "track", "userId": "ann", "event": "bought" },
        ]),
    );
    server.tick();
    let ann = user(&server, "ann").id;
    hide(&server, "ann");
    server.clock.advance(4 * DAY);
    server.clock.set_wall(JUMP);
    server.tick();
    server.clock.advance(23 * HOUR + MINUTE);
    server.tick();
    assert_eq!(server.clock.now(), START + TRASH_PERIOD + MINUTE);
    assert!(!server.app.time_standing().is_trusted());
    (server, ann)
}

fn set_back(server: &Server) {
    server.clock.set_wall(-JUMP);
    server.tick();
    assert!(server.app.time_standing().is_trusted());
}

#[test]
fn the_names_go_together_whichever_is_asked_for() {
    for name in [json!({ "userId": "ann" }), json!({ "anonymousId": "phone" })] {
        let (server, ann) = waiting();
        let mut message = json!({ "type": "identify" });
        message.as_object_mut().expect("an object").extend(name.as_object().expect("a name").clone());
        batch(&server, json!([message]));
        assert_eq!(state(&server, ann), Some(State::Waiting), "{name}");
        assert_eq!(count(&server, &format!("aliases WHERE user_id = {ann}")), 0);
        assert_eq!(count(&server, &format!("freed_aliases WHERE user_id = {ann}")), 1);
        assert_eq!(count(&server, "users WHERE state = 'live'"), 1, "{name}: a new person");
    }
}

#[test]
fn a_clock_set_back_puts_who_waits_in_the_trash_under_the_name() {
    let (server, ann) = waiting();
    // Nobody new: only a message that was late.
    let old = json!({ "type": "track", "userId": "ann", "event": "x", "timestamp": "2026-03-04T10:00:01Z" });
    crate::segment::late(&server, json!([old]));
    assert_eq!(state(&server, ann), Some(State::Waiting));
    set_back(&server);
    let back = row(&server, ann).expect("ann");
    assert_eq!((back.state, back.identifier.as_deref()), (State::Hidden, Some("ann")));
    assert_eq!(count(&server, &format!("aliases WHERE user_id = {ann}")), 1);
    assert_eq!(put(&server, "ann"), ann);
    assert_eq!(user(&server, "ann").event_count, 2);
}

#[test]
fn a_name_that_is_taken_stays_the_new_persons() {
    let (server, ann) = waiting();
    let new = put(&server, "ann");
    set_back(&server);
    let back = row(&server, ann).expect("ann");
    assert_eq!((back.state, back.identifier), (State::Hidden, None));
    // The visitor's name was free.
    assert_eq!(count(&server, &format!("aliases WHERE user_id = {ann}")), 1);
    assert_eq!(user(&server, "ann").id, new);
    // Her seven days go on from where they were, and end as they should.
    server.clock.advance(START + TRASH_PERIOD - server.clock.now() - 1);
    assert_eq!(server.tick().reaped, 0);
    server.clock.advance(1);
    assert_eq!(server.tick().reaped, 1);
    assert_eq!(server.rows_of(ann), 0);
    assert_eq!(user(&server, "ann").id, new);
}

#[test]
fn who_waits_is_in_no_list_and_not_found() {
    let (server, ann) = waiting();
    put(&server, "ann");
    let browser = crate::admin::Browser::owner(&server);
    let trash = browser.get("/admin/trash").expect(200).text;
    assert!(!trash.contains(&ann.to_string()));
    browser.get(&crate::admin::page_of(ann)).expect(404);
    let sought = browser.get("/admin/users?q=phone").expect(200).text;
    assert!(!sought.contains(&ann.to_string()));
    let native = server.get(&format!("/users/u_{ann}")).bearer(&server.project().all).send();
    native.expect(404);
}

#[test]
fn the_receipt_is_the_one_that_the_person_was_told() {
    let server = Server::start();
    server.seed("ann").events(2).insert();
    // Hidden while the clock was a year ahead and dated rows.
    server.clock.set_wall(400 * DAY);
    server.tick();
    server.clock.advance(HOUR);
    server.tick();
    let project = server.project().id;
    let token = server.write(move |tx| {
        let user = usher::people::find::get(tx, project, "ann")?;
        usher::erasure::trash::hide(tx, &user)
    });
    server.clock.set_wall(-400 * DAY);
    server.tick();
    server.clock.advance(TRASH_PERIOD - 1);
    assert_eq!(server.tick().reaped, 0);
    server.clock.advance(1);
    assert_eq!(server.tick().reaped, 1);
    let job = server.read(|db| usher::erasure::jobs::list(db, None, 1)).pop().expect("a job");
    assert_eq!(job.receipt, token.receipt.0);
    assert_eq!(job.created_at, START + HOUR);
    assert!(find(&server, "ann").is_none());
}
