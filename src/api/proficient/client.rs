//! Proficient AI's client API, for browsers: an end user's conversations with agents.
//! Source: proficientai/js, `api/client/openapi.yml`.
//!
//! `X-PROFICIENT-API-KEY` is the project's public ingest token or a key with the scope
//! ingest; `X-PROFICIENT-USER-EXTERNAL-ID` says whose browser it is;
//! `X-PROFICIENT-USER-HMAC` is the hex HMAC-SHA256 of that under the project's client secret.
//!
//! [ours] The vendor does not say what a caller without HMAC may see. The key stands in the
//! app's page, so that every visitor can name every user. So: where the project has a client
//! secret, no call is taken without the HMAC. Where it has none, callers may begin
//! interactions and add messages, and are told and can change nothing else; the `user_id` of
//! an interaction is empty for them, as its number tells since when the user is known. A key
//! that has the scope of the server's API for a call (read, write, delete) needs no HMAC.
//!
//! [ours] No agents are kept beyond the ids that interactions name: the list of agents is
//! empty, each agent is unknown, and a request for an agent's reply is `unavailable`.
//!
//! [ours] A user in the trash stays there: what is added is kept with the user, and all
//! else is answered as for a user that is unknown.

use super::words::client as words;
use actix_web::http::Method;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::{Value, json};

use crate::api::dialect::{self, Answer, Call, Dialect, Literal, Object, Query, Route};
use crate::error::{Error, Place, Result};
use crate::model::{Handle, Identifier, Interaction, Message, Scope, User, UserId};
use crate::people::callers::Caller;
use crate::people::interactions::Listing;
use crate::people::messages::New;
use crate::people::{interactions, messages, users};
use crate::web::page_sizes;

pub static DIALECT: &dyn Dialect = &Client;

const KEY: &str = "x-proficient-api-key";
const EXTERNAL_ID: &str = "x-proficient-user-external-id";
const HMAC: &str = "x-proficient-user-hmac";

struct Client;

impl Dialect for Client {
    fn key_scheme(&self) -> Value {
        json!({ "type": "apiKey", "in": "header", "name": "X-PROFICIENT-API-KEY" })
    }

    fn error_schema(&self) -> Value {
        crate::api::proficient::words::error()
    }

    fn key(&self, request: &HttpRequest) -> Result<Option<String>> {
        let key =
            dialect::key_header(request, KEY)?.map(|value| value.to_str().map_err(|_| Error::MalformedKey));
        Ok(key.transpose()?.map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned))
    }

    fn error(&self, error: &Error) -> HttpResponse {
        super::error_response(error)
    }
}

/// Whether a request is of this API, where the server's API has the same path.
pub fn is_of(request: &HttpRequest) -> bool {
    request.headers().contains_key(KEY)
}

pub const LITERALS: &[Literal] = &[];

pub fn routes() -> Vec<Route> {
    // A public key has no other scope; what else a call needs is the caller's affair.
    let scope = Some(Scope::Ingest);
    vec![
        Route::new(DIALECT, Method::GET, "/agents", scope, list_agents, words::list_agents),
        Route::new(DIALECT, Method::GET, "/agents/{agent_id}", scope, get_agent, words::get_agent),
        Route::new(DIALECT, Method::GET, "/interactions", scope, list_interactions, words::list_interactions),
        Route::new(
            DIALECT,
            Method::POST,
            "/interactions",
            scope,
            create_interaction,
            words::create_interaction,
        ),
        Route::new(
            DIALECT,
            Method::GET,
            "/interactions/{interaction_id}",
            scope,
            get_interaction,
            words::get_interaction,
        ),
        Route::new(
            DIALECT,
            Method::POST,
            "/interactions/{interaction_id}",
            scope,
            update_interaction,
            words::update_interaction,
        ),
        Route::new(
            DIALECT,
            Method::DELETE,
            "/interactions/{interaction_id}",
            scope,
            delete_interaction,
            words::delete_interaction,
        ),
        Route::new(DIALECT, Method::GET, "/messages", scope, list_messages, words::list_messages),
        Route::new(DIALECT, Method::POST, "/messages", scope, create_message, words::create_message),
        Route::new(DIALECT, Method::GET, "/messages/{message_id}", scope, get_message, words::get_message),
        Route::new(DIALECT, Method::POST, "/messages/{message_id}/ask", scope, ask, words::ask),
        Route::new(DIALECT, Method::GET, "/users/{user_id}", scope, get_user, words::get_user),
        Route::new(DIALECT, Method::POST, "/users/{user_id}", scope, update_user, words::update_user),
    ]
}

async fn list_agents(call: Call) -> Answer {
    call.project()?;
    Ok(HttpResponse::Ok().json(json!({ "data": [] })))
}

async fn get_agent(call: Call) -> Answer {
    call.project()?;
    call.path("agent_id")?;
    Err(Error::NotFound("agent"))
}

