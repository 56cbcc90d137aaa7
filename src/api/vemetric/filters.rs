//! `filters` and `filtersOperator` of the vendor's lists.
//! Source: the vendor's server, apps/app/src/backend/api/schemas/api-filters.ts at 41aeee9.
//!
//! - Of users: one passes a filter if it did such a thing, or had such a session, in the period.
//!   Of events: each event is tested.
//! - `eq`, `notEq` and the lists tell letter cases apart, the others do not; what is not known
//!   is an empty text. `any` and an empty list switch their part off, and a filter without any
//!   other part is as if it were not there.
//! - Ours: `location` is what the list shows of the user, `utmTags` are read from the address
//!   of a visit's first page, the `#` of a hash may be left out, and properties are tested
//!   without a name, too, where the vendor's server passes them over.
//! - Referrers and funnels are not kept here. To leave such a filter out of account would list
//!   users whom the caller meant to keep out, so it is refused.

use serde_json::Value;

use super::faults::Faults;
use crate::api::dialect::Object;
use crate::error::{Error, Place, Result};
use crate::people::conditions::{
    Condition, Conditions, EventTest, Join, ListTest, Operator, PageTest, Part, TextTest,
};

/// So many are tested for one list.
const FILTERS: usize = 100;
const OPERATORS: &str = "must be any, eq, notEq, contains, notContains, startsWith or endsWith";
const LIST_OPERATORS: &str = "must be any, oneOf or noneOf";
const TAGS: [(&str, &str); 5] = [
    ("utmCampaign", "utm_campaign"),
    ("utmContent", "utm_content"),
    ("utmMedium", "utm_medium"),
    ("utmSource", "utm_source"),
    ("utmTerm", "utm_term"),
];

/// What is listed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Of {
    Users,
    Events,
}

impl Of {
    fn known(self) -> &'static str {
        match self {
            Of::Users => {
                "must be page, event, user, location, referrer, referrerUrl, referrerType, utmTags, browser, \
                 device, os or funnel"
            }
            Of::Events => "must be event, page, browser, device or os",
        }
    }
}

/// The conditions of a body.
pub fn conditions(body: &Object, of: Of, faults: &mut Faults) -> Conditions {
    let mut all = Vec::new();
    for (n, filter) in faults.keep(list(body)).unwrap_or_default().iter().enumerate() {
        all.extend(faults.keep(condition(filter, &format!("filters.{n}"), of)).flatten());
    }
    Conditions { all, join: faults.keep(join(body)).unwrap_or_default() }
}

fn list(body: &Object) -> Result<&[Value]> {
    match body.0.get("filters") {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Array(list)) if list.len() > FILTERS => {
            Err(fault("filters", format!("must have at most {FILTERS} filters")))
        }
        Some(Value::Array(list)) => Ok(list),
        Some(_) => Err(fault("filters", "must be a list")),
    }
}

fn join(body: &Object) -> Result<Join> {
    match body.text("filtersOperator")?.as_deref() {
        None | Some("and") => Ok(Join::All),
        Some("or") => Ok(Join::Any),
        Some(_) => Err(fault("filtersOperator", "must be and or or")),
    }
}

/// None: the filter is switched off.
fn condition(filter: &Value, at: &str, of: Of) -> Result<Option<Condition>> {
    if !filter.is_object() {
        return Err(fault(at, "must be an object"));
    }
    let kind = filter["type"].as_str().unwrap_or_default();
    match (kind, of) {
        ("event", _) => {
            let test = event_test(filter, at)?;
            Ok((test.name.is_some() || !test.properties.is_empty()).then_some(Condition::Event(test)))
        }
        ("page", _) => {
            let part = |field: &str| text_part(filter, at, field);
            let hash = part("hash")?
                .map(|test| TextTest { value: test.value.trim_start_matches('#').to_owned(), ..test });
            let test = PageTest { origin: part("origin")?, path: part("path")?, hash };
            Ok((!test.is_empty()).then_some(Condition::Page(test)))
        }
        ("browser", _) => device(Part::Browser, filter, at),
        ("device", _) => device(Part::Device, filter, at),
        ("os", _) => device(Part::Os, filter, at),
        ("user", Of::Users) => match &filter["anonymous"] {
            Value::Bool(anonymous) => Ok(Some(Condition::Anonymous(*anonymous))),
            _ => Err(fault(format!("{at}.anonymous"), "must be true or false")),
        },
        ("location", Of::Users) => {
            let part = |field: &str| match &filter[field] {
                Value::Null => Ok(ListTest::Any),
                test => list_test(test, &format!("{at}.{field}")),
            };
            Ok(match (part("country")?, part("city")?) {
                (ListTest::Any, ListTest::Any) => None,
                (country, city) => Some(Condition::Location { country, city }),
            })
        }
        ("utmTags", Of::Users) => {
            let mut tests = Vec::new();
            for (field, parameter) in TAGS {
                tests.extend(text_part(filter, at, field)?.map(|test| (parameter, test)));
            }
            Ok((!tests.is_empty()).then_some(Condition::Campaign(tests)))
        }
        ("referrer" | "referrerUrl", Of::Users) => match text_test(filter, at)?.operator {
            Operator::Any => Ok(None),
            _ => Err(fault(format!("{at}.type"), "cannot be applied: this server keeps no referrers")),
        },
        ("referrerType", Of::Users) => match list_test(filter, at)? {
            ListTest::Any => Ok(None),
            _ => Err(fault(format!("{at}.type"), "cannot be applied: this server keeps no referrers")),
        },
        ("funnel", Of::Users) => {
            Err(fault(format!("{at}.type"), "cannot be applied: this server has no funnels"))
        }
        _ => Err(fault(format!("{at}.type"), of.known())),
    }
}

