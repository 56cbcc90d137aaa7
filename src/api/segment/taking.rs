//! Taking in the messages of one request, each by itself, and what the sender is told of them.

use actix_web::HttpResponse;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::message::{self, Message, Sending};
use super::{MESSAGE_MAX, errors_json};
use crate::api::broken::Wrong;
use crate::api::dialect::{Answer, Call, Object};
use crate::api::lenient::{self, Mended};
use crate::error::{Error, FieldError, Place, Result};
use crate::model::{Dropped, Kind, ProfileChange, ProjectId, Received, Repair, TOO_DEEP};
use crate::people::activity::Taken;
use crate::people::recorder::Recorder;
use crate::people::{activity, identify, merge, repairs};
use crate::store::{NormalTx, Tx};

/// So many of each are named in an answer; all are counted.
const NAMED_MAX: usize = 1_000;

/// What is known of a request's messages so far.
pub struct Taking {
    /// Whether the sender may know whom there is, and who was erased.
    may_know: bool,
    pub refused: Vec<(usize, Error)>,
    repaired: Vec<(usize, Repair)>,
    dropped: Vec<(usize, Dropped)>,
    /// To be counted.
    repairs: Vec<Repair>,
    /// The hour's number of new people was reached, and is free again in so many seconds.
    over: Option<u64>,
}

/// A message that can be taken in, and its place in the request.
pub type Good = (usize, Message);

impl Taking {
    pub fn new(may_know: bool, mended: Mended, wrong: Wrong) -> Taking {
        let mut repairs = mended_repairs(mended);
        repairs.extend(wrong_repairs(wrong));
        Taking {
            may_know,
            refused: Vec::new(),
            repaired: Vec::new(),
            dropped: Vec::new(),
            repairs,
            over: None,
        }
    }

    /// Reads a message. None: it is refused.
    pub fn read(
        &mut self,
        index: usize,
        text: &RawValue,
        kind: Option<&str>,
        sending: &Sending,
    ) -> Option<Good> {
        let mut found = Vec::new();
        let read = parse(text, &mut found).and_then(|(object, lost)| {
            let sending = match lost {
                true => &Sending { has_lost_characters: true, ..sending.clone() },
                false => sending,
            };
            message::read(&object, kind, sending, &mut found)
        });
        self.repaired.extend(found.iter().map(|repair| (index, *repair)));
        self.repairs.extend(found);
        match read {
            Ok(message) => Some((index, message)),
            Err(error) => {
                self.repairs.push(refusal(&error));
                self.refused.push((index, error));
                None
            }
        }
    }

    /// Names a message of which only a part came.
    pub fn lose(&mut self, index: usize) -> Option<Good> {
        let error = Error::invalid(Place::Body, "message", "is not whole");
        self.repairs.push(refusal(&error));
        self.refused.push((index, error));
        None
    }

    /// Takes the good ones in, and counts what was wrong.
    pub async fn finish(mut self, call: &Call, project: ProjectId, good: Vec<Good>) -> Result<Taking> {
        if good.is_empty() && self.repairs.is_empty() {
            return Ok(self);
        }
        let counted = std::mem::take(&mut self.repairs);
        let may_know = self.may_know;
        let outcome = call.app.write(move |tx| take_all(tx, project, &good, &counted, may_know)).await?;
        self.refused.extend(outcome.refused);
        self.repaired.extend(outcome.repaired);
        self.dropped.extend(outcome.dropped);
        self.over = outcome.over;
        Ok(self)
    }

