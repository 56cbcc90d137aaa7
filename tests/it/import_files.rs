//! Files as other products export them, of made-up people: some hundred records each, with more than one
//! message of each person.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use usher::clock::{DAY, HOUR, MINUTE, Millis, rfc3339};

use crate::harness::START;

/// People in each file.
pub const PEOPLE: usize = 40;
const VISITS: usize = 4;

/// The time of a visit's n-th event: long ago, each person on another day.
fn at(person: usize, visit: usize, event: usize) -> Millis {
    let number = |n: usize| Millis::try_from(n).expect("a number");
    START - 200 * DAY + number(person) * DAY + number(visit) * 5 * HOUR + number(event) * MINUTE
}

fn name(person: usize) -> String {
    format!("person-{person}@example.com")
}

fn lines(records: Vec<Value>) -> Vec<u8> {
    records.iter().map(|record| format!("{record}\n")).collect::<String>().into_bytes()
}

fn each_event(mut make: impl FnMut(usize, usize, usize) -> Value) -> Vec<Value> {
    let mut records = Vec::new();
    for person in 0..PEOPLE {
        for visit in 0..VISITS {
            for event in 0..2 {
                records.push(make(person, visit, event));
            }
        }
    }
    records
}

/// Each source, its file, how many users are in it, and how many events.
pub fn all() -> Vec<(&'static str, Vec<u8>, u64, u64)> {
    let events = (PEOPLE * VISITS * 2) as u64;
    let people = PEOPLE as u64;
    vec![
        ("segment", segment(), people, events),
        ("posthog", posthog(), people, events),
        ("mixpanel", mixpanel(), people, events),
        ("amplitude", amplitude(), people, events),
        ("matomo", matomo(), people, events),
        ("auth0", auth0(), people, 0),
        ("users", firebase(), people, 0),
        ("users", keycloak(), people, 0),
        ("users", clerk(), people, 0),
        ("users", supabase(), people, 0),
        ("users", customer_io(), people, 0),
    ]
}

pub fn segment() -> Vec<u8> {
    let mut records = Vec::new();
    for person in 0..PEOPLE {
        records.push(json!({
            "type": "identify", "messageId": format!("i-{person}"), "userId": name(person),
            "anonymousId": format!("anon-{person}"), "timestamp": rfc3339(at(person, 0, 0)),
            "traits": { "email": name(person), "name": format!("Person {person}"), "plan": "free" },
        }));
    }
    records.extend(each_event(|person, visit, event| {
        json!({
            "type": if event == 0 { "page" } else { "track" }, "messageId": format!("{person}-{visit}-{event}"),
            "userId": name(person), "event": "Opened", "name": "Home",
            "originalTimestamp": rfc3339(at(person, visit, event)),
            "receivedAt": rfc3339(at(person, visit, event) + 400),
            "properties": { "url": "https://app.example.com/", "visit": visit },
            "context": { "os": { "name": "iOS" }, "sessionId": format!("s-{person}-{visit}") },
        })
    }));
    lines(records)
}

pub fn posthog() -> Vec<u8> {
    let mut records = Vec::new();
    for person in 0..PEOPLE {
        let visitor = format!("0190-{person}");
        records.push(json!({
            "uuid": format!("identify-{person}"), "event": "$identify", "distinct_id": name(person),
            "timestamp": rfc3339(at(person, 0, 0)),
            "properties": { "$anon_distinct_id": visitor, "$set": { "email": name(person), "plan": "free" } },
        }));
    }
    records.extend(each_event(|person, visit, event| {
        let properties = json!({ "$current_url": "https://app.example.com/", "$session_id": format!("{person}-{visit}"),
            "$pathname": "/", "visit": visit });
        // As its tables have it, and as JSON lines have it.
        let properties = if person % 2 == 0 { json!(properties.to_string()) } else { properties };
        json!({
            "uuid": format!("{person}-{visit}-{event}"), "event": if event == 0 { "$pageview" } else { "opened" },
            "distinct_id": name(person), "person_id": format!("p-{person}"), "properties": properties,
            "timestamp": rfc3339(at(person, visit, event)).replace('T', " ").replace('Z', "+00:00"),
        })
    }));
    lines(records)
}

pub fn mixpanel() -> Vec<u8> {
    lines(each_event(|person, visit, event| {
        json!({ "event": if event == 0 { "$mp_web_page_view" } else { "opened" }, "properties": {
            "time": at(person, visit, event) / 1_000, "distinct_id": name(person), "$insert_id": format!("{visit}{event}"),
            "$user_id": name(person), "$device_id": format!("device-{person}"), "token": "0123456789abcdef",
            "$browser": "Firefox", "visit": visit,
        } })
    }))
}

/// A ZIP of packed JSON lines needs a file that can be sought in: over HTTP what is in it is sent.
pub fn amplitude() -> Vec<u8> {
    lines(each_event(|person, visit, event| {
        json!({
            "event_type": "opened", "event_time": rfc3339(at(person, visit, event)).replace('T', " ").replace('Z', ".000000"),
            "user_id": name(person), "device_id": format!("device-{person}"),
            "session_id": at(person, visit, 0), "event_properties": { "visit": visit },
            "user_properties": { "plan": "free" }, "$insert_id": format!("{person}-{visit}-{event}"),
            "uuid": format!("u-{person}-{visit}-{event}"), "os_name": "ios", "country": "Austria",
        })
    }))
}

