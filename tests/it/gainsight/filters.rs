//! The language of filters of `GET /v1/users`, as the vendor describes it.

use serde_json::json;
use usher::clock::MINUTE;
use usher::model::ProfileChange;
use usher::people::{activity, users};
use usher::store::NormalTx;

use super::lists::{page, pages, several};
use super::{bad, call, create, get, put};
use crate::harness::{START, Server, encode, event, named};

#[track_caller]
fn found(server: &Server, filter: &str) -> Vec<String> {
    let all = page(server, &format!("pageSize=1000&filter={}", encode(filter)));
    assert_eq!(all.total, i64::try_from(all.ids.len()).expect("a number"), "{filter}");
    // However it is cut into pages, it is the same.
    let cut = pages(server, &format!("filter={}", encode(filter)), 2).concat();
    assert_eq!(all.ids, cut, "{filter}");
    all.ids
}

#[test]
fn a_filter_finds_what_is_shown() {
    let server = Server::start();
    let project = server.project().id;
    create(
        &server,
        json!({
            "identifyId": "Ann@x.com", "email": "Ann.Lee+1@Example.com", "firstName": "Ann", "lastName": "Lee",
            "title": "Dr", "score": 7, "propertyKeys": ["AP-1", "AP-2"], "globalUnsubscribe": true,
            "signUpDate": 1_700_000_000_000_i64,
            "location": { "city": "Zürich", "countryCode": "CH", "coordinates": { "latitude": 47.5 } },
            "customAttributes": { "plan": "Team", "seats": 3, "ratio": 0.5, "beta": true, "since": "2026-01-02" },
            "lastVisitedUserAgentData": [
                { "propertyKey": "AP-1", "userAgent": { "browserType": "Firefox" } },
                { "propertyKey": "AP-2", "userAgent": { "browserType": "Chrome" } },
            ],
        }),
    );
    create(
        &server,
        json!({
            "identifyId": "ben", "email": "ben_100%@example.com", "firstName": "Ben", "type": "LEAD", "score": -2,
            "propertyKeys": ["AP-2"], "customAttributes": { "plan": "free", "seats": "3", "beta": false },
        }),
    );
    create(&server, json!({ "identifyId": "eve", "firstName": "?*", "lastName": "back\\slash" }));
    server.write(move |tx: &NormalTx| activity::record(tx, project, &event(&named("ben"), "seen", START)));
    server.clock.advance(MINUTE);
    put(&server, "eve", json!({ "role": "owner" })).expect(204);
    let (ann, ben, eve) = ("Ann@x.com", "ben", "eve");
    let on = get(&server, ann)["aptrinsicId"].as_str().expect("an id").to_owned();
    for (filter, expected) in [
        // "Case sensitivity is not enforced when using filters."
        ("identifyId==ann@X.com", vec![ann]),
        ("id==Ben;", vec![ben]),
        ("email==ann.lee+1@EXAMPLE.com", vec![ann]),
        ("email==example.com", vec![]),
        ("email~*EXAMPLE*", vec![ann, ben]),
        ("email~ben_100%@example.com", vec![ben]),
        ("email~*_*", vec![ben]),
        ("email~*%*", vec![ben]),
        ("email~???_*", vec![ben]),
        ("email~*", vec![ann, ben, eve]),
        ("email~?*", vec![ann, ben]),
        ("email!~*example*", vec![eve]),
        ("email==", vec![eve]),
        ("email!=", vec![ann, ben]),
        ("firstName!=ben", vec![ann, eve]),
        ("firstName==?*", vec![eve]),
        ("lastName~back\\slash", vec![eve]),
        ("lastName~back\\*", vec![eve]),
        ("firstName==Ann;lastName==Lee", vec![ann]),
        ("firstName==Ann;lastName==Roe", vec![]),
        ("firstName==Ann;title==dr;score>=7", vec![ann]),
        ("title~D?", vec![ann]),
        ("title!=Dr", vec![ben, eve]),
        ("title==", vec![ben, eve]),
        ("type==lead", vec![ben]),
        ("type==USER", vec![ann, eve]),
        ("gender==EMPTY_GENDER", vec![ann, ben, eve]),
        ("globalUnsubscribe==true", vec![ann]),
        ("globalUnsubscribe!=TRUE", vec![ben, eve]),
        ("score==0", vec![eve]),
        ("score<0", vec![ben]),
        ("score<=0", vec![ben, eve]),
        ("score>-2", vec![ann, eve]),
        ("score!=7", vec![ben, eve]),
        ("signUpDate>=1700000000000", vec![ann]),
        ("signUpDate>1700000000000", vec![]),
        ("signUpDate<=2023-11-14T22:13:20Z;signUpDate!=0", vec![ann]),
        ("propertyKeys==ap-2", vec![ann, ben]),
        ("propertyKeys!=AP-1", vec![ben, eve]),
        ("location.city==zürich", vec![ann]),
        ("location.cityName~Z*", vec![ann]),
        ("location.countryCode!=CH", vec![ben, eve]),
        ("location.coordinates.latitude>47.25", vec![ann]),
        ("location.coordinates.latitude==47.5", vec![ann]),
        ("location.coordinates.longitude==0", vec![ann, ben, eve]),
        ("lastInferredLocation.stateName==Georgia", vec![]),
        ("lastInferredLocation.city==", vec![ann, ben, eve]),
        ("customAttributes.plan==team", vec![ann]),
        ("customAttributes.plan!=team", vec![ben, eve]),
        ("customAttributes.plan~*e*", vec![ann, ben]),
        ("customAttributes.plan==", vec![eve]),
        ("customAttributes.seats==3", vec![ann, ben]),
        ("customAttributes.seats>2", vec![ann, ben]),
        ("customAttributes.seats<20", vec![ann]),
        ("customAttributes.ratio==0.50", vec![ann]),
        ("customAttributes.beta==true", vec![ann]),
        ("customAttributes.beta!=true", vec![ben, eve]),
        ("customAttributes.since<2026-02", vec![ann]),
        ("customAttributes.nothing>0", vec![]),
        ("lastVisitedUserAgentData.userAgent.browserType==firefox", vec![ann]),
        ("lastVisitedUserAgentData.propertyKey==AP-2", vec![ann]),
        ("lastSeenDate==0", vec![ann, eve]),
        ("lastSeenDate!=0", vec![ben]),
        ("lastSeenDate>0", vec![ben]),
        ("lastSeenDate<=1772618400000", vec![ann, ben, eve]),
        ("lastSeenDate<1772618400000", vec![ann, eve]),
        ("lastSeenDate>=2026-03-04T10:00:00Z", vec![ben]),
        ("lastSeenDate>=0", vec![ann, ben, eve]),
        ("lastSeenDate>-1", vec![ann, ben, eve]),
        ("numberOfVisits>=1", vec![ben]),
        ("createDate==1772618400000", vec![ann, ben, eve]),
        ("lastModifiedDate>1772618400000", vec![eve]),
        (" role ==owner", vec![eve]),
        (&format!("aptrinsicId=={on}"), vec![ann]),
        ("", vec![ann, ben, eve]),
        (";;", vec![ann, ben, eve]),
    ] {
        assert_eq!(found(&server, filter), expected, "{filter}");
    }
    // "Separate filter parameters are joined by a logical OR."
    for (query, expected) in [
        ("filter=firstName==Ann;lastName==Lee&filter=firstName==Ben", vec![ann, ben]),
        ("filter=firstName==Ben&filter=title==Dr", vec![ann, ben]),
        ("filter=firstName==Ben;score==7&filter=role==owner", vec![eve]),
        ("filter=firstName==Ben&filter=", vec![ben]),
    ] {
        let all = page(&server, query);
        assert_eq!(
            (all.ids, all.total),
            (expected.iter().map(|id| (*id).to_owned()).collect(), expected.len() as i64)
        );
        assert_eq!(pages(&server, query, 1).concat(), expected, "{query}");
    }
}

