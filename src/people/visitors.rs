//! Visitors: people of whom a message does not say who they are.
//!
//! A visitor has a name that we draw: a random one that its browser keeps in a cookie, or a
//! digest of where the message came from under a salt that is destroyed a day later. Neither
//! address nor program is stored. When the visitor says who it is, what it did becomes part
//! of that person, and goes with it. A name that was erased is never used again: the next
//! message draws another one.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use data_encoding::HEXLOWER;
use subtle::ConstantTimeEq;

use crate::clock::{DAY, Millis};
use crate::error::{Error, Place, Result};
use crate::model::{Identifier, Profile, ProfileChange, ProjectId, SESSION_GAP, User};
use crate::people::activity::{Incoming, Taken};
use crate::people::subject::Subject;
use crate::people::subject::VISITOR;
use crate::people::{activity, holder, identify, recorder, suppressions, users};
use crate::store::erased_identifiers::{self, Named};
use crate::store::{Db, NormalTx, Tx, aliases, salts};

/// Bytes of such a name, and of the digest that seals it in a cookie.
const BYTES: usize = 16;

/// What a request tells of where it comes from.
#[derive(Debug, Clone, Default)]
pub struct Origin {
    /// None: not known.
    pub address: Option<IpAddr>,
    /// The program that sends, as it calls itself.
    pub agent: Option<String>,
    /// The cookie that an earlier answer set.
    pub cookie: Option<Cookie>,
    /// Whether an answer may set one.
    pub cookies: Cookies,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Cookies {
    Allowed,
    #[default]
    Refused,
}

/// What a browser keeps: a visitor's name, sealed for one project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cookie(pub String);

/// By what a visitor is told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Means {
    Cookie,
    /// By address and program.
    Sender,
    /// By nothing: its name is random, and nothing will come under it again unless an answer
    /// sets a cookie.
    Nothing,
}

struct Visitor {
    name: Identifier,
    means: Means,
    /// Whose name it is now. None: nothing came under it yet.
    holder: Option<User>,
}

/// What became of a change to somebody's profile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Updated {
    Done,
    /// The message names nobody, and nothing tells whose it is.
    Unknown,
}

/// What became of the word that somebody leaves a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// The session goes on until now, if the person who was named has one.
    Noted,
    Unknown,
    NoSession,
}

/// Stores an event and what it says of its user: of whom it names, else of the visitor who
/// sent it. Returns the cookie that the answer sets, if any.
pub fn track(
    tx: &Tx,
    project: ProjectId,
    origin: &Origin,
    event: &Incoming,
    change: &ProfileChange,
) -> Result<Option<Cookie>> {
    if event.subject.identifier.is_some() {
        record(tx, project, event, change)?;
        return Ok(None);
    }
    let visitor = present(tx, project, origin)?;
    let event = Incoming { subject: visitor.subject()?, ..event.clone() };
    let taken = record(tx, project, &event, change)?;
    if taken == Taken::Stored {
        visitor.note_visit(tx, project)?;
    }
    Ok(visitor.cookie(tx, project, origin))
}

fn record(tx: &Tx, project: ProjectId, event: &Incoming, change: &ProfileChange) -> Result<Taken> {
    match *change == ProfileChange::default() {
        true => recorder::record(tx, project, event),
        false => activity::record_with_profile(tx, project, event, change),
    }
}

/// The visitor says who it is: what it did becomes part of that person. A visitor that is
/// another person already is left alone. Returns the cookie that the answer sets, if any.
pub fn identify(
    tx: &Tx,
    project: ProjectId,
    origin: &Origin,
    identifier: &Identifier,
    change: &ProfileChange,
) -> Result<Option<Cookie>> {
    let mut visitor = present(tx, project, origin)?;
    if visitor.is_of_another(identifier) {
        visitor = Visitor::unknown()?;
    }
    let lasts = visitor.means != Means::Nothing || origin.cookies == Cookies::Allowed;
    let subject = Subject {
        identifier: Some(identifier.clone()),
        // A name that is not seen again would be one more alias for each call.
        anonymous_id: lasts.then(|| visitor.name.clone()),
    };
    // Who is erased, suppressed or not to be described is answered as anybody.
    _ = identify::identify(tx, project, &subject, change, None)?;
    visitor.note_visit(tx, project)?;
    Ok((origin.cookies == Cookies::Allowed).then(|| sealed(tx, project, &visitor.name)))
}