pub fn matomo() -> Vec<u8> {
    let mut visits = Vec::new();
    for person in 0..PEOPLE {
        for visit in 0..VISITS {
            let action = |event: usize| {
                json!({ "type": if event == 0 { "action" } else { "event" }, "url": "https://app.example.com/",
                    "pageTitle": "Home", "eventCategory": "a", "eventAction": "b",
                    "timestamp": at(person, visit, event) / 1_000 })
            };
            visits.push(json!({
                "idVisit": person * VISITS + visit, "visitorId": format!("{person:016x}"), "userId": name(person),
                "serverTimestamp": at(person, visit, 1) / 1_000, "firstActionTimestamp": at(person, visit, 0) / 1_000,
                "operatingSystemName": "Windows", "browserName": "Chrome", "deviceType": "Desktop", "countryCode": "at",
                "actionDetails": [action(0), action(1)],
            }));
        }
    }
    serde_json::to_vec_pretty(&visits).expect("JSON")
}

pub fn auth0() -> Vec<u8> {
    let person = |person: usize| {
        json!({ "user_id": format!("auth0|{person}"), "email": name(person), "given_name": "Ann",
            "created_at": rfc3339(at(person, 0, 0)), "last_login": rfc3339(at(person, 3, 0)),
            "user_metadata": { "plan": "free" }, "app_metadata": { "roles": ["admin"] } })
    };
    lines((0..PEOPLE).map(person).collect())
}

pub fn firebase() -> Vec<u8> {
    let person = |person: usize| {
        json!({ "localId": format!("fb{person}"), "email": name(person), "displayName": format!("Person {person}"),
            "passwordHash": format!("hash-of-{person}"), "salt": "c2FsdA==", "emailVerified": true,
            "createdAt": at(person, 0, 0).to_string(), "lastSignedInAt": at(person, 3, 0).to_string() })
    };
    let users: Vec<Value> = (0..PEOPLE).map(person).collect();
    serde_json::to_vec_pretty(&json!({ "users": users })).expect("JSON")
}

pub fn keycloak() -> Vec<u8> {
    let person = |person: usize| {
        json!({ "id": format!("kc-{person}"), "username": format!("user{person}"), "email": name(person),
            "firstName": "Ann", "createdTimestamp": at(person, 0, 0), "attributes": { "plan": ["free"] },
            "credentials": [{ "type": "password", "secretData": "{\"value\":\"hash-of-it\"}" }] })
    };
    let users: Vec<Value> = (0..PEOPLE).map(person).collect();
    let realm = json!({ "id": "r", "realm": "app", "groups": [{ "id": "not-a-user" }], "users": users });
    realm.to_string().into_bytes()
}

fn table(header: &str, between: &str, row: impl Fn(usize) -> Vec<String>) -> Vec<u8> {
    let mut text = format!("{}\r\n", header.replace(',', between));
    for person in 0..PEOPLE {
        text.push_str(&row(person).join(between));
        text.push_str("\r\n");
    }
    text.into_bytes()
}

pub fn clerk() -> Vec<u8> {
    let header = "id,first_name,last_name,username,primary_email_address,primary_phone_number,totp_secret,password_digest,\
        password_hasher";
    table(header, ",", |person| {
        let rest = format!("Ann,\"Smith, Jr\",,{},,SECRET,$2a$10$hash,bcrypt", name(person));
        vec![format!("user_{person}"), rest]
    })
}

pub fn supabase() -> Vec<u8> {
    table("id,email,encrypted_password,created_at,last_sign_in_at,raw_user_meta_data", ",", |person| {
        let meta = "\"{\"\"full_name\"\":\"\"Ann Smith\"\",\"\"plan\"\":\"\"free\"\"}\"";
        vec![
            format!("sb-{person}"),
            name(person),
            "$2a$10$hash".to_owned(),
            rfc3339(at(person, 0, 0)).replace('T', " ").replace('Z', "+00:00"),
            rfc3339(at(person, 3, 0)),
            meta.to_owned(),
        ]
    })
}

/// As Excel writes it: UTF-16 with semicolons.
pub fn customer_io() -> Vec<u8> {
    let text = table("cio_id,id,email,created_at,plan", ";", |person| {
        let created = (at(person, 0, 0) / 1_000).to_string();
        [&format!("cio{person}"), &format!("c-{person}"), &name(person), &created, "free"]
            .map(str::to_owned)
            .into()
    });
    let text = String::from_utf8(text).expect("UTF-8");
    let units = std::iter::once(0xfeff).chain(text.encode_utf16());
    units.flat_map(u16::to_le_bytes).collect()
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).expect("memory");
    packed.finish().expect("memory")
}

/// A ZIP with files in it.
pub fn zip(files: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        let options = zip::write::SimpleFileOptions::default();
        archive.start_file(*name, options).expect("a file");
        archive.write_all(bytes).expect("memory");
    }
    archive.finish().expect("a ZIP").into_inner()
}