    /// `errors` are messages that were refused, `repairs` what was changed or left out of those that
    /// were taken, `dropped` those that were not to be taken: the last for keys alone that may know.
    ///
    /// [`Error::RateLimited`] if there were more new people in it than may be made: what came before
    /// them is stored, and counts once when the same is sent again.
    pub fn answer(mut self) -> Answer {
        if let Some(retry_after) = self.over {
            return Err(Error::RateLimited { retry_after });
        }
        self.refused.sort_by_key(|(index, _)| *index);
        let left_out = self.refused.len().saturating_sub(NAMED_MAX);
        self.refused.truncate(NAMED_MAX);
        self.repaired.truncate(NAMED_MAX);
        self.dropped.truncate(NAMED_MAX);
        let mut body = json!({ "success": true });
        let errors: Vec<Value> =
            self.refused.iter().flat_map(|(index, error)| errors_json(*index, error)).collect();
        if !errors.is_empty() {
            body["errors"] = errors.into();
        }
        if left_out > 0 {
            body["errorsLeftOut"] = left_out.into();
        }
        if !self.repaired.is_empty() {
            body["repairs"] = self
                .repaired
                .iter()
                .map(|(index, repair)| json!({ "index": index, "field": repair.field, "message": repair.reason }))
                .collect();
        }
        if self.may_know && !self.dropped.is_empty() {
            let shown = |(index, why): &(usize, Dropped)| json!({ "index": index, "reason": why.as_str() });
            body["dropped"] = self.dropped.iter().map(shown).collect();
        }
        Ok(HttpResponse::Ok().json(body))
    }
}

fn mended_repairs(mended: Mended) -> Vec<Repair> {
    [
        (mended.not_a_number, "not a number"),
        (mended.not_a_character, "characters lost"),
        (mended.unescaped, "control characters"),
    ]
    .into_iter()
    .filter(|(was, _)| *was)
    .map(|(_, reason)| Repair::of("", reason))
    .collect()
}

fn wrong_repairs(wrong: Wrong) -> Vec<Repair> {
    [
        (wrong.commas, "commas between messages"),
        (wrong.joined, "bodies joined"),
        (wrong.no_beginning, "beginning of the body missing"),
        (wrong.no_end, "end of the body missing"),
        (wrong.strange, "no JSON between messages"),
    ]
    .into_iter()
    .filter(|(was, _)| *was)
    .map(|(_, reason)| Repair::of("", reason))
    .collect()
}

/// A message, and whether some of its characters were lost.
fn parse(text: &RawValue, repairs: &mut Vec<Repair>) -> Result<(Object, bool)> {
    let fault = |message: String| Error::invalid(Place::Body, "message", message);
    if text.get().len() > MESSAGE_MAX {
        return Err(fault(format!("must have at most {MESSAGE_MAX} bytes")));
    }
    let mut lost = false;
    let parsed = serde_json::from_str(text.get()).or_else(|_| {
        let (mended, how) = lenient::mend(text.get().as_bytes());
        lost = how.not_a_character;
        repairs.extend(mended_repairs(how));
        serde_json::from_str(&mended)
    });
    match parsed {
        Ok(Value::Object(map)) => Ok((Object(map), lost)),
        Ok(_) => Err(fault("must be an object".into())),
        // serde_json's texts quote no values, only what it expected and where.
        Err(error) => Err(fault(format!("cannot be read: {error}"))),
    }
}

/// What is counted of a refusal: the field, by the names that we have for fields.
fn refusal(error: &Error) -> Repair {
    let field = match error {
        Error::Invalid(faults) => faults.first().map_or("", |fault| known(&fault.field)),
        _ => "",
    };
    Repair::refused(field, "refused")
}

fn known(field: &str) -> &'static str {
    const FIELDS: [&str; 9] = [
        "type",
        "userId",
        "anonymousId",
        "event",
        "groupId",
        "previousId",
        "message",
        "properties",
        "traits",
    ];
    FIELDS.into_iter().find(|known| *known == field).unwrap_or_default()
}

/// What became of messages, by their places.
#[derive(Default)]
struct Outcome {
    refused: Vec<(usize, Error)>,
    repaired: Vec<(usize, Repair)>,
    dropped: Vec<(usize, Dropped)>,
    over: Option<u64>,
}

