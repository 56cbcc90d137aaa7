//! The HTML face: pages for the people who run the server. A file per section of the
//! menu; each lists its own routes, this file mounts them.
//!
//! The pages call the same verbs as the APIs and never an API. Every address and answer
//! under `/admin` passes `page_request::answer`, which lets the request in and sets the
//! headers that all pages have.

mod account;
mod admins;
mod assets;
mod audit;
mod backups;
mod badges;
mod chart;
mod clock;
mod cookies;
mod csrf;
mod device;
mod erase;
mod export;
mod fields;
mod find;
mod flash;
mod holdings;
mod holds;
mod ids;
mod ingest_token;
mod job;
mod jobs;
mod key;
mod key_form;
mod keys;
mod link;
mod login_throttle;
mod outside;
mod overview;
mod page;
mod page_request;
mod paths;
mod pending_sign_in;
mod project;
mod project_names;
mod projects;
mod reauthenticate;
mod receipt;
mod receipt_tokens;
mod receipts;
mod repairs;
mod scoped;
mod second_factor;
mod settings;
mod setup;
mod show;
mod sign_in;
mod sign_in_code;
mod theme;
mod trash;
mod user;
mod user_edit;
mod user_records;
mod user_row;
mod user_search;
mod user_timeline;
mod users;

use std::rc::Rc;

use actix_web::{HttpRequest, web};

use crate::app::App;
pub use assets::sheet;
pub use link::path as password_path;
pub use login_throttle::{Guest, LoginThrottle};
pub use page_request::{Access, Route};
pub use pending_sign_in::Halfway;
pub use receipt_tokens::Tokens;
pub use setup::SetupLink;

/// Every address that the pages have.
pub fn routes() -> Vec<Route> {
    let sections = [
        setup::routes(),
        sign_in::routes(),
        theme::routes(),
        find::routes(),
        users::routes(),
        user::routes(),
        user_edit::routes(),
        user_timeline::routes(),
        user_records::routes(),
        erase::routes(),
        export::routes(),
        holds::routes(),
        trash::routes(),
        jobs::routes(),
        job::routes(),
        audit::routes(),
        backups::routes(),
        clock::routes(),
        receipts::routes(),
        receipt::routes(),
        project::routes(),
        projects::routes(),
        repairs::routes(),
        settings::routes(),
        keys::routes(),
        key::routes(),
        ingest_token::routes(),
        sign_in_code::routes(),
        account::routes(),
        second_factor::routes(),
        admins::routes(),
        link::routes(),
    ];
    sections.into_iter().flatten().collect()
}

/// Mounts `/admin`, the links under `/x`, and the files under `/static`. Three prefixes, so that a
/// request to an API is held up by no more than three comparisons.
pub fn mount(config: &mut web::ServiceConfig) {
    let routes: Rc<[Route]> = routes().into();
    let pages = || {
        let routes = Rc::clone(&routes);
        web::to(move |app: web::Data<App>, request: HttpRequest, payload: web::Payload| {
            page_request::answer(Rc::clone(&routes), App::clone(&app), request, payload.into_inner())
        })
    };
    config
        .service(web::scope("/static").default_service(web::to(assets::serve)))
        .service(web::scope("/admin").default_service(pages()))
        .service(web::scope("/x").default_service(pages()));
}
