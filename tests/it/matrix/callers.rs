//! Who is let in by which route.

use usher::access::keys::{Bounds, Powers};
use usher::access::{keys, rotation};
use usher::clock::{HOUR, MINUTE};
use usher::model::{KeyId, ProjectId, Scope, Scopes};

use super::{Row, Whose, keyed, path_of_ours, state, table};
use crate::harness::Server;
use crate::key_lives::change;

/// What is exported is read, too: that scope alone opens nothing.
const SCOPES: [&str; 6] = ["ingest", "read", "write", "delete", "admin", "export,read"];
const ALL: &str = "ingest,read,write,delete,admin,export";

/// What may be in a request's header.
struct Caller {
    what: &'static str,
    key: Option<String>,
    kind: Kind,
}

enum Kind {
    /// A key that opens nothing, whatever it is.
    Nobody,
    /// None: of the organisation.
    Key {
        of_project: bool,
        scopes: &'static str,
    },
    Public,
}

impl Caller {
    /// 401, 403, or none of the two.
    fn expected(&self, row: &Row) -> Option<u16> {
        let (of_project, scopes) = match self.kind {
            Kind::Nobody => return Some(401),
            Kind::Key { of_project, scopes } => (of_project, scopes),
            Kind::Public => (true, "ingest"),
        };
        let is_whose = match row.whose {
            Whose::Project => of_project,
            Whose::Organisation => !of_project,
            Whose::Both | Whose::Anybody => true,
        };
        (!is_whose || !scopes.split(',').any(|scope| scope == row.needs)).then_some(403)
    }
}

fn made(server: &Server, project: Option<ProjectId>, powers: Powers, bounds: Bounds) -> (KeyId, String) {
    let (key, secret) = change(server, move |tx| keys::create(tx, project, "k", powers, &bounds));
    (key.id, secret)
}

/// Everybody there is; some of them have ended by now.
fn callers(server: &Server) -> Vec<Caller> {
    let project = Some(server.project().id);
    let all = Powers::Scopes(Scopes::of(&Scope::ALL));
    let ends = Bounds { expires_at: Some(server.clock.now() + MINUTE), ..Bounds::default() };
    let (_, expired) = made(server, project, all, ends.clone());
    let (_, expired_public) = made(server, project, Powers::Public, ends.clone());
    let (_, expired_organisation) = made(server, None, all, ends);
    let (revoked_id, revoked) = made(server, project, all, Bounds::default());
    change(server, move |tx| keys::revoke(tx, revoked_id));
    let (rotated_id, rotated) = made(server, project, all, Bounds::default());
    change(server, move |tx| rotation::of_key(tx, rotated_id, MINUTE));
    let elsewhere = Bounds { addresses: vec!["192.0.2.1".to_owned()], ..Bounds::default() };
    let (_, bound) = made(server, project, all, elsewhere);
    let (_, public) = made(server, project, Powers::Public, Bounds::default());
    let (old_token, id) = (server.project().token.clone(), server.project().id);
    let token = change(server, move |tx| rotation::of_token(tx, id, MINUTE)).ingest_token;
    server.clock.advance(HOUR);

    let nobody = [
        ("expired", expired),
        ("expired, public", expired_public),
        ("expired, of the organisation", expired_organisation),
        ("revoked", revoked),
        ("rotated out", rotated),
        ("bound to another address", bound),
        ("a token that was replaced", old_token),
        ("unknown", "ush_nobody".to_owned()),
        ("malformed", "%%% %%%".to_owned()),
    ];
    let mut callers = vec![Caller { what: "no credential", key: None, kind: Kind::Nobody }];
    callers.extend(nobody.map(|(what, key)| Caller { what, key: Some(key), kind: Kind::Nobody }));
    for (of_project, what) in [(true, "of the project"), (false, "of the organisation")] {
        let project = project.filter(|_| of_project);
        for scopes in SCOPES.into_iter().chain([ALL]) {
            let key = Some(server.key(project, scopes));
            callers.push(Caller { what, key, kind: Kind::Key { of_project, scopes } });
        }
    }
    for (what, key) in [("a public key", public), ("the ingest token", token)] {
        callers.push(Caller { what, key: Some(key), kind: Kind::Public });
    }
    callers
}

#[test]
fn each_route_lets_in_who_may_and_nobody_else() {
    let server = Server::start();
    // An agent is asked, and there is none.
    server.expect_faults();
    let callers = callers(&server);
    let project = server.project().clone();
    let (mut closed, mut open, mut changed) = (0, 0, 0);
    for row in keyed() {
        let path = path_of_ours(&server, &project, &row);
        let before = state(&server);
        let (shut, let_in): (Vec<&Caller>, Vec<&Caller>) =
            callers.iter().partition(|caller| caller.expected(&row).is_some());
        for caller in shut {
            let reply = row.request(&server, &path, caller.key.as_deref()).send();
            let at = format!("{} by {} {}", row.at(), caller.what, reply.text);
            assert_eq!(Some(reply.status), caller.expected(&row), "{at}");
            closed += 1;
        }
        assert_eq!(state(&server), before, "{}: who was shut out changed something", row.at());
        assert!(!let_in.is_empty(), "{}: nobody may", row.at());
        for caller in let_in {
            let reply = row.request(&server, &path, caller.key.as_deref()).send();
            let what = format!("{} by {}: {} {}", row.at(), caller.what, reply.status, reply.text);
            let vouched = row.face != "ProficientClient" || caller.key_has(ALL);
            assert!(reply.status != 401 && (reply.status != 403 || !vouched), "{what}");
            open += 1;
        }
        // The twin: who was let in did.
        changed += usize::from(state(&server) != before);
    }
    println!("{closed} closed, {open} open, {changed} routes changed something");
    assert!(closed > 1_500 && open > 250, "{closed} closed, {open} open");
    assert!(changed > 45, "{changed} routes changed something for who may");
}

impl Caller {
    fn key_has(&self, all: &str) -> bool {
        matches!(self.kind, Kind::Key { scopes, .. } if scopes == all)
    }
}

/// What asks for a public credential in its own way.
#[test]
fn what_is_open_tells_who_has_ended_no_more_than_who_is_unknown() {
    let server = Server::start();
    let callers = callers(&server);
    for row in table().into_iter().filter(|row| row.whose == Whose::Anybody) {
        let ask = |key: &str| {
            let path = row.path(|_| key.replace('%', "x").replace(' ', ""));
            let reply = row.request(&server, &path, Some(key)).send();
            (reply.status, reply.text)
        };
        let unknown = ask("ush_nobody");
        let asks = ["/v1/projects/{writeKey}/settings", "/sourceConfig"].contains(&row.pattern)
            && row.method == "GET";
        for caller in &callers {
            let Some(key) = caller.key.as_deref().filter(|key| !key.contains('%')) else { continue };
            match caller.kind {
                Kind::Public if asks => assert_eq!(ask(key).0, 200, "{}", row.at()),
                _ => assert_eq!(ask(key), unknown, "{} by {}", row.at(), caller.what),
            }
        }
    }
}
