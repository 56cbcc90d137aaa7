//! Links by which a person downloads what is held: for some days, some times, behind a PIN where it is asked
//! for. Nothing is made before somebody fetches it, so no copy outlives the person.

use subtle::ConstantTimeEq;

use super::{Form, Person, note_person, whom};
use crate::clock::{DAY, Millis};
use crate::error::{Error, Place, Result};
use crate::model::{Handle, ProjectId, State, User};
use crate::people::person;
use crate::people::subjects::Subject;
use crate::projects;
use crate::secrets;
pub use crate::store::export_links::Link;
use crate::store::{Db, NormalTx, Tx, audit, export_links, users};

/// How many days a link opens, unless it is said, and at most.
pub const DAYS: i64 = 7;
pub const DAYS_MAX: i64 = 30;
/// How often.
pub const DOWNLOADS: i64 = 3;
pub const DOWNLOADS_MAX: i64 = 10;
/// Wrong PINs that are taken before it opens no more.
pub const TRIES: i64 = 5;
/// Digits of a PIN.
const PIN: usize = 6;

const NOT_FOUND: Error = Error::NotFound("export link");

/// What is wished of a new link.
#[derive(Debug, Clone, Copy)]
pub struct Wish {
    pub days: i64,
    pub downloads: i64,
    pub with_pin: bool,
}

impl Default for Wish {
    fn default() -> Wish {
        Wish { days: DAYS, downloads: DOWNLOADS, with_pin: false }
    }
}

/// A link that was just made. Secret and PIN are shown once; the PIN goes another way than the link.
pub struct Made {
    pub link: Link,
    pub token: String,
    pub pin: Option<String>,
}

/// The address of a link, without the host.
pub fn path(token: &str) -> String {
    format!("/x/{token}")
}

/// Makes a link for a live person. [`Error::Invalid`] on `days` or `downloads`, [`Error::Conflict`] for a
/// person in the trash; else as [`whom`].
pub fn create(tx: &NormalTx, project: ProjectId, subject: &Subject, wish: Wish) -> Result<Made> {
    create_for(tx, &whom(tx, project, subject)?, wish)
}

/// The same for a person who was found.
pub fn create_for(tx: &NormalTx, user: &User, wish: Wish) -> Result<Made> {
    let within = |field: &str, number: i64, most: i64| match (1..=most).contains(&number) {
        true => Ok(()),
        false => Err(Error::invalid(Place::Body, field, format!("must be from 1 to {most}"))),
    };
    within("days", wish.days, DAYS_MAX)?;
    within("downloads", wish.downloads, DOWNLOADS_MAX)?;
    if user.state != State::Live {
        return Err(Error::Conflict("this user is in the trash: restore them before a link is made"));
    }
    let token = secrets::token("")?;
    let hash = secrets::hash(&token);
    let pin = wish.with_pin.then(new_pin).transpose()?;
    let link = Link {
        id: tx.next_id(),
        handle: secrets::handle()?,
        user: user.id,
        project: user.project,
        hash,
        pin: pin.as_deref().map(|pin| digest(tx, &hash, pin)),
        created_at: tx.now(),
        expires_at: tx.now() + wish.days * DAY,
        downloads_left: wish.downloads,
        tries_left: TRIES,
    };
    export_links::insert(tx, &link)?;
    note(tx, "make export link", user)?;
    Ok(Made { link, token, pin })
}

fn new_pin() -> Result<String> {
    const NUMBERS: u32 = 10_u32.pow(PIN as u32);
    // The last numbers that fit would make the first of them more likely.
    const USABLE: u32 = u32::MAX - u32::MAX % NUMBERS;
    loop {
        let mut random = [0; 4];
        getrandom::fill(&mut random).map_err(Error::internal)?;
        let number = u32::from_be_bytes(random);
        if number < USABLE {
            return Ok(format!("{:0PIN$}", number % NUMBERS));
        }
    }
}

/// A PIN has few digits: without the secret, which lies outside of the database, it is not to be guessed.
fn digest(tx: &Tx, link: &[u8; 32], pin: &str) -> [u8; 32] {
    tx.keyed("export PIN", &[link, pin.as_bytes()])
}

/// Links of a project that still open, the oldest first.
pub fn list(db: &Db, project: ProjectId, now: Millis, after: i64, limit: u32) -> Result<Vec<Link>> {
    export_links::list(db, project, now, after, limit)
}

/// The link that a caller knows by its handle. [`Error::NotFound`].
pub fn get(db: &Db, project: ProjectId, handle: Handle) -> Result<Link> {
    export_links::by_handle(db, project, handle)?.ok_or(NOT_FOUND)
}

/// Withdraws a link. [`Error::NotFound`].
pub fn end(tx: &NormalTx, project: ProjectId, handle: Handle) -> Result<()> {
    let link = get(tx, project, handle)?;
    export_links::remove(tx, link.id)?;
    match users::by_id(tx, Some(project), link.user)? {
        Some(user) => note(tx, "end export link", &user),
        None => Ok(()),
    }
}

/// Whether a link opens, and asks for a PIN. None: it does not, or not any more. Looking counts for nothing.
pub fn look(db: &Db, token: &str, now: Millis) -> Result<Option<bool>> {
    let Some(link) = export_links::open(db, &secrets::hash(token), now)? else { return Ok(None) };
    Ok(live(db, &link)?.map(|_| link.pin.is_some()))
}

/// What became of somebody who wants to download.
pub enum Fetched {
    Given(Box<Person>),
    /// So many more are taken.
    WrongPin {
        left: i64,
    },
    Gone,
}

/// Takes one download. A wrong PIN is counted.
pub fn fetch(tx: &NormalTx, token: &str, pin: &str) -> Result<Fetched> {
    let Some(mut link) = export_links::open(tx, &secrets::hash(token), tx.now())? else {
        return Ok(Fetched::Gone);
    };
    let Some(user) = live(tx, &link)? else { return Ok(Fetched::Gone) };
    if let Some(right) = link.pin {
        let given: String = pin.chars().filter(|c| !c.is_whitespace()).collect();
        if !bool::from(digest(tx, &link.hash, &given).ct_eq(&right)) {
            link.tries_left -= 1;
            export_links::update(tx, &link)?;
            note(tx, "fail export PIN", &user)?;
            return Ok(Fetched::WrongPin { left: link.tries_left });
        }
    }
    link.downloads_left -= 1;
    export_links::update(tx, &link)?;
    note_person(tx, &user, &format!("{} by a link", Form::Zip.words()))?;
    let project = projects::get(tx, link.project)?;
    Ok(Fetched::Given(Box::new(Person { project, user })))
}

/// The person, as long as it can be given something.
fn live(db: &Db, link: &Link) -> Result<Option<User>> {
    let user = users::by_id(db, Some(link.project), link.user)?;
    Ok(user.filter(|user| user.state == State::Live))
}

fn note(tx: &Tx, action: &str, user: &User) -> Result<()> {
    let entry = audit::Entry {
        action,
        subject: Some(person::pseudonym(tx, user)),
        project: Some(user.project),
        ..audit::Entry::default()
    };
    audit::append(tx, &entry)
}