/// Writes a change to the profile of whom the message names, else of the visitor who sent it.
/// A cookie names nobody who has said who it is: browsers are lent, and this is about a
/// person's data.
pub fn update(
    tx: &Tx,
    project: ProjectId,
    origin: &Origin,
    identifier: Option<&Identifier>,
    change: &ProfileChange,
) -> Result<Updated> {
    if let Some(identifier) = identifier {
        return users::create_or_update(tx, project, identifier, change).map(|_| Updated::Done);
    }
    change.check()?;
    let mut visitor = find(tx, project, origin)?;
    if visitor.as_ref().is_some_and(Visitor::is_by_cookie_of_a_person) {
        visitor = by_sender_unless_cookies(tx, project, origin)?;
    }
    // A visitor that cannot be told apart would never be found again.
    if visitor.is_none() && (origin.cookies == Cookies::Allowed || sender(origin).is_none()) {
        // A page of somebody else's is not told whether its visitor was here.
        return Ok(if tx.who().actor.is_public() { Updated::Done } else { Updated::Unknown });
    }
    let is_new = visitor.as_ref().is_none_or(|visitor| visitor.holder.is_none());
    if is_new && change.apply(&Profile::default())? == Profile::default() {
        return Ok(Updated::Done);
    }
    let visitor = match visitor {
        Some(visitor) => visitor,
        None => drawn(tx, project, origin)?,
    };
    _ = identify::describe_from_event(tx, project, &visitor.subject()?, change, None)?;
    Ok(Updated::Done)
}

/// Somebody leaves a page, and was there until now. A message with an identifier has the same
/// answer whether there is such a person or not, and with a public credential so has every other: a
/// page of somebody else's would learn whether its visitor uses the app.
pub fn leave(
    tx: &NormalTx,
    project: ProjectId,
    origin: &Origin,
    identifier: Option<&Identifier>,
) -> Result<Left> {
    if let Some(identifier) = identifier {
        let kept_out = suppressions::check(tx, project, &Subject::named(identifier))?.is_err();
        if let Some(user) = holder::holder(tx, project, identifier.as_str())?.filter(|_| !kept_out) {
            activity::stay(tx, &user)?;
        }
        return Ok(Left::Noted);
    }
    let is_public = tx.who().actor.is_public();
    let Some(visitor) = find(tx, project, origin)? else {
        if is_public {
            return Ok(Left::Noted);
        }
        let is_unknown = origin.cookies == Cookies::Allowed;
        return Ok(if is_unknown { Left::Unknown } else { Left::NoSession });
    };
    if suppressions::check(tx, project, &visitor.subject()?)?.is_err() {
        return Ok(Left::Noted);
    }
    let stays = match &visitor.holder {
        Some(user) => activity::stay(tx, user)?,
        None => false,
    };
    if !stays {
        return Ok(if is_public { Left::Noted } else { Left::NoSession });
    }
    visitor.note_visit(tx, project)?;
    Ok(Left::Noted)
}

/// A cookie of a visitor who was never here.
pub fn new_cookie(tx: &NormalTx, project: ProjectId) -> Result<Cookie> {
    Ok(sealed(tx, project, &random_name()?))
}

/// Whether there are salts that have had their time.
pub fn has_old_salts(db: &Db, now: Millis) -> Result<bool> {
    salts::any_but(db, kept(now))
}

/// Destroys the salts that have had their time, once the clock that says so is trusted. Returns how
/// many.
pub fn forget_old_salts(tx: &Tx) -> Result<usize> {
    if !tx.trusts_clock() {
        return Ok(0);
    }
    salts::delete_all_but(tx, kept(tx.now()))
}

/// The days whose salts are kept: yesterday's names are used while a session runs.
fn kept(now: Millis) -> RangeInclusive<i64> {
    let today = day(now);
    today - 1..=today
}

fn day(at: Millis) -> i64 {
    at.div_euclid(DAY)
}

