//! The client for Rust: the crate `segment`, unmodified.

use actix_web::rt::System;
use segment::message::{Alias, Batch, BatchMessage, Group, Identify, Message, Page, Screen, Track, User};
use segment::{Client, HttpClient};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use usher::clock::Clock;

use super::run::Run;

const ANN: &str = "ann@example.com";

fn named(user_id: &str) -> User {
    User::UserId { user_id: user_id.to_owned() }
}

fn visitor(anonymous_id: &str) -> User {
    User::AnonymousId { anonymous_id: anonymous_id.to_owned() }
}

fn at(millis: i64) -> Option<OffsetDateTime> {
    let nanos = i128::from(millis) * 1_000_000;
    Some(OffsetDateTime::from_unix_timestamp_nanos(nanos).expect("a time"))
}

/// Every call, each on the path that the crate has for it, and one batch. The crate makes no
/// message ids, so that nothing else tells a repetition.
fn calls(now: i64, ordered: i64, traits: &Value) -> Vec<Message> {
    let (user, extra) = (named(ANN), Map::new());
    let page = |name: &str, user: User, timestamp| Page {
        user,
        name: name.to_owned(),
        properties: json!({ "url": "https://shop.example.com/pricing" }),
        timestamp,
        ..Page::default()
    };
    let track = |event: &str, user: User, timestamp| Track {
        user,
        event: event.to_owned(),
        properties: json!({ "nested": { "list": [1, "two", null, true] } }),
        timestamp,
        ..Track::default()
    };
    vec![
        Message::Page(page("Pricing", visitor("visitor-1"), at(now))),
        Message::Alias(Alias {
            user: user.clone(),
            previous_id: "visitor-1".to_owned(),
            timestamp: at(now),
            ..Alias::default()
        }),
        Message::Identify(Identify {
            user: user.clone(),
            traits: traits.clone(),
            timestamp: at(now),
            ..Identify::default()
        }),
        Message::Track(track("Order Completed", user.clone(), at(ordered))),
        Message::Screen(Screen {
            user: user.clone(),
            name: "Basket".to_owned(),
            properties: json!({ "items": 2 }),
            timestamp: at(now),
            ..Screen::default()
        }),
        Message::Group(Group {
            user: user.clone(),
            group_id: "company".to_owned(),
            traits: json!({ "employees": 12 }),
            timestamp: at(now),
            ..Group::default()
        }),
        Message::Batch(Batch {
            batch: vec![
                BatchMessage::Track(track("Signed In", user.clone(), at(now))),
                BatchMessage::Page(page("Orders", user, at(now))),
            ],
            context: None,
            integrations: None,
            extra,
        }),
    ]
}

#[test]
fn crate_segment() {
    let run = Run::begin();
    let now = Clock::system().now();
    let ordered = now - 3_600_000;
    let traits = json!({ "email": ANN, "firstName": "Ann", "plan": "team", "address": { "city": "Zürich" } });
    System::new().block_on(async {
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        let client = HttpClient::new(http, run.wire.base.clone());
        for message in calls(now, ordered, &traits) {
            client.send(run.token.clone(), message).await.expect("it is taken");
        }
    });
    run.check(&json!({
        "messages": 8,
        "users": [{
            "identifier": ANN,
            "traits": traits,
            "anonymousIds": ["visitor-1"],
            "events": [
                ["page", "Pricing", now],
                ["event", "Order Completed", ordered],
                ["screen", "Basket", now],
                ["event", "Signed In", now],
                ["page", "Orders", now],
            ],
        }],
        "absent": ["company"],
    }));
}