/// "The interactions are returned sorted by creation date, with the most recently created
/// interactions appearing first."
async fn list_interactions(call: Call) -> Answer {
    let (caller, query) = (caller(&call, Scope::Read)?, call.query()?);
    let agent = query.get("agent_id").map(|agent| Identifier::parse(Place::Query, "agent_id", agent));
    let listing = Listing {
        agent: agent.transpose()?,
        after: starting_after(&query, INTERACTION)?,
        limit: limit(&query)?,
    };
    let (found, more) = call.app.scan(move |db| interactions::list(db, &caller, &listing)).await?;
    let shown: Vec<Value> =
        found.iter().map(|interaction| interaction_json(interaction, Some(interaction.user))).collect();
    Ok(HttpResponse::Ok().json(json!({ "data": shown, "has_more": more })))
}

/// "An object that contains the initial interaction data including the `Interaction` object
/// itself and the initial messages associated with it": no agent begins.
async fn create_interaction(mut call: Call) -> Answer {
    let agent = object(&mut call).await?.identifier("agent_id")?;
    let caller = caller(&call, Scope::Write)?;
    let (interaction, user) = call.app.write(move |tx| interactions::create(tx, &caller, &agent)).await?;
    let interaction = interaction_json(&interaction, user);
    Ok(HttpResponse::Ok().json(json!({ "interaction": interaction, "messages": [] })))
}

async fn get_interaction(call: Call) -> Answer {
    let handle = in_path(&call, "interaction_id", INTERACTION)?;
    let caller = caller(&call, Scope::Read)?;
    let interaction = call.app.read(|db| interactions::get(db, &caller, handle.ok_or(NO_INTERACTION)?))?;
    Ok(HttpResponse::Ok().json(interaction_json(&interaction, Some(interaction.user))))
}

/// "Only the provided properties will be updated."
async fn update_interaction(mut call: Call) -> Answer {
    let handle = in_path(&call, "interaction_id", INTERACTION)?;
    let name = object(&mut call).await?.text_change("name")?.map(Option::unwrap_or_default);
    let caller = caller(&call, Scope::Write)?;
    let interaction = call
        .app
        .write(move |tx| {
            let handle = handle.ok_or(NO_INTERACTION)?;
            interactions::rename(tx, &caller, handle, name.as_deref())
        })
        .await?;
    Ok(HttpResponse::Ok().json(interaction_json(&interaction, Some(interaction.user))))
}

/// "Permanently deletes the specified interaction and all the messages within it. This cannot
/// be undone." Answers with the interaction as it was.
async fn delete_interaction(call: Call) -> Answer {
    let handle = in_path(&call, "interaction_id", INTERACTION)?;
    let caller = caller(&call, Scope::Delete)?;
    let interaction =
        call.app.write(move |tx| interactions::delete(tx, &caller, handle.ok_or(NO_INTERACTION)?)).await?;
    Ok(HttpResponse::Ok().json(interaction_json(&interaction, Some(interaction.user))))
}

/// The newest come first, as in the list of interactions [ours].
async fn list_messages(call: Call) -> Answer {
    let (caller, query) = (caller(&call, Scope::Read)?, call.query()?);
    let missing = || Error::invalid(Place::Query, "interaction_id", "is required");
    let within = query.get("interaction_id").ok_or_else(missing)?.to_owned();
    let (after, limit) = (starting_after(&query, MESSAGE)?, limit(&query)?);
    let handle = read_id(INTERACTION, &within);
    let found =
        call.app.scan(move |db| messages::list(db, &caller, handle.ok_or(NO_INTERACTION)?, after, limit));
    let (found, more) = found.await?;
    let shown: Vec<Value> = found.iter().map(|message| message_json(message, &within)).collect();
    Ok(HttpResponse::Ok().json(json!({ "data": shown, "has_more": more })))
}

async fn create_message(mut call: Call) -> Answer {
    let body = object(&mut call).await?;
    let required = |field| {
        let missing = || Error::invalid(Place::Body, field, "is required");
        body.text(field)?.ok_or_else(missing)
    };
    let (within, content) = (required("interaction_id")?, required("content")?);
    let parent = body.text("parent_id")?;
    let caller = caller(&call, Scope::Write)?;
    let interaction = read_id(INTERACTION, &within).ok_or(NO_INTERACTION)?;
    let parent = parent.map(|parent| read_id(MESSAGE, &parent).ok_or(NO_MESSAGE)).transpose()?;
    let new = New { interaction, parent, content };
    let message = call.app.write(move |tx| messages::create(tx, &caller, &new)).await?;
    Ok(HttpResponse::Ok().json(message_json(&message, &within)))
}

async fn get_message(call: Call) -> Answer {
    let handle = in_path(&call, "message_id", MESSAGE)?;
    let caller = caller(&call, Scope::Read)?;
    let (message, within) = call.app.read(|db| messages::get(db, &caller, handle.ok_or(NO_MESSAGE)?))?;
    Ok(HttpResponse::Ok().json(message_json(&message, &show_id(INTERACTION, within))))
}

