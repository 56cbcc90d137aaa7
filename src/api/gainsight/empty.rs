//! Lists of what is not kept here: accounts, segments, features, articles. Each is an empty
//! page of the vendor's shape, so that a connector that reads everything there is goes on.

use actix_web::HttpResponse;
use serde_json::{Map, Value, json};

use super::paging::{self, unknown_scroll};
use crate::api::dialect::{Answer, Call};
use crate::error::{Error, Place};
use crate::web::page_sizes;

/// `{"accounts":[],…}`. Usher keeps users and what they did. A user's `accountId` is kept as a
/// field of that user; an account of its own, with a name and a plan, is not.
pub async fn accounts(call: Call) -> Answer {
    call.project()?;
    let query = call.query_with_list("filter")?;
    paging::size(&query, page_sizes::GAINSIGHT)?;
    // No page has one.
    if query.get("scrollId").is_some_and(|text| !text.is_empty()) {
        return Err(unknown_scroll());
    }
    Ok(HttpResponse::Ok().json(json!({ "accounts": [], "totalHits": 0, "scrollId": null })))
}

pub async fn segments(call: Call) -> Answer {
    numbered(&call, "segments")
}

pub async fn features(call: Call) -> Answer {
    numbered(&call, "features")
}

pub async fn articles(call: Call) -> Answer {
    numbered(&call, "articleExternalViewList")
}

pub async fn knowledge_bots(call: Call) -> Answer {
    numbered(&call, "kcList")
}

fn numbered(call: &Call, key: &str) -> Answer {
    call.project()?;
    let query = call.query_with_list("filter")?;
    paging::size(&query, page_sizes::GAINSIGHT_NUMBERED)?;
    let number = match query.get("pageNumber").filter(|text| !text.is_empty()) {
        Some(text) => text.parse::<u32>().map_err(|_| {
            Error::invalid(Place::Query, "pageNumber", "must be a whole number, 0 for the first page")
        })?,
        None => 0,
    };
    let mut page = Map::new();
    page.insert(key.to_owned(), json!([]));
    page.insert("pageNumber".to_owned(), json!(number));
    page.insert("isLastPage".to_owned(), json!(true));
    Ok(HttpResponse::Ok().json(Value::Object(page)))
}
