//! `GET /v1/admin/model/{user|account}/attributes`: a bare list of what a user or an account
//! can have. Another type has no route, and so is 404.

use actix_web::HttpResponse;
use serde_json::{Value, json};

use super::cells::Kind;
use super::fields::FIELDS;
use crate::api::dialect::{Answer, Call};
use crate::clock::Millis;
use crate::people::attributes;
use crate::people::attributes::Shape;
use crate::projects;

/// Custom attributes are read off so many users, the newest.
const ATTRIBUTES_OF: u32 = 10_000;

/// The vendor's API description, `Account`.
const ACCOUNT: &[(&str, Kind)] = &[
    ("id", Kind::Text),
    ("name", Kind::Text),
    ("trackedSubscriptionId", Kind::Text),
    ("sfdcId", Kind::Text),
    ("lastSeenDate", Kind::Time),
    ("dunsNumber", Kind::Text),
    ("industry", Kind::Text),
    ("numberOfEmployees", Kind::Integer),
    ("sicCode", Kind::Text),
    ("website", Kind::Text),
    ("naicsCode", Kind::Text),
    ("plan", Kind::Text),
    ("location", Kind::Objects),
    ("numberOfUsers", Kind::Integer),
    ("propertyKeys", Kind::Texts),
    ("createDate", Kind::Time),
    ("lastModifiedDate", Kind::Time),
    ("parentGroupId", Kind::Text),
    ("renewalDate", Kind::Time),
    ("healthScore", Kind::Decimal),
    ("gsId", Kind::Text),
    ("nps", Kind::Decimal),
    ("csm", Kind::Text),
];

/// The fields that every user has, then the custom attributes that are in use.
pub async fn of_users(call: Call) -> Answer {
    let project = call.project()?;
    let (since, custom) = call
        .app
        .scan(move |db| {
            let since = projects::get(db, project)?.created_at;
            Ok((since, attributes::in_use(db, project, ATTRIBUTES_OF)?))
        })
        .await?;
    let standard = FIELDS
        .iter()
        .map(|field| json(field.name, field.name, "DEFAULT", field.kind.attribute_type(), since));
    let custom = custom.iter().map(|(name, shape)| {
        json(&format!("customAttributes.{name}"), name, "CUSTOM", attribute_type(*shape), since)
    });
    Ok(HttpResponse::Ok().json(standard.chain(custom).collect::<Vec<Value>>()))
}

/// The fields that the vendor's accounts have. Accounts are not kept here, so there are none
/// with values, and no custom attributes; but connectors check that this list is
/// there before they read anything else.
pub async fn of_accounts(call: Call) -> Answer {
    let project = call.project()?;
    let since = call.app.read(|db| projects::get(db, project))?.created_at;
    let standard =
        ACCOUNT.iter().map(|(name, kind)| json(name, name, "DEFAULT", kind.attribute_type(), since));
    Ok(HttpResponse::Ok().json(standard.collect::<Vec<Value>>()))
}

/// The vendor has four types; what is neither of the others is a string.
fn attribute_type(shape: Shape) -> &'static str {
    match shape {
        Shape::Number => "NUMBER",
        Shape::Flag => "BOOLEAN",
        Shape::Text | Shape::Other => "STRING",
    }
}

/// `id` is the name by which `filter` knows it.
fn json(id: &str, name: &str, origin: &str, kind: &str, since: Millis) -> Value {
    json!({
        "id": id,
        "name": name,
        "apiName": name,
        "internalName": name,
        "description": "",
        "type": kind,
        "state": "ENABLED",
        "origin": origin,
        "createdDate": since,
        "modifiedDate": since,
        "defaultValue": "",
    })
}