impl Visitor {
    fn unknown() -> Result<Visitor> {
        Ok(Visitor { name: random_name()?, means: Means::Nothing, holder: None })
    }

    /// Whom a message of this visitor is about.
    fn subject(&self) -> Result<Subject> {
        let person = self.holder.as_ref().and_then(|user| user.identifier.as_deref());
        Ok(match person {
            Some(identifier) => Subject {
                identifier: Some(Identifier::parse(Place::Body, "identifier", identifier)?),
                anonymous_id: None,
            },
            None => Subject { identifier: None, anonymous_id: Some(self.name.clone()) },
        })
    }

    fn is_of_another(&self, identifier: &Identifier) -> bool {
        let person = self.holder.as_ref().and_then(|user| user.identifier.as_deref());
        person.is_some_and(|person| person != identifier.as_str())
    }

    fn is_by_cookie_of_a_person(&self) -> bool {
        self.means == Means::Cookie && self.holder.as_ref().is_some_and(|user| user.identifier.is_some())
    }

    fn note_visit(&self, tx: &Tx, project: ProjectId) -> Result<()> {
        match self.means {
            Means::Sender => aliases::note_visit(tx, project, self.name.as_str()),
            Means::Cookie | Means::Nothing => Ok(()),
        }
    }

    /// What the answer sets: nothing if the browser has it already.
    fn cookie(&self, tx: &Tx, project: ProjectId, origin: &Origin) -> Option<Cookie> {
        if origin.cookies == Cookies::Refused {
            return None;
        }
        let cookie = sealed(tx, project, &self.name);
        (origin.cookie.as_ref() != Some(&cookie)).then_some(cookie)
    }
}

/// The visitor who sends a message: one whose name is drawn now, if it had none.
fn present(tx: &Tx, project: ProjectId, origin: &Origin) -> Result<Visitor> {
    match find(tx, project, origin)? {
        Some(visitor) => Ok(visitor),
        None if origin.cookies == Cookies::Allowed => Visitor::unknown(),
        None => drawn(tx, project, origin),
    }
}

/// The same without drawing a name: by the cookie, else, if cookies are not allowed, by the
/// sender. None: it has no name so far.
fn find(tx: &Tx, project: ProjectId, origin: &Origin) -> Result<Option<Visitor>> {
    if let Some(name) = origin.cookie.as_ref().and_then(|cookie| unsealed(tx, project, cookie)) {
        return current(tx, project, name, Means::Cookie).map(Some);
    }
    by_sender_unless_cookies(tx, project, origin)
}

fn by_sender_unless_cookies(tx: &Tx, project: ProjectId, origin: &Origin) -> Result<Option<Visitor>> {
    match (origin.cookies, sender(origin)) {
        (Cookies::Refused, Some(sender)) => by_sender(tx, project, &sender),
        _ => Ok(None),
    }
}

/// The vendor's rule, which is ours for every API: yesterday's name while its session runs,
/// else today's. None: today has no salt yet.
fn by_sender(tx: &Tx, project: ProjectId, sender: &[u8]) -> Result<Option<Visitor>> {
    let today = day(tx.now());
    if let Some(salt) = salts::of(tx, today - 1)? {
        let visitor = current(tx, project, of_sender(tx, project, sender, &salt)?, Means::Sender)?;
        if visitor.holder.is_some() && is_there(tx, project, &visitor.name)? {
            return Ok(Some(visitor));
        }
    }
    match salts::of(tx, today)? {
        Some(salt) => current(tx, project, of_sender(tx, project, sender, &salt)?, Means::Sender).map(Some),
        None => Ok(None),
    }
}

/// The name of a sender on a day that had no salt so far, or a random one of a sender that
/// cannot be told apart.
fn drawn(tx: &Tx, project: ProjectId, origin: &Origin) -> Result<Visitor> {
    let Some(sender) = sender(origin) else { return Visitor::unknown() };
    let today = day(tx.now());
    let salt = match salts::of(tx, today)? {
        Some(salt) => salt,
        None => {
            forget_old_salts(tx)?;
            salts::insert(tx, today)?
        }
    };
    current(tx, project, of_sender(tx, project, &sender, &salt)?, Means::Sender)
}