fn device(part: Part, filter: &Value, at: &str) -> Result<Option<Condition>> {
    Ok(match list_test(filter, at)? {
        ListTest::Any => None,
        test => Some(Condition::Device(part, test)),
    })
}

/// `{"name": {operator, value}, "properties": [{property, operator, value}]}`. What is
/// switched off is left out.
pub fn event_test(filter: &Value, at: &str) -> Result<EventTest> {
    let mut properties = Vec::new();
    let list = match &filter["properties"] {
        Value::Null => &[][..],
        Value::Array(list) => list,
        _ => return Err(fault(format!("{at}.properties"), "must be a list")),
    };
    if list.len() > FILTERS {
        return Err(fault(format!("{at}.properties"), format!("must have at most {FILTERS} properties")));
    }
    for (n, test) in list.iter().enumerate() {
        let at = format!("{at}.properties.{n}");
        let property = test["property"].as_str();
        let property = property.ok_or_else(|| fault(format!("{at}.property"), "must be a string"))?;
        let test = text_test(test, &at)?;
        if test.operator != Operator::Any {
            properties.push((property.to_owned(), test));
        }
    }
    Ok(EventTest { name: text_part(filter, at, "name")?, properties })
}

/// A part that may be absent. None: it is, or it is switched off.
fn text_part(filter: &Value, at: &str, field: &str) -> Result<Option<TextTest>> {
    match &filter[field] {
        Value::Null => Ok(None),
        test => {
            Ok(Some(text_test(test, &format!("{at}.{field}"))?).filter(|test| test.operator != Operator::Any))
        }
    }
}

fn text_test(test: &Value, at: &str) -> Result<TextTest> {
    let operator = match test["operator"].as_str() {
        Some("any") => Operator::Any,
        Some("eq") => Operator::Is,
        Some("notEq") => Operator::IsNot,
        Some("contains") => Operator::Contains,
        Some("notContains") => Operator::ContainsNot,
        Some("startsWith") => Operator::StartsWith,
        Some("endsWith") => Operator::EndsWith,
        _ => return Err(fault(format!("{at}.operator"), OPERATORS)),
    };
    let value = match &test["value"] {
        Value::String(value) => value.clone(),
        Value::Null if operator == Operator::Any => String::new(),
        _ => return Err(fault(format!("{at}.value"), "must be a string")),
    };
    Ok(TextTest { operator, value })
}

fn list_test(test: &Value, at: &str) -> Result<ListTest> {
    let made: fn(Vec<String>) -> ListTest = match test["operator"].as_str() {
        Some("any") => |_| ListTest::Any,
        Some("oneOf") => ListTest::OneOf,
        Some("noneOf") => ListTest::NoneOf,
        _ => return Err(fault(format!("{at}.operator"), LIST_OPERATORS)),
    };
    let wrong = || fault(format!("{at}.value"), "must be a list of strings");
    let values = match &test["value"] {
        Value::Array(values) => values,
        Value::Null if test["operator"] == "any" => return Ok(ListTest::Any),
        _ => return Err(wrong()),
    };
    let values: Option<Vec<String>> = values.iter().map(|value| value.as_str().map(str::to_owned)).collect();
    let values = values.ok_or_else(wrong)?;
    Ok(if values.is_empty() { ListTest::Any } else { made(values) })
}

fn fault(field: impl Into<String>, message: impl Into<String>) -> Error {
    Error::invalid(Place::Body, field, message)
}
