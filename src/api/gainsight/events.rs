//! `POST /v1/events/custom`: what a client says that a user did.

use actix_web::http::StatusCode;
use serde_json::{Value, json};

use super::cells;
use super::cells::Kind as Type;
use super::{done, renamed};
use crate::api::dialect::repairs::Repairs;
use crate::api::dialect::{Answer, Call, Object};
use crate::error::{Error, Place, Result};
use crate::model::{Attributes, Device, Identifier, Kind, Said};
use crate::people::activity::Incoming;
use crate::people::subject::Subject;
use crate::people::{recorder, repairs as repaired};
use crate::store::NormalTx;

/// The rules' own names for what an event of this API has, and its names.
const OF_EVENTS: &[(&str, &str)] =
    &[("name", "eventName"), ("messageId", "eventId"), ("properties", "attributes")];
/// The vendor's own fields of an event that have no place but among its attributes.
pub const ABOUT: [&str; 6] = ["propertyKey", "userType", "accountId", "eventType", "referrer", "remoteHost"];
const MESSAGE_ID_MAX: usize = 1_024;

/// `{identifyId, eventName, date?, attributes?, sessionId?, url?, eventId?, …}`. A user that
/// is not known is created, a hidden one stays hidden. An event with an `eventId` counts
/// once, however often it is sent.
pub async fn create(mut call: Call) -> Answer {
    let project = call.project()?;
    let mut repairs = Repairs::default();
    let event = event(&call.object().await?, &mut repairs)?;
    let counted = repairs.counted();
    let record = move |tx: &NormalTx| {
        repaired::note_all(tx, project, &counted)?;
        recorder::record(tx, project, &event)
    };
    let written = call.app.write(record).await;
    written.map_err(|error| renamed(error, OF_EVENTS))?;
    Ok(repairs.named_in(done(StatusCode::CREATED)))
}

/// Whose event it is, and its name, must be readable; any other field is left out alone.
fn event(body: &Object, repairs: &mut Repairs) -> Result<Incoming> {
    let identifier = body.identifier("identifyId")?;
    let name = body.text("eventName")?.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Error::invalid(Place::Body, "eventName", "is required"))?;
    let mut data = cells::object(body, "attributes", repairs);
    for (field, value) in about(body, repairs) {
        // An attribute of that name is the client's own word, and stays.
        data.entry(field).or_insert(value);
    }
    Ok(Incoming {
        subject: Subject { identifier: Some(identifier), anonymous_id: None },
        kind: Kind::Event,
        name,
        at: date(body, repairs),
        message_id: message_id(body, repairs),
        session: session(body, repairs),
        url: cells::text(body, "url", repairs),
        data,
        device: Device::default(),
    })
}

fn about(body: &Object, repairs: &mut Repairs) -> Attributes {
    let mut about = Attributes::new();
    for field in ABOUT {
        if let Some(text) = cells::text(body, field, repairs) {
            about.insert(field.into(), json!(text));
        }
    }
    let context = cells::object(body, "globalContext", repairs);
    if !context.is_empty() {
        about.insert("globalContext".into(), Value::Object(context));
    }
    about
}

fn message_id(body: &Object, repairs: &mut Repairs) -> Option<String> {
    let id = cells::text(body, "eventId", repairs)?;
    if id.len() > MESSAGE_ID_MAX {
        repairs.note("eventId", "must have at most 1024 bytes");
        return None;
    }
    Some(id)
}

fn session(body: &Object, repairs: &mut Repairs) -> Option<Identifier> {
    let name = cells::text(body, "sessionId", repairs)?;
    if let Err(fault) = Identifier::check(&name) {
        repairs.note("sessionId", fault);
    }
    Identifier::parse(Place::Body, "sessionId", &name).ok()
}

/// The time at which it comes in, if it has none that can be read.
fn date(body: &Object, repairs: &mut Repairs) -> Said {
    let Some(date) = body.0.get("date") else { return Said::Nothing };
    match cells::read(Type::Time, date) {
        Ok(value) => value.as_i64().into(),
        Err(reason) => {
            repairs.note("date", reason);
            Said::Unreadable(None)
        }
    }
}
