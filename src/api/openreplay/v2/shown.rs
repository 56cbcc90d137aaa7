//! How people, sessions and events are shown. Of what this server does not keep, the vendor's
//! members are there all the same: "", 0 or null.

use serde_json::{Map, Value, json};

use crate::model::{Event, Project, Session, User};
use crate::people::session_parts::SessionPart;

/// So many anonymous ids of a user are shown.
pub const DISTINCT_IDS_MAX: u32 = 1_000;

/// The columns of a user that the vendor knows.
pub const USER_COLUMNS: &[&str] = &[
    "$user_id",
    "$email",
    "$name",
    "$first_name",
    "$last_name",
    "$phone",
    "$avatar",
    "$created_at",
    "properties",
    "group_id1",
    "group_id2",
    "group_id3",
    "group_id4",
    "group_id5",
    "group_id6",
    "$sdk_edition",
    "$sdk_version",
    "$current_url",
    "$initial_referrer",
    "$referring_domain",
    "initial_utm_source",
    "initial_utm_medium",
    "initial_utm_campaign",
    "$country",
    "$state",
    "$city",
    "$or_api_endpoint",
    "$timezone",
    "$first_event_at",
    "$last_seen",
];

/// Those that each user of a list has, asked for or not.
const LISTED: [&str; 7] =
    ["$user_id", "$email", "$name", "$first_name", "$last_name", "$created_at", "$last_seen"];

/// The columns of an event that the vendor knows.
pub const EVENT_COLUMNS: &[&str] = &[
    "event_id",
    "$event_name",
    "created_at",
    "distinct_id",
    "session_id",
    "$user_id",
    "$device_id",
    "$time",
    "$source",
    "$duration_s",
    "properties",
    "$properties",
    "description",
    "group_id1",
    "group_id2",
    "group_id3",
    "group_id4",
    "group_id5",
    "group_id6",
    "$auto_captured",
    "$sdk_edition",
    "$sdk_version",
    "$os",
    "$os_version",
    "$browser",
    "$browser_version",
    "$device",
    "$screen_height",
    "$screen_width",
    "$current_url",
    "$current_path",
    "$initial_referrer",
    "$referring_domain",
    "$referrer",
    "$initial_referring_domain",
    "$search_engine",
    "$search_engine_keyword",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "$country",
    "$state",
    "$city",
    "$or_api_endpoint",
    "$timezone",
    "issue_type",
    "issue_id",
    "error_id",
    "$tags",
    "$import",
];

/// One installation is one tenant. Every session that is sent is kept, whole, and no payload of a
/// request: the rate is 100 of 100, and the two sizes set no bound, 0.
pub fn project(project: &Project) -> Value {
    let mut fields = json!({
        "projectId": project.id.0,
        "name": project.name,
        "projectKey": project.key,
        "tenantId": 1,
        "maxSessionDuration": 0,
        "sampleRate": 100,
        "saveRequestPayloads": false,
        "beaconSize": 0,
        "platform": project.platform,
    });
    for n in 1..=10 {
        fields[format!("metadata{n}")] = Value::Null;
    }
    fields
}

pub fn listed_user(user: &User, columns: &[&'static str]) -> Value {
    let shown = LISTED.iter().chain(columns);
    Value::Object(shown.map(|column| ((*column).to_owned(), of_user(user, column))).collect())
}

/// All of a user. `distinct_ids` are the anonymous ids.
pub fn user(user: &User, distinct_ids: &[String]) -> Value {
    let mut fields = listed_user(user, USER_COLUMNS);
    fields["distinct_ids"] = json!(distinct_ids);
    fields
}

fn of_user(user: &User, column: &str) -> Value {
    let profile = &user.profile;
    let text = |text: &Option<String>| json!(text.as_deref().unwrap_or_default());
    match column {
        "$user_id" => text(&user.identifier),
        "$email" => text(&profile.email),
        "$name" => text(&user.name()),
        "$first_name" => text(&profile.first_name),
        "$last_name" => text(&profile.last_name),
        // A trait of that name, or the field of another API.
        "$phone" => {
            let phone = profile.extra.get("phone").or_else(|| profile.attributes.get("phone"));
            json!(phone.and_then(Value::as_str).unwrap_or_default())
        }
        "$avatar" => text(&profile.avatar_url),
        "$country" => text(&profile.country),
        "$city" => text(&profile.city),
        "$created_at" => json!(user.created_at),
        "$first_event_at" => json!(user.first_seen.unwrap_or_default()),
        "$last_seen" => json!(user.last_seen.unwrap_or_default()),
        "properties" => json!(profile.attributes),
        // The group that a `group` message named last.
        "group_id1" => match profile.attributes.get("groupId") {
            Some(Value::String(group)) => json!([group]),
            _ => Value::Null,
        },
        "group_id2" | "group_id3" | "group_id4" | "group_id5" | "group_id6" => Value::Null,
        "$timezone" => json!(0),
        _ => json!(""),
    }
}

pub fn session(session: &Session) -> Value {
    json!({
        "sessionId": session.id.to_string(),
        "eventsCount": session.event_count,
        "startTs": session.started_at,
        "endTs": session.ended_at,
    })
}

/// A session that is not there, or not to be seen, has no events.
pub fn events(visit: Option<&SessionPart>, columns: &[&str]) -> Value {
    let events = |visit: &SessionPart| visit.events.iter().map(|one| event(one, visit, columns)).collect();
    let list: Vec<Value> = visit.map(events).unwrap_or_default();
    json!({ "total": visit.map_or(0, |visit| visit.total), "events": list })
}

/// Five members always; of the others those that are asked for and that there is something of.
fn event(event: &Event, visit: &SessionPart, columns: &[&str]) -> Value {
    let mut fields = Map::new();
    fields.insert("event_id".into(), json!(event.message_id));
    fields.insert("$event_name".into(), json!(event.name));
    fields.insert("created_at".into(), json!(event.at));
    fields.insert("distinct_id".into(), json!(visit.name.as_deref().unwrap_or_default()));
    fields.insert("session_id".into(), json!(visit.session.id.to_string()));
    let device = &visit.session.device;
    for column in columns {
        let text = match *column {
            "$user_id" => &visit.user.identifier,
            "$current_url" => &event.url,
            "$os" => &device.os,
            "$browser" => &device.browser,
            "$device" => &device.device,
            "$country" => &device.country,
            "properties" => {
                fields.insert("properties".into(), json!(event.data));
                continue;
            }
            _ => continue,
        };
        if let Some(text) = text {
            fields.insert((*column).into(), json!(text));
        }
    }
    Value::Object(fields)
}