/// "Requests a reply from the `Agent` to a given `Message`." Answered by its own words alone,
/// without a word of when to try again: there is no agent later, either.
async fn ask(mut call: Call) -> Answer {
    let handle = in_path(&call, "message_id", MESSAGE)?;
    object(&mut call).await?.identifier("interaction_id")?;
    let caller = caller(&call, Scope::Read)?;
    call.app.read(|db| messages::get(db, &caller, handle.ok_or(NO_MESSAGE)?))?;
    Ok(super::error_response(&Error::Unavailable(
        "no agent answers here: messages are stored, not replied to",
    )))
}

async fn get_user(call: Call) -> Answer {
    let id = super::user_id(&call);
    let caller = caller(&call, Scope::Read)?;
    let user = call.app.read(|db| itself(caller.reader(db)?, &id))?;
    Ok(HttpResponse::Ok().json(super::user_json(&user)))
}

/// "Any properties not provided will be left unchanged."
async fn update_user(mut call: Call) -> Answer {
    let change = super::change(&object(&mut call).await?)?;
    let id = super::user_id(&call);
    let caller = caller(&call, Scope::Write)?;
    let amended =
        call.app.write(move |tx| users::amend(tx, itself(caller.reader(tx)?, &id)?, &change)).await?;
    let user = dialect::unless_dropped(amended)?;
    Ok(HttpResponse::Ok().json(super::user_json(&user)))
}

/// The caller's own user, if the path names it, and no other.
fn itself(user: User, id: &Result<UserId>) -> Result<User> {
    match id {
        Ok(id) if *id == user.id => Ok(user),
        _ => Err(Error::user_not_found("")),
    }
}

/// The body. Whether the key is of one project is asked before it.
async fn object(call: &mut Call) -> Result<Object> {
    call.project()?;
    call.object().await
}

/// Who calls. A key with this scope needs no HMAC.
fn caller(call: &Call, scope: Scope) -> Result<Caller> {
    let project = call.project()?;
    let external_id = call.header(EXTERNAL_ID)?;
    let external_id = external_id.ok_or_else(|| Error::invalid(Place::Header, EXTERNAL_ID, "is required"))?;
    let access = call.access()?;
    let trusted = !access.is_public() && access.scopes.has(scope);
    if trusted && scope == Scope::Read {
        access.count_read(call.app.clock());
    }
    Ok(Caller {
        project,
        external_id: Identifier::parse(Place::Header, EXTERNAL_ID, external_id)?,
        hmac: call.header(HMAC)?.map(str::to_owned),
        trusted,
    })
}

fn limit(query: &Query) -> Result<u32> {
    let limit = page_sizes::PROFICIENT.asked(query.number("limit")?);
    limit.ok_or_else(|| Error::invalid(Place::Query, "limit", "must be an integer from 1 to 100"))
}

/// "A pagination cursor parameter that takes an object ID as a value."
fn starting_after(query: &Query, prefix: &str) -> Result<Option<Handle>> {
    let wrong = || Error::invalid(Place::Query, "starting_after", "must be an id from this list");
    query.get("starting_after").map(|text| read_id(prefix, text).ok_or_else(wrong)).transpose()
}

const INTERACTION: &str = "i_";
const MESSAGE: &str = "m_";
const NO_INTERACTION: Error = Error::NotFound("interaction");
const NO_MESSAGE: Error = Error::NotFound("message");

/// The path's id. None: nothing has it.
fn in_path(call: &Call, name: &str, prefix: &str) -> Result<Option<Handle>> {
    Ok(read_id(prefix, &call.path(name)?))
}

fn show_id(prefix: &str, handle: Handle) -> String {
    format!("{prefix}{}", data_encoding::HEXLOWER.encode(&handle))
}

/// The id that is shown as this text, if one is.
fn read_id(prefix: &str, text: &str) -> Option<Handle> {
    let hex = text.strip_prefix(prefix)?;
    data_encoding::HEXLOWER.decode(hex.as_bytes()).ok()?.try_into().ok()
}

/// All ten are required. Nothing is archived here, and every interaction waits for its user.
fn interaction_json(interaction: &Interaction, user: Option<UserId>) -> Value {
    json!({
        "id": show_id(INTERACTION, interaction.handle),
        "object": "interaction",
        "agent_id": interaction.agent,
        "archived": false,
        "created_at": interaction.created_at,
        "initial_turn": "user",
        "name": interaction.name,
        "total_message_count": interaction.message_count,
        "updated_at": interaction.updated_at,
        "user_id": user.map(super::show_id).unwrap_or_default(),
    })
}

/// Messages come in through this API alone, so every one was sent by a user.
fn message_json(message: &Message, interaction: &str) -> Value {
    json!({
        "id": show_id(MESSAGE, message.handle),
        "object": "message",
        "content": message.content,
        "created_at": message.created_at,
        "depth": message.depth,
        "interaction_id": interaction,
        "parent_id": message.parent.map(|parent| show_id(MESSAGE, parent)),
        "sent_by": "user",
    })
}
