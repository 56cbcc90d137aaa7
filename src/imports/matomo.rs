//! Matomo's visits, as `Live.getLastVisitsDetails` and its export for a person have them: each with what
//! was done in it.

use serde_json::{Value, json};

use super::fields::{self, Notes, Object, Says, id, required, text, time};
use super::secret_values::About;
use crate::clock::Millis;
use crate::model::{Device, Identifier, Kind};
use crate::people::activity::{Incoming, Visits};
use crate::people::imports::{Entry, Fault, Person};
use crate::people::subject::Subject;

pub fn read(visit: Object, notes: &mut Notes) -> Says {
    let number = text(&visit, "idVisit").ok_or_else(|| required("idVisit"))?;
    let (user, visitor) = (id(&visit, "userId")?, id(&visit, "visitorId")?);
    let begun = match time(&visit, "firstActionTimestamp")? {
        Some(at) => Some(at),
        None => time(&visit, "serverTimestamp")?,
    };
    let both = fields::subject(user.clone(), visitor.clone()).ok_or_else(|| required("visitorId"))?;
    let mut says = Vec::new();
    if user.is_some() && visitor.is_some() {
        let person = Person { subject: both, at: begun, is_activity: true, ..Person::default() };
        says.push(Entry::Person(Box::new(person)));
    }
    let whom = match &user {
        Some(user) => Subject::named(user),
        None => Subject { identifier: None, anonymous_id: visitor },
    };
    let session = Identifier::new(&number).map_err(|why| Fault::new("/idVisit", "bad_id", why))?;
    let device = Device {
        os: fields::first(&visit, &["operatingSystemName", "operatingSystem"]),
        browser: fields::first(&visit, &["browserName", "browser"]),
        device: text(&visit, "deviceType"),
        country: fields::first(&visit, &["countryCode", "country"]),
    };
    let Some(Value::Array(actions)) = visit.get("actionDetails") else { return Ok(says) };
    for (place, action) in actions.iter().enumerate() {
        let Value::Object(action) = action else {
            return Err(Fault::new(&format!("/actionDetails/{place}"), "bad_json", "must be an object"));
        };
        let at = at(action, place)?.or(begun);
        let (kind, name) = called(action);
        let data = kept(action, &visit);
        let incoming = Incoming {
            subject: whom.clone(),
            kind,
            name: fields::name(name),
            at: fields::said(at),
            message_id: Some(format!("matomo:{number}:{place}")),
            session: Some(session.clone()),
            url: text(action, "url"),
            data: notes.without_secrets(data, About::Event),
            device: device.clone(),
        };
        says.push(Entry::Event(Box::new(incoming), Visits::Opened));
    }
    Ok(says)
}

fn at(action: &Object, place: usize) -> Result<Option<Millis>, Fault> {
    fields::time_of(action.get("timestamp"), &format!("actionDetails/{place}/timestamp"))
}

/// What kind of thing an action is, and what it is called.
fn called(action: &Object) -> (Kind, Option<String>) {
    let title = || fields::first(action, &["pageTitle", "title", "subtitle", "url"]);
    match text(action, "type").as_deref() {
        Some("action") | None => (Kind::Page, title()),
        Some("event") => {
            let parts = ["eventCategory", "eventAction", "eventName"].map(|field| text(action, field));
            let parts: Vec<String> = parts.into_iter().flatten().collect();
            (Kind::Event, Some(parts.join(" / ")).filter(|name| !name.is_empty()).or_else(title))
        }
        Some("goal") => {
            (Kind::Event, text(action, "goalName").map(|goal| format!("goal {goal}")).or_else(title))
        }
        Some(kind) => (Kind::Event, Some(kind.to_owned())),
    }
}

/// What is kept of an action beside name, address and time, and what led to the visit.
fn kept(action: &Object, visit: &Object) -> Object {
    const OF_ACTION: [&str; 14] = [
        "type",
        "eventCategory",
        "eventAction",
        "eventName",
        "eventValue",
        "goalName",
        "revenue",
        "siteSearchKeyword",
        "siteSearchCategory",
        "timeSpent",
        "pageLoadTimeMilliseconds",
        "orderId",
        "itemDetails",
        "customVariables",
    ];
    const OF_VISIT: [&str; 3] = ["referrerType", "referrerName", "referrerUrl"];
    let is_empty = |value: &Value| value.is_null() || *value == json!("") || *value == json!([]);
    let some = |from: &Object, names: &[&str]| -> Vec<(String, Value)> {
        let pair = |name: &&str| Some(((*name).to_owned(), from.get(*name)?.clone()));
        names.iter().filter_map(pair).filter(|(_, value)| !is_empty(value)).collect()
    };
    some(action, &OF_ACTION).into_iter().chain(some(visit, &OF_VISIT)).collect()
}
