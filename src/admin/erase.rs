//! Erasing for good: a page that is its own dry run, and a form that asks for the
//! identifier to be typed.

use actix_web::http::{Method, StatusCode};
use askama::Template;

use super::flash::Flash;
use super::holdings::{self, FateLine};
use super::page::Page;
use super::page_request::{Access, Answer, PageRequest, Route};
use super::paths;
use super::receipt_tokens::Tokens;
use super::show::{Count, plain};
use super::user::{self, Head, Held};
use crate::access::roles::Permission;
use crate::admin::scoped;
use crate::erasure;
use crate::erasure::{preview, token};
use crate::error::{Error, Place, Result};
use crate::model::{Erasure, Origin, User, UserId};
use crate::people::holds;
use crate::projects;
use crate::trace::LegalBasis;

pub fn routes() -> Vec<Route> {
    let path = "/admin/users/{user}/erase/{kind}";
    vec![
        Route::new(Method::GET, path, Access::May(Permission::ErasePeople), show),
        Route::new(Method::POST, path, Access::May(Permission::ErasePeople), begin),
    ]
}

#[derive(Template)]
#[template(path = "erase.html")]
struct ErasePage {
    page: Page,
    user: Head,
    kind: &'static str,
    /// Nothing can be erased.
    hold: Option<Held>,
    rows: Vec<FateLine>,
    goes: Count,
    stays: Count,
    error: Option<String>,
    must_type_what: &'static str,
    must_type: String,
    /// It has characters in it that cannot be seen.
    unseen: bool,
    typed: String,
    grounds: [(&'static str, &'static str); LegalBasis::ALL.len()],
    ground: &'static str,
}

async fn show(request: PageRequest) -> Answer {
    let (id, kind) = asked(&request)?;
    page(&request, id, kind, Typed::NotYet).await
}

async fn begin(request: PageRequest) -> Answer {
    let (id, kind) = asked(&request)?;
    let (typed, reach) = (request.form.text("confirm").to_owned(), request.reach());
    stated_legal_basis(&request)?.is();
    let begun = request.app.write(move |tx| {
        let user = scoped::held(tx, &reach, id, tx.now())?;
        check(&user, kind)?;
        if typed != must_type(&user).1 {
            return Err(Error::invalid(Place::Body, "confirm", "does not match"));
        }
        let job = erasure::begin(tx, &user, kind, Origin::Page)?;
        let token = token::of(tx, &job, &user);
        Ok((job.id, token))
    });
    match begun.await {
        Ok((job, token)) => {
            if let Some(sign_in) = request.sign_in_token() {
                request.shared::<Tokens>()?.keep(&sign_in, job, token);
            }
            Ok(request.go_and_say(&paths::job(job), Flash::Erasing(kind, job)))
        }
        Err(Error::Invalid(_)) => page(&request, id, kind, Typed::Wrong).await,
        Err(error) => Err(error),
    }
}

/// The legal basis; "not stated" unless something is chosen.
pub(super) fn stated_legal_basis(request: &PageRequest) -> Result<LegalBasis> {
    match request.form.text("ground") {
        "" => Ok(LegalBasis::default()),
        chosen => LegalBasis::parse(chosen)
            .ok_or_else(|| Error::invalid(Place::Body, "ground", "must be in the list")),
    }
}

/// Whom the path names, and what of it.
fn asked(request: &PageRequest) -> Result<(UserId, Erasure)> {
    let kind = Erasure::parse(request.segment("kind")).filter(|kind| *kind != Erasure::Hide);
    Ok((request.user()?, kind.ok_or(Error::NoSuchRoute)?))
}

fn check(user: &User, kind: Erasure) -> Result<()> {
    match erasure::may_begin(user, kind) {
        true => Ok(()),
        false => Err(Error::Conflict("this data is already erased or being erased")),
    }
}

/// What is typed to confirm, and what that is.
fn must_type(user: &User) -> (&'static str, String) {
    match &user.identifier {
        Some(identifier) => ("identifier", identifier.clone()),
        None => ("id", user.id.to_string()),
    }
}

/// What was typed to confirm.
enum Typed {
    NotYet,
    Wrong,
}

async fn page(request: &PageRequest, id: UserId, kind: Erasure, typed: Typed) -> Answer {
    let (reach, now) = (request.reach(), request.now);
    let read = request.app.scan(move |db| {
        let user = scoped::held(db, &reach, id, now)?;
        check(&user, kind)?;
        let (project, outlook) = (projects::get(db, user.project)?, preview::dry_run(db, &user, kind)?);
        let hold = holds::kept(db, user.clone())?.hold;
        Ok((user, project, outlook, hold))
    });
    let (user, project, outlook, hold) = read.await?;
    user::note_view(request, &user).await?;
    let (rows, goes, stays) = holdings::fates(&user, kind, &outlook);
    let (must_type_what, must_type) = must_type(&user);
    let head = Head::new(&user, &project);
    let (status, error) = match typed {
        Typed::NotYet => (StatusCode::OK, None),
        Typed::Wrong => {
            let shown = plain(&must_type);
            let error = format!("That doesn't match. Type {shown} exactly. Nothing was erased.");
            (StatusCode::UNPROCESSABLE_ENTITY, Some(error))
        }
    };
    let page = ErasePage {
        page: request.page("users", format!("Erase {}", head.heading))?,
        user: head,
        kind: kind.as_str(),
        hold: hold.map(|hold| Held::new(&hold, request.may(Permission::HoldPeople), now)),
        rows,
        goes,
        stays,
        error,
        must_type_what,
        unseen: plain(&must_type) != must_type,
        must_type,
        typed: request.form.text("confirm").to_owned(),
        grounds: LegalBasis::ALL.map(|ground| (ground.as_str(), ground.words())),
        ground: stated_legal_basis(request)?.as_str(),
    };
    request.html(status, &page)
}