#[test]
fn what_is_not_in_the_language_is_refused_and_named() {
    let server = Server::start();
    several(&server, &["ann"]);
    let form = "must be conditions such as email==ann@example.com, joined by ;";
    let text = "can be compared with ==, !=, ~ and !~ only";
    let number = "can be compared with ==, !=, <, <=, > and >= only";
    let long = format!("title=={}", "x".repeat(1_025));
    for (filter, message) in [
        ("shoeSize==43", "there is no field shoeSize".to_owned()),
        ("email==a;shoeSize>1", "there is no field shoeSize".into()),
        ("Email==a", "there is no field Email".into()),
        ("==a", "there is no field ".into()),
        ("location==Bern", "there is no field location".into()),
        ("location.planet==Earth", "there is no field location.planet".into()),
        ("customAttributes==a", "there is no field customAttributes".into()),
        ("customAttributes.==a", "there is no field customAttributes.".into()),
        ("lastVisitedUserAgentData==a", "there is no field lastVisitedUserAgentData".into()),
        (
            "lastVisitedUserAgentData.userAgent.age==a",
            "there is no field lastVisitedUserAgentData.userAgent.age".into(),
        ),
        ("email", form.into()),
        ("email=a", form.into()),
        ("email!a", form.into()),
        ("email==a;b", form.into()),
        ("email>a", format!("email {text}")),
        ("type<=USER", format!("type {text}")),
        ("propertyKeys>AP", format!("propertyKeys {text}")),
        ("score~1*", format!("score {number}")),
        ("createDate!~1*", format!("createDate {number}")),
        ("globalUnsubscribe>true", "globalUnsubscribe can be compared with == and != only".into()),
        ("globalUnsubscribe==yes", "globalUnsubscribe must be compared with true or false".into()),
        ("score==many", "score must be compared with an integer".into()),
        ("score==1.5", "score must be compared with an integer".into()),
        ("numberOfVisits>", "numberOfVisits must be compared with an integer".into()),
        ("score>2026-03-04T10:00:00Z", "score must be compared with an integer".into()),
        ("lastSeenDate>yesterday", "lastSeenDate must be compared with milliseconds since 1970".into()),
        (
            "location.coordinates.latitude<NaN",
            "location.coordinates.latitude must be compared with a number".into(),
        ),
        ("email==a\nb", "the value for email must not contain control characters".into()),
        (&long, "the value for title must have at most 1024 characters".into()),
        (&"email!=a;".repeat(101), "must have at most 100 conditions".into()),
    ] {
        let reply = call(&server, "GET", &format!("/v1/users?filter={}", encode(filter))).send();
        assert_eq!(bad(reply), [format!("filter: {message}")], "{filter}");
    }
    assert_eq!(found(&server, &"email!=a;".repeat(100)), ["ann"]);
    for (query, message) in [
        ("pageSize=0", "pageSize: must be from 1 to 1000"),
        ("pageSize=1001", "pageSize: must be from 1 to 1000"),
        ("pageSize=-1", "pageSize: must be from 1 to 1000"),
        ("pageSize=ten", "pageSize: must be from 1 to 1000"),
        ("pageSize=1&pageSize=2", "pageSize: must be given once"),
        ("sort=email&sort=id", "sort: must be given once"),
        ("sort=shoeSize", "sort: there is no field shoeSize"),
        ("sort=--email", "sort: there is no field -email"),
        ("sort=email,id", "sort: there is no field email,id"),
        ("sort=customAttributes.plan", "sort: there is no field customAttributes.plan"),
        (&format!("sort={}", "email;".repeat(11)), "sort: must have at most 10 fields"),
    ] {
        assert_eq!(bad(call(&server, "GET", &format!("/v1/users?{query}")).send()), [message], "{query}");
    }
    let said = bad(call(&server, "GET", "/v1/users?sort=-title").send());
    assert!(
        said[0].starts_with("sort: users are sorted by identifyId, ") && said[0].ends_with("not by title"),
        "{said:?}"
    );
}

