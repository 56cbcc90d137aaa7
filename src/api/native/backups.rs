//! The backups that there are, for those who watch over them.

use actix_web::http::Method;
use actix_web::{HttpResponse, web};
use serde_json::{Value, json};

use super::{DIALECT, words};
use crate::api::dialect::{Answer, Call, Route};
use crate::app::backups::{self, Backup, Stay};
use crate::clock;
use crate::error::Error;
use crate::model::Scope;

pub fn routes() -> Vec<Route> {
    vec![Route::new(
        DIALECT,
        Method::GET,
        "/api/backups",
        Some(Scope::Admin),
        get_backups,
        words::get_backups,
    )]
}

/// The backups of the installation, the newest first. `erasuresSince` is the most that a
/// restore would erase again, null where it would be refused: then `refused` says why.
/// `prunedAt` is null for one that stays until there is a younger one, or is removed by hand.
async fn get_backups(call: Call) -> Answer {
    // They hold every project.
    if call.access()?.project.is_some() {
        return Err(Error::Forbidden("a project's key cannot read backups: use a key of the organisation"));
    }
    let app = call.app.clone();
    let listed = web::block(move || backups::list(&app)).await.map_err(Error::internal)??;
    Ok(HttpResponse::Ok().json(json!({ "data": listed.iter().map(backup_json).collect::<Vec<Value>>() })))
}

fn backup_json(backup: &Backup) -> Value {
    let pruned_at = match backup.stays {
        Stay::Until(at) => Some(at),
        Stay::UntilAYounger | Stay::UntilRemoved => None,
    };
    json!({
        "name": backup.name,
        "madeAt": backup.made_at.map(clock::rfc3339),
        "prunedAt": pruned_at.map(clock::rfc3339),
        "bytes": backup.bytes,
        "erasuresSince": backup.again.as_ref().ok().map(|again| again.erased),
        "refused": backup.again.as_ref().err(),
    })
}
