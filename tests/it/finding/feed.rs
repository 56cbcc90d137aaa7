//! Every verb that changes what somebody is called changes what is found, before it is answered.

use serde_json::json;
use usher::clock::DAY;
use usher::erasure::trash;
use usher::error::{Error, Result};
use usher::model::{ProfileChange, UserId};
use usher::people::users;
use usher::store::NormalTx;

use super::{ask, ids, ids_of};
use crate::harness::{Server, encode, named};

fn holds(server: &Server, name: &str) -> bool {
    server.app.find().holds(name.as_bytes())
}

#[test]
fn a_rename_is_found_at_once_and_the_old_name_is_gone() {
    let server = Server::start();
    let id = server.seed("ann-old-name").email("old-mail@example.com").insert().to_string();
    let project = server.project().id;
    assert_eq!(ids(&server, "ld-nam"), std::slice::from_ref(&id));
    server
        .write(move |tx| {
            let change = ProfileChange {
                email: Some(Some("new-mail@example.com".into())),
                display_name: Some(Some("Shown So".into())),
                ..ProfileChange::default()
            };
            users::update(tx, project, "ann-old-name", &change)
        })
        .expect("taken");
    assert_eq!(ids(&server, "new-mail"), std::slice::from_ref(&id));
    assert_eq!(ids(&server, "shown so"), [id]);
    assert_eq!(ids(&server, "old-mail"), Vec::<String>::new());
    assert!(!holds(&server, "old-mail") && holds(&server, "new-mail"));
}

#[test]
fn who_is_erased_is_out_of_it_when_the_request_is_answered() {
    let server = Server::start();
    let (ann, bob) =
        (server.seed("ann-4711").email("ann@example.com").insert(), server.seed("bob-4711").insert());
    assert_eq!(ids(&server, "4711"), [bob.to_string(), ann.to_string()]);
    let request = server.delete("/v1/users/ann-4711?hardDelete=true");
    request.header("X-APTRINSIC-API-KEY", &server.project().all).send().expect(200);
    assert_eq!(ids(&server, "4711"), [bob.to_string()]);
    assert!(!holds(&server, "ann-4711") && !holds(&server, "ann@example.com") && holds(&server, "bob-4711"));
    server.tick();
    assert_eq!(ids(&server, "4711"), [bob.to_string()]);
}

#[test]
fn an_erased_account_is_not_found_by_name() {
    let server = Server::start();
    server.seed("ann-4711").events(2).insert();
    let project = server.project().id;
    server.write(move |tx| {
        let (kind, origin) = (usher::model::Erasure::Account, usher::model::Origin::Request);
        usher::erasure::begin::by_identifier(tx, project, "ann-4711", kind, origin)
    });
    assert!(!holds(&server, "ann-4711"));
    assert_eq!(ids(&server, "4711"), Vec::<String>::new());
}

fn hide(server: &Server, id: UserId) {
    server.write(move |tx| {
        let user = usher::people::find::held(tx, id, tx.now())?;
        trash::hide(tx, &user)
    });
}

#[test]
fn the_trash_is_found_where_it_is_asked_for_until_its_end() {
    let server = Server::start();
    let id = server.seed("ann-4711").insert();
    hide(&server, id);
    let among = |state: &str| {
        let body = json!({ "q": "4711", "filter": { "state": state } });
        ask(&server, server.project(), body).expect(200).json()["data"].as_array().expect("a list").len()
    };
    assert_eq!((among("live"), among("trash"), among("all")), (0, 1, 1));
    server.clock.advance(7 * DAY - 1);
    assert_eq!(among("all"), 1);
    server.clock.advance(1);
    assert_eq!(among("all"), 0, "its 7 days are over");
    server.tick();
    assert!(!holds(&server, "ann-4711"), "the reaper has been there");
}

#[test]
fn who_comes_back_is_found_again() {
    let server = Server::start();
    let id = server.seed("ann-4711").insert();
    hide(&server, id);
    assert_eq!(server.seed("ann-4711").insert(), id);
    let body = json!({ "q": "4711" });
    assert_eq!(ask(&server, server.project(), body).expect(200).json()["data"][0]["id"], id.to_string());
}

#[test]
fn what_is_rolled_back_changes_nothing() {
    let server = Server::start();
    let id = server.seed("ann-4711").insert().to_string();
    let project = server.project().id;
    let outcome: Result<()> = server.app.write_blocking(move |tx: &NormalTx| {
        users::create_or_update(tx, project, &named("never-there"), &ProfileChange::default())?
            .expect("taken");
        Err(Error::Conflict("on purpose"))
    });
    assert!(outcome.is_err());
    server
        .write(move |tx: &NormalTx| {
            let part: Result<()> = tx.nested(|| {
                users::create_or_update(tx, project, &named("nor-in-part"), &ProfileChange::default())?
                    .expect("taken");
                Err(Error::Conflict("on purpose"))
            });
            assert!(part.is_err());
            users::create_or_update(tx, project, &named("but-this-one"), &ProfileChange::default())
        })
        .expect("taken");
    assert!(
        !holds(&server, "never-there") && !holds(&server, "nor-in-part") && holds(&server, "but-this-one")
    );
    assert_eq!(ids(&server, "4711"), [id]);
}

#[test]
fn a_second_e_mail_of_a_public_credential_finds_its_person() {
    let server = Server::start();
    let id = server.seed("ann").email("ann@example.com").insert().to_string();
    let token = server.project().token.clone();
    let body = json!({ "userId": "ann", "traits": { "email": "claimed-mail@example.com" } });
    let basic = data_encoding::BASE64.encode(format!("{token}:").as_bytes());
    server
        .post("/v1/identify")
        .header("Authorization", &format!("Basic {basic}"))
        .json(body)
        .send()
        .expect(200);
    assert_eq!(ids(&server, "aimed-mail"), [id]);
}

#[test]
fn a_deleted_project_is_out_of_it_at_once() {
    let server = Server::start();
    let other = server.second();
    let id = other.id;
    server
        .write(move |tx: &NormalTx| {
            users::create_or_update(tx, id, &named("theirs-4711"), &ProfileChange::default())
        })
        .expect("taken");
    assert_eq!(ids_of(&server, &other, "4711").len(), 1);
    let organisation = server.key(None, "admin,delete");
    let name = server.read(|db| usher::projects::by_key(db, &other.key)).name;
    let path = format!("/api/projects/{}?confirm={}", other.key, encode(&name));
    assert!(holds(&server, "theirs-4711"), "the twin");
    let status = server.delete(&path).bearer(&organisation).send().status;
    assert!((200..300).contains(&status), "{status}");
    assert!(!holds(&server, "theirs-4711"));
}

/// Beside the server, so that nothing of it is told: what is found is what the rows say.
#[test]
fn rows_decide_where_an_entry_is_out_of_date() {
    let server = Server::start();
    let id = server.seed("ann-4711").insert();
    server.sqlite().execute("UPDATE users SET identifier = 'bob' WHERE id = ?1", [id.0]).expect("a change");
    assert!(holds(&server, "ann-4711"));
    assert_eq!(ids(&server, "4711"), Vec::<String>::new());
}
