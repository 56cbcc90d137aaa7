//! What was done about a person, and by whom: as roles, never by the names of staff.

use std::io::Write;

use serde_json::{Value, json};

use super::{Export, Subject, of_writing, stamp};
use crate::error::{Error, Result};
use crate::model::{AdminId, Role, User};
use crate::people::person;
use crate::store::{Db, admins, audit, export as rows, users};

/// Writes `{"acts":[…],"deletions":[…],"suppressions":[…]}`. Returns how many entries it has.
pub fn write(export: &Export, user: &User, subject: &Subject, out: &mut dyn Write) -> Result<u64> {
    let mut list = List { out, entries: 0, is_first: true };
    list.text("{\"acts\":[")?;
    let incarnations = export.store.read(|db| users::incarnations(db, user))?;
    for incarnation in incarnations {
        let (who, mut after) = (person::known_as(export.store, &incarnation), 0);
        loop {
            let acts = export.store.read(|db| {
                let acts = audit::of_subject(db, &who, after)?;
                acts.into_iter().map(|act| Ok((by(db, &act.row.actor)?, act))).collect::<Result<Vec<_>>>()
            })?;
            let Some((_, last)) = acts.last() else { break };
            after = last.row.seq;
            for (by, act) in &acts {
                list.put(&json!({ "at": stamp(act.row.at), "action": act.row.action, "by": by }))?;
            }
        }
    }
    list.begin("deletions")?;
    if let Some(identifier) = &user.identifier {
        let jobs = export.store.read(|db| rows::deletions(db, user.project, identifier))?;
        for job in jobs {
            list.put(&json!({
                "number": job.number,
                "what": job.erasure.as_str(),
                "asked": stamp(job.created_at),
                "due": stamp(job.start_at),
                "finished": job.finished_at.map(stamp),
                "status": job.status.as_str(),
                "origin": job.origin.as_str(),
                "legalBasis": job.legal_basis.as_str(),
            }))?;
        }
    }
    list.begin("suppressions")?;
    for suppression in export.suppressions(user, subject)? {
        list.put(&json!({
            "since": stamp(suppression.created_at),
            "until": suppression.until.map(stamp),
            "reason": suppression.reason,
        }))?;
    }
    list.text("]}\n")?;
    Ok(list.entries)
}

struct List<'o> {
    out: &'o mut dyn Write,
    entries: u64,
    is_first: bool,
}

impl List<'_> {
    fn text(&mut self, text: &str) -> Result<()> {
        self.out.write_all(text.as_bytes()).map_err(|error| of_writing(&error))
    }

    fn begin(&mut self, name: &str) -> Result<()> {
        self.is_first = true;
        self.text(&format!("],\"{name}\":["))
    }

    fn put(&mut self, entry: &Value) -> Result<()> {
        let text = serde_json::to_string(entry).map_err(Error::internal)?;
        let before = if std::mem::replace(&mut self.is_first, false) { "\n" } else { ",\n" };
        self.entries += 1;
        self.text(before)?;
        self.text(&text)
    }
}

/// Who did it, in words that name nobody.
fn by(db: &Db, actor: &str) -> Result<&'static str> {
    Ok(match actor.split_once(' ') {
        Some(("admin", id)) => {
            let admin = id.parse().map(AdminId).map(|id| admins::by_id(db, id));
            let role = admin.ok().transpose()?.flatten().map(|admin| admin.role);
            role.map_or("staff", Role::label)
        }
        Some(("key", _)) => "a program with an API key",
        _ if actor == "operator" => "the operator of the server",
        _ if actor == "system" => "the server itself",
        _ => "the app",
    })
}