#[test]
fn a_filter_that_only_we_can_try_finds_the_few_among_many() {
    let server = Server::start();
    let project = server.project().id;
    server.write(move |tx: &NormalTx| {
        for n in 0..2_500 {
            let mut change = ProfileChange::default();
            if n % 500 == 499 {
                change.extra.insert("title".into(), json!("Dr"));
            }
            users::create_or_update(tx, project, &named(&format!("u{n}")), &change)?.expect("taken");
        }
        Ok(())
    });
    let doctors = ["u499", "u999", "u1499", "u1999", "u2499"];
    assert_eq!(found(&server, "title==Dr"), doctors);
    let pages = pages(&server, "filter=title==Dr&sort=-createDate", 3);
    let mut backwards = doctors;
    backwards.reverse();
    assert_eq!(pages, [&backwards[..3], &backwards[3..]]);
    assert_eq!(page(&server, "filter=title!=Dr&pageSize=1000").total, 2_495);
}

/// Every text of up to `longest` of these letters.
fn texts(letters: &[char], longest: usize) -> Vec<String> {
    let mut all = vec![String::new()];
    let mut last = all.clone();
    for _ in 0..longest {
        last = last.iter().flat_map(|text| letters.iter().map(move |c| format!("{text}{c}"))).collect();
        all.extend(last.iter().cloned());
    }
    all
}

/// firstName is compared by the database, title by us; what is shown of both is the same.
#[test]
fn the_database_and_we_compare_alike() {
    let server = Server::start();
    let project = server.project().id;
    let everybody = texts(&['a', 'B', 'é', '%', '\\'], 2);
    server.write(move |tx: &NormalTx| {
        for (n, text) in everybody.iter().enumerate() {
            let mut change =
                ProfileChange { first_name: Some(Some(text.clone())), ..ProfileChange::default() };
            change.extra.insert("title".into(), if text.is_empty() { json!(null) } else { json!(text) });
            users::create_or_update(tx, project, &named(&n.to_string()), &change)?.expect("taken");
        }
        Ok(())
    });
    let all = |filter: String| page(&server, &format!("pageSize=1000&filter={}", encode(&filter))).ids;
    let mut found_some = 0;
    for pattern in texts(&['b', 'É', '*', '?', '_', '\\'], 2) {
        for sign in ["==", "~", "!~"] {
            let (ours, theirs) =
                (all(format!("title{sign}{pattern}")), all(format!("firstName{sign}{pattern}")));
            assert_eq!(ours, theirs, "{sign}{pattern}");
            found_some += usize::from(!ours.is_empty());
        }
    }
    assert!(found_some > 60, "only {found_some} searches found anybody");
}