/// Takes in each message by itself. From the first one on that would make one person too many, none
/// is: who is known is not told from who is not.
fn take_all(
    tx: &NormalTx,
    project: ProjectId,
    messages: &[Good],
    counted: &[Repair],
    may_know: bool,
) -> Result<Outcome> {
    let mut counted = counted.to_vec();
    let mut all = Outcome::default();
    let mut recorder = Recorder::new(tx, project);
    for (done, (index, message)) in messages.iter().enumerate() {
        let mut outcome = match message {
            Message::Event(incoming) => recorder.record(incoming).map(received),
            _ => {
                recorder.settle()?;
                tx.nested(|| take(tx, project, message))
            }
        };
        if let Some((smaller, repair)) = without_attributes(message, &outcome) {
            outcome = tx.nested(|| take(tx, project, &smaller));
            all.repaired.push((*index, repair));
            counted.push(repair);
        }
        match outcome {
            Ok(Ok(())) => {}
            Ok(Err(why)) => all.dropped.push((*index, why)),
            Err(error) if error.is_of_the_store() => return Err(error),
            Err(Error::RateLimited { retry_after }) => {
                counted.extend(messages[done..].iter().map(|_| repairs::OVER_THE_HOUR));
                all.over = Some(retry_after);
                break;
            }
            // A conflict tells whom there is.
            Err(error @ Error::Conflict(_)) if !may_know => counted.push(refusal(&worded(message, error))),
            Err(error) => {
                let error = worded(message, error);
                counted.push(refusal(&error));
                all.refused.push((*index, error));
            }
        }
    }
    recorder.settle()?;
    repairs::note_all(tx, project, &counted)?;
    Ok(all)
}

fn received(taken: Taken) -> Received<()> {
    match taken {
        Taken::Dropped(why) => Err(why),
        Taken::Stored | Taken::Again => Ok(()),
    }
}

/// The same message without attributes, where they outgrew what a profile may hold, or cannot be read
/// back for their depth.
fn without_attributes(message: &Message, outcome: &Result<Received<()>>) -> Option<(Message, Repair)> {
    let Err(Error::Invalid(faults)) = outcome else { return None };
    let (Message::Identify { subject, change, said }, true) =
        (message, faults.iter().all(|fault| fault.field == "attributes"))
    else {
        return None;
    };
    let change = ProfileChange { set: Default::default(), ..(**change).clone() };
    let repair = match faults.iter().any(|fault| fault.message == TOO_DEEP) {
        true => Repair::of("traits", "nested deeper than 64 levels"),
        false => Repair::of("traits", "attributes over the limit"),
    };
    let smaller = Message::Identify { subject: subject.clone(), change: Box::new(change), said: *said };
    Some((smaller, repair))
}

fn take(tx: &Tx, project: ProjectId, message: &Message) -> Result<Received<()>> {
    match message {
        Message::Event(incoming) => activity::record(tx, project, incoming).map(received),
        Message::Identify { subject, change, said } => {
            Ok(identify::identify(tx, project, subject, change, *said)?.map(drop))
        }
        Message::Group { subject, change, said } => {
            Ok(identify::describe_from_event(tx, project, subject, change, *said)?.map(drop))
        }
        Message::Alias { previous, subject, said } => merge::alias(tx, project, previous, subject, *said),
    }
}

/// A rule's error with the fields as a message has them.
fn worded(message: &Message, error: Error) -> Error {
    match (message, error) {
        (Message::Alias { .. }, Error::Conflict(why)) => Error::invalid(Place::Body, "previousId", why),
        (_, Error::Invalid(faults)) => Error::Invalid(
            faults
                .into_iter()
                .map(|fault| FieldError { field: field(message, &fault.field).into(), ..fault })
                .collect(),
        ),
        (_, error) => error,
    }
}

fn field<'a>(message: &Message, name: &'a str) -> &'a str {
    match (message, name) {
        (Message::Event(incoming), "name") if incoming.kind == Kind::Event => "event",
        (Message::Identify { .. } | Message::Group { .. }, "attributes") => "traits",
        (_, name) => name,
    }
}
