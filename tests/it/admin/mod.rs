//! The admin pages, as a browser without a screen sees them.

mod account;
mod accounts;
mod audit;
pub mod backups;
mod deeds;
mod door;
mod edits;
mod find;
mod find_everywhere;
mod forms;
mod guesses;
mod holds;
mod job;
mod keys;
mod lists;
mod masks;
mod overview;
mod pages;
mod person;
mod project;
mod read_only;
mod receipts;
pub mod roles;
pub mod second_factor;
mod settings;
mod sign_in_codes;
mod templates;

use std::cell::RefCell;
use std::collections::BTreeMap;

use usher::access::{admin_rights, admins};
use usher::error::Result;
use usher::model::{Admin, Reach, Role, UserId};
use usher::store::NormalTx;

use crate::harness::{Reply, Request, Server, encode};

/// Of every owner that a test makes.
pub const PASSWORD: &str = "correct horse battery";

/// What a browser keeps between two pages.
pub struct Browser<'a> {
    pub server: &'a Server,
    /// What a proxy in front says of the browser's connection.
    https: bool,
    cookies: RefCell<BTreeMap<String, String>>,
    token: RefCell<String>,
}

/// Another owner, whose password is [`PASSWORD`]: made as in the pages, with a link.
pub fn another_owner(tx: &NormalTx, name: &str) -> Result<Admin> {
    let (_, link) = admin_rights::invite(tx, name, Role::Owner, &Reach::All)?;
    admin_rights::set_by_link(tx, &link, &admins::hash_password(PASSWORD)?)
}

impl<'a> Browser<'a> {
    pub fn new(server: &'a Server) -> Browser<'a> {
        Browser { server, https: false, cookies: RefCell::default(), token: RefCell::default() }
    }

    /// Behind a proxy that speaks HTTPS.
    pub fn https(server: &'a Server) -> Browser<'a> {
        Browser { https: true, ..Browser::new(server) }
    }

    /// One in which the owner is signed in.
    pub fn owner(server: &'a Server) -> Browser<'a> {
        server.write(|tx| match admins::by_name(tx, "owner")? {
            Some(_) => Ok(()),
            None if admins::any(tx)? => another_owner(tx, "owner").map(|_| ()),
            None => admins::create_owner(tx, "owner", &admins::hash_password(PASSWORD)?).map(|_| ()),
        });
        let browser = Browser::new(server);
        browser.get("/admin/login").expect(200);
        browser.post("/admin/login", &[("name", "owner"), ("password", PASSWORD)]).expect(303);
        browser.get("/admin/users").expect(200);
        browser
    }

    /// A request with the cookies, and as a page of ours sends it.
    pub fn request(&self, method: &str, path: &str) -> Request<'a> {
        let scheme = if self.https { "https" } else { "http" };
        let mut request = self.server.request(method, path);
        if self.https {
            request = request.header("X-Forwarded-Proto", "https");
        }
        if method == "POST" {
            request = request.header("Origin", &format!("{scheme}://{}", self.server.addr));
        }
        let cookies = self.cookies.borrow();
        let cookies: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if cookies.is_empty() { request } else { request.header("Cookie", &cookies.join("; ")) }
    }

    pub fn get(&self, path: &str) -> Reply {
        self.take(self.request("GET", path).send())
    }

    /// Sends a form with the token of the page that was looked at last.
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let token = self.token.borrow().clone();
        self.post_with_token(path, fields, &token)
    }

    pub fn post_with_token(&self, path: &str, fields: &[(&str, &str)], token: &str) -> Reply {
        let fields = [fields, &[("form_token", token)]].concat();
        self.take(self.request("POST", path).body(form(&fields), FORM).send())
    }

    /// Keeps what a browser keeps of an answer.
    fn take(&self, reply: Reply) -> Reply {
        for cookie in reply.all("set-cookie") {
            let pair = cookie.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').expect("a cookie");
            match value {
                "" => self.cookies.borrow_mut().remove(name),
                value => self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned()),
            };
        }
        if let Some(token) = value_of(&reply.text, "form_token") {
            *self.token.borrow_mut() = token;
        }
        reply
    }

    pub fn token(&self) -> String {
        self.token.borrow().clone()
    }

    pub fn cookie(&self, name: &str) -> Option<String> {
        self.cookies.borrow().get(name).cloned()
    }

    pub fn set_cookie(&self, name: &str, value: &str) {
        self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
    }

    /// Whether the pages behind the door are shown.
    pub fn is_in(&self) -> bool {
        self.get("/admin/users").status == 200
    }
}

pub const FORM: &str = "application/x-www-form-urlencoded";

pub fn form(fields: &[(&str, &str)]) -> String {
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    pairs.collect::<Vec<String>>().join("&")
}

/// The value of a field of a form on a page.
pub fn value_of(page: &str, field: &str) -> Option<String> {
    let rest = page.split_once(&format!("name=\"{field}\" value=\""))?.1;
    Some(rest.split('"').next()?.to_owned())
}

/// A part of a page, from a text to the next occurrence of another.
#[track_caller]
pub fn part<'a>(page: &'a str, from: &str, to: &str) -> &'a str {
    let start = page.find(from).unwrap_or_else(|| panic!("{from} is missing in {page}"));
    let end = page[start..].find(to).map_or(page.len(), |end| start + end);
    &page[start..end]
}

/// What a page says to whoever reads it: its text without tags.
pub fn words(page: &str) -> String {
    let mut text = String::new();
    let mut in_tag = false;
    for c in page.chars() {
        match c {
            '<' => in_tag = true,
            '>' => {
                in_tag = false;
                text.push(' ');
            }
            c if !in_tag => text.push(c),
            _ => {}
        }
    }
    let text = text.split_whitespace().collect::<Vec<&str>>().join(" ");
    let entities = [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")];
    entities.iter().fold(text, |text, (entity, c)| text.replace(entity, c))
}

pub fn page_of(user: UserId) -> String {
    format!("/admin/users/{user}")
}