/// What a sender is told apart by. None: it shows too little. Never stored.
fn sender(origin: &Origin) -> Option<Vec<u8>> {
    let octets = match origin.address? {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    };
    let agent = origin.agent.as_deref().filter(|agent| !agent.is_empty())?;
    Some([&octets[..], agent.as_bytes()].concat())
}

fn of_sender(tx: &Tx, project: ProjectId, sender: &[u8], salt: &salts::Salt) -> Result<Identifier> {
    name(&tx.keyed("visitor by sender", &[salt, &project.0.to_be_bytes(), sender]))
}

/// The name that stands for the first one now. Behind a name that was erased stands another
/// one, and so behind one that is a person's whose session is over: somebody else may sit
/// behind the same address. A cookie is one browser's, so it stays the person's.
fn current(tx: &Tx, project: ProjectId, first: Identifier, means: Means) -> Result<Visitor> {
    let mut name = first;
    loop {
        let then = match holder::alias_holder(tx, project, name.as_str())? {
            Some(user) => {
                let is_over =
                    means == Means::Sender && user.identifier.is_some() && !is_there(tx, project, &name)?;
                if !is_over {
                    return Ok(Visitor { name, means, holder: Some(user) });
                }
                aliases::visited_at(tx, project, name.as_str())?.unwrap_or_default()
            }
            None => match erased_identifiers::erased_as(tx, project, &Named::as_anonymous(name.as_str()))? {
                Some(erased_at) => erased_at,
                None => return Ok(Visitor { name, means, holder: None }),
            },
        };
        name = next(tx, project, &name, then)?;
    }
}

/// Whether the session of a name that was drawn for a sender is running.
fn is_there(tx: &Tx, project: ProjectId, name: &Identifier) -> Result<bool> {
    let visited_at = aliases::visited_at(tx, project, name.as_str())?;
    Ok(visited_at.is_some_and(|at| at >= tx.now() - SESSION_GAP))
}

/// The name behind one that is not used again since an instant.
fn next(tx: &Tx, project: ProjectId, name_before: &Identifier, then: Millis) -> Result<Identifier> {
    let parts: [&[u8]; 3] = [&project.0.to_be_bytes(), &then.to_be_bytes(), name_before.as_str().as_bytes()];
    name(&tx.keyed("visitor anew", &parts))
}

fn random_name() -> Result<Identifier> {
    let mut random = [0; BYTES];
    getrandom::fill(&mut random).map_err(Error::internal)?;
    name(&random)
}

fn name(bytes: &[u8]) -> Result<Identifier> {
    let text = format!("{VISITOR}{}", HEXLOWER.encode(&bytes[..BYTES]));
    Identifier::parse(Place::Body, "anonymousId", &text)
}

/// A cookie: the hexadecimal digits of the name, a point, a digest of them for this project.
/// Without the digest anybody could take a visitor's place by its name, which readers of the
/// API can see.
fn sealed(tx: &Tx, project: ProjectId, name: &Identifier) -> Cookie {
    let digits = name.as_str().strip_prefix(VISITOR).unwrap_or_default();
    Cookie(format!("{digits}.{}", HEXLOWER.encode(&seal(tx, project, digits))))
}

/// The name in a cookie. None: it is not one of ours, or of another project.
fn unsealed(tx: &Tx, project: ProjectId, cookie: &Cookie) -> Option<Identifier> {
    let (digits, sent) = cookie.0.split_once('.')?;
    let bytes = HEXLOWER.decode(digits.as_bytes()).ok().filter(|bytes| bytes.len() == BYTES)?;
    let sent = HEXLOWER.decode(sent.as_bytes()).ok()?;
    let good: bool = seal(tx, project, digits).as_slice().ct_eq(&sent).into();
    if good { name(&bytes).ok() } else { None }
}

fn seal(tx: &Tx, project: ProjectId, digits: &str) -> [u8; BYTES] {
    let digest = tx.keyed("visitor cookie", &[&project.0.to_be_bytes(), digits.as_bytes()]);
    let mut seal = [0; BYTES];
    seal.copy_from_slice(&digest[..BYTES]);
    seal
}
