//! Lists of what is not kept: empty pages of the vendor's shapes, that connectors go on from.

use serde_json::json;

use super::{bad, call, refused};
use crate::harness::Server;

#[test]
fn accounts_are_an_empty_page() {
    let server = Server::start();
    let page = json!({ "accounts": [], "totalHits": 0, "scrollId": null });
    for query in ["", "?pageSize=1000", "?filter=name==x&filter=id==1&sort=lastModifiedDate&scrollId="] {
        let reply = call(&server, "GET", &format!("/v1/accounts{query}")).send();
        assert_eq!(reply.expect(200).json(), page, "{query}");
    }
    let get = |query: &str| bad(call(&server, "GET", &format!("/v1/accounts?{query}")).send());
    assert_eq!(get("pageSize=1001"), ["pageSize: must be from 1 to 1000"]);
    assert_eq!(get("scrollId=x"), ["scrollId: was not issued by this server"]);
    refused(call(&server, "GET", "/v1/accounts/a-1").send(), 404, "NOT_FOUND");
    refused(call(&server, "POST", "/v1/accounts").json(json!({})).send(), 405, "METHOD_NOT_ALLOWED");
}

#[test]
fn lists_by_page_numbers_are_one_last_empty_page() {
    let server = Server::start();
    for (path, key) in [
        ("segment", "segments"),
        ("feature", "features"),
        ("articles", "articleExternalViewList"),
        ("kcbot", "kcList"),
    ] {
        let get = |query: &str| call(&server, "GET", &format!("/v1/{path}{query}")).send();
        let page = |number: u32| json!({ key: [], "pageNumber": number, "isLastPage": true });
        assert_eq!(get("").expect(200).json(), page(0));
        assert_eq!(get("?pageNumber=3&pageSize=200").expect(200).json(), page(3));
        assert_eq!(bad(get("?pageSize=201")), ["pageSize: must be from 1 to 200"]);
        assert_eq!(bad(get("?pageSize=0")), ["pageSize: must be from 1 to 200"]);
        let fault = "pageNumber: must be a whole number, 0 for the first page";
        assert_eq!(bad(get("?pageNumber=-1")), [fault]);
    }
}

#[test]
fn kinds_of_events_that_are_not_kept_are_empty_pages() {
    let server = Server::start();
    server.seed("ann").events(3).insert();
    for (path, key) in [
        ("events/identify", "identifyEvents"),
        ("events/lead", "results"),
        ("events/email", "results"),
        ("events/formSubmit", "results"),
        ("events/engagementView", "results"),
        ("events/feature_match", "featureMatchEvents"),
        ("events/segment_match", "featureMatchEvents"),
        ("survey/responses", "results"),
    ] {
        let get = |query: &str| call(&server, "GET", &format!("/v1/{path}{query}")).send();
        let page = json!({ key: [], "totalHits": 0, "scrollId": null });
        for query in ["", "?pageSize=1&sort=date", "?filter=featureId==f;identifyId==ann;date%3E=0;date%3C=9"]
        {
            assert_eq!(get(query).expect(200).json(), page, "{path}{query}");
        }
        assert_eq!(bad(get("?pageSize=x")), ["pageSize: must be from 1 to 1000"]);
        assert_eq!(bad(get("?sort=path")), ["sort: events are sorted by date, not by path"]);
        assert_eq!(bad(get("?scrollId=x")), ["scrollId: was not issued by this server"]);
    }
    // The twin: what is kept is not empty.
    let kept = call(&server, "GET", "/v1/events/custom").send().expect(200).json();
    assert_eq!(kept["customEvents"].as_array().map(Vec::len), Some(3));
    refused(call(&server, "GET", "/v1/events/pageview").send(), 404, "NOT_FOUND");
    refused(call(&server, "GET", "/v1/events/custom/x").send(), 404, "NOT_FOUND");
}
