//! What the routes of our own API say of themselves.

use serde_json::{Value, json};

use crate::api::doc::{Doc, fails};
use crate::api::schema::{
    any, at_most, between, each_by_itself, either, flag, free, list, millis, name, named, number, object,
    one_of, or_null, say, text, time,
};
use crate::error::Error;

const HANDLE: &str = "0b2d7f60a1c84c4e9f3a5d6b7c8e9f01";
const SESSION: &str = "The session's id, or the name that the app gave it.";

fn no_receipt() -> Error {
    Error::ReceiptNotFound
}

fn no_link() -> Error {
    Error::NotFound("export link")
}

fn no_import() -> Error {
    Error::NotFound("import")
}

fn no_suppression() -> Error {
    Error::NotFound("suppression")
}

fn data(schema: Value) -> Value {
    object([("data", schema)])
}

fn page(name: &str, schema: Value) -> Value {
    let next = or_null(say(text("eyJ0IjoxfQ"), "For `cursor`; null on the last page."));
    named(name, object([("data", list(schema)), ("nextCursor", next)]))
}

/// The schema of every error.
pub fn problem() -> Value {
    let fault = object([
        ("field", text("subject.email")),
        ("pointer?", say(text("/subject/email"), "Where in the body, as a JSON pointer.")),
        ("parameter?", say(text("limit"), "The parameter of the query or the path.")),
        ("header?", say(text("Accept"), "The header.")),
        ("message", text("must not be empty")),
    ]);
    named(
        "Problem",
        object([
            ("type", say(text("/docs#problem-invalid"), "The page that explains the code.")),
            ("title", text("Bad Request")),
            ("status", number(400)),
            ("detail", text("subject.email must not be empty")),
            ("code", text("invalid")),
            (
                "requestId",
                or_null(say(text("9f1c22d07ab34e55"), "Also in the header X-Request-Id and in the log.")),
            ),
            ("errors", list(fault)),
        ]),
    )
}

/// Of whom a request speaks.
fn subject() -> Value {
    // Each may be there and null; that just one is not is the handler's to say.
    let loose = object([
        ("identifier?", or_null(name("ann@example.com"))),
        ("email?", or_null(text("ann@example.com"))),
        ("id?", or_null(text("42"))),
        ("anonymousId?", or_null(name("visitor-7"))),
    ]);
    let mut schema = say(loose, "One of the four, and no other.");
    schema["examples"] = json!([{ "identifier": "ann@example.com" }]);
    named("Subject", schema)
}

fn entry_faults() -> Value {
    list(object([("index", number(0)), ("field", text("name")), ("message", text("is required"))]))
}

pub fn post_activity() -> Doc {
    let when = either(&[time(), millis()]);
    let entry = object([
        ("type?", one_of(&["event", "page", "screen", "error", "interaction", "log"])),
        ("kind?", say(json!({ "type": "string" }), "Another name of `type`.")),
        ("userId?", or_null(name("ann@example.com"))),
        ("anonymousId?", or_null(name("visitor-7"))),
        ("name?", or_null(say(text("Signed up"), "Required but of a page or a screen."))),
        ("at?", say(when.clone(), "RFC 3339, or milliseconds since 1970; without it, it is now.")),
        ("timestamp?", say(when, "Another name of `at`.")),
        ("messageId?", or_null(say(text("m-1"), "What has one counts once."))),
        ("sessionId?", or_null(name("s-1"))),
        ("url?", or_null(text("https://shop.example.com/a"))),
        ("data?", free(json!({ "plan": "pro" }))),
    ]);
    let counts = object([
        ("stored", number(1)),
        ("duplicates", number(0)),
        ("late", number(0)),
        ("suppressed", number(0)),
    ]);
    let example =
        json!({ "type": "event", "userId": "ann@example.com", "name": "Signed up", "messageId": "m-1" });
    let mut entries = at_most(1_000, each_by_itself(list(named("Activity", entry))));
    entries["examples"] = json!([[example]]);
    Doc::says("Stores what users did: at most 1,000 entries, each judged by itself.")
        .more(
            "Each entry has a `type`, and a `userId` or an `anonymousId`. Good entries are stored, bad ones named in \
             `errors` by their index. A key without the scope `read` is told how many were accepted, and no more.",
        )
        .header(
            "Idempotency-Key",
            json!({ "type": "string", "maxLength": 256, "examples": ["batch-1"] }),
            "Entries without a messageId get `<key>:<index>` for one, so that the same batch counts once.",
        )
        .takes(object([("activity", entries)]))
        .gives(
            200,
            object([
                ("data", either(&[counts, object([("accepted", number(1))])])),
                ("errors", entry_faults()),
            ]),
        )
}

pub fn append_recording() -> Doc {
    let whole = object([
        ("sessionId", text("7")),
        ("contentType", or_null(text("video/webm"))),
        ("bytes", number(1_048_576)),
    ]);
    Doc::says("Appends a piece to the recording of a session.")
        .more(
            "At most 8 MiB at a time; all pieces are of one Content-Type, which is required. A public credential is \
             told that the piece was accepted, whatever sessions there are.",
        )
        .path("id", text("7"), SESSION)
        .takes_bytes("application/octet-stream", "(bytes)")
        .gives(200, data(either(&[whole, object([("accepted", flag(true))])])))
        .fails(&[fails::session, fails::ambiguous])
}

pub fn get_recording() -> Doc {
    Doc::says("The bytes of a recording, under the type that they came with.")
        .path("id", text("7"), SESSION)
        .gives_bytes(200, "*/*", "(bytes)")
        .fails(&[fails::session, fails::ambiguous])
}

pub fn get_job() -> Doc {
    let at = || or_null(time());
    let rows = |example: Value| crate::api::schema::by_name(json!({ "type": "integer" }), example);
    let job = object([
        ("id", text("12")),
        ("status", one_of(&["scheduled", "running", "completed", "failed", "cancelled"])),
        ("step", or_null(one_of(&["erasing", "scrubbing", "verifying"]))),
        ("erasure", one_of(&["everything", "account", "activity", "hide"])),
        ("origin", one_of(&["request", "schedule", "page", "reaper", "ledger"])),
        ("createdAt", at()),
        ("startAt", at()),
        ("begunAt", at()),
        ("erasedAt", at()),
        ("scrubbedAt", at()),
        ("finishedAt", at()),
        ("rowsErased", number(14)),
        ("counts", say(rows(json!({ "events": 12 })), "Rows of each kind that went.")),
        ("since", say(rows(json!({})), "Rows that came after the job began, and went too.")),
        ("mentions", or_null(number(0))),
        ("attempts", number(1)),
        ("receipt", or_null(number(3))),
        ("held", say(flag(false), "It is due, and waits for a legal hold.")),
    ]);
    Doc::says("How far an erasure is, and, once it is completed, the number of its receipt.")
        .path("jobId", text("12"), "The job's number, or the id of its receipt.")
        .gives(200, data(named("Job", job)))
        .fails(&[fails::job])
}

pub fn get_receipt() -> Doc {
    Doc::says("The signed bytes of a receipt.")
        .more("`usher verify-receipt` checks them on any machine. `docs/formats.md` says what each field means.")
        .path("number", text("3"), "The receipt's number in the project, or its id.")
        .gives(200, named("Receipt", free(json!({ "payload": {}, "signature": "…" }))))
        .fails(&[no_receipt])
}

pub fn check_receipt() -> Doc {
    let fault =
        object([("field", or_null(text("signature"))), ("message", text("does not fit the receipt"))]);
    Doc::says("Whether a file is a receipt that this installation signed, and nobody changed since.")
        .takes_bytes("application/json", "{\"payload\":{},\"signature\":\"…\"}")
        .gives(200, data(object([("good", flag(false)), ("faults", list(fault))])))
}

pub fn get_backups() -> Doc {
    let backup = object([
        ("name", text("usher-20260304T100000Z.age")),
        ("madeAt", or_null(time())),
        ("prunedAt", or_null(time())),
        ("bytes", number(1_048_576)),
        ("erasuresSince", or_null(say(number(2), "The most that a restore would erase again."))),
        ("refused", or_null(say(text("the ledger is another one's"), "Why a restore would be refused."))),
    ]);
    Doc::says("The backups of the installation, the newest first.")
        .more("The key has to be the organisation's.")
        .gives(200, data(list(named("Backup", backup))))
}

pub fn get_metrics() -> Doc {
    Doc::says("The figures of the installation, as Prometheus reads them.")
        .more("The key has to be the organisation's.")
        .gives_bytes(200, crate::metrics::CONTENT_TYPE, "usher_users 42\n")
}

fn project() -> Value {
    named(
        "Project",
        object([
            ("key", text("pk_5f3a9c21")),
            ("name", text("Shop")),
            ("platform", text("web")),
            ("createdAt", time()),
            ("origins", list(text("https://shop.example.com"))),
            ("refusedOrigins", number(0)),
            ("publicWrites", one_of(&["open", "own-visitors", "events-only", "own visitors", "events only"])),
            ("peoplePerAddress", number(1_000)),
            ("peoplePerHour", number(100_000)),
            ("placeholders", list(text("anonymous"))),
            ("erasedKeptDays", either(&[number(3_650), one_of(&["forever"])])),
            ("erasedKeptWhy", or_null(text("a court's order"))),
            ("hasClientSecret", flag(false)),
        ]),
    )
}

fn project_key(doc: Doc) -> Doc {
    doc.path("projectKey", text("pk_5f3a9c21"), "The project's key.")
}

pub fn get_project() -> Doc {
    project_key(Doc::says("A project's settings.")).gives(200, project()).fails(&[fails::project])
}

pub fn change_project() -> Doc {
    let shown = || say(json!({}), "As it is shown; it is not changed.");
    let body = object([
        ("key?", shown()),
        ("platform?", shown()),
        ("createdAt?", shown()),
        ("refusedOrigins?", shown()),
        ("hasClientSecret?", shown()),
        ("name?", or_null(text("Shop"))),
        ("origins?", or_null(list(text("https://shop.example.com")))),
        ("publicWrites?", or_null(json!({ "type": "string", "examples": ["own-visitors"] }))),
        ("peoplePerAddress?", or_null(number(1_000))),
        ("peoplePerHour?", or_null(number(100_000))),
        ("placeholders?", or_null(list(text("anonymous")))),
        ("erasedKeptDays?", say(any(json!(3_650)), "A number of days, or `forever`.")),
        ("erasedKeptWhy?", or_null(text("a court's order"))),
        ("clientSecret?", or_null(text("a secret of the app"))),
    ]);
    let mut body = body;
    body["examples"] = json!([{ "name": "Shop", "origins": ["https://shop.example.com"] }]);
    project_key(Doc::says("Changes a project's settings. What is left out stays."))
        .more(
            "`origins` are the sites whose pages may send; an empty list is every site. `publicWrites` is `open`, \
             `own-visitors` or `events-only`. Null for numbers and placeholders is the usual ones. `forever` in \
             `erasedKeptDays` needs its reason in `erasedKeptWhy`. No answer has `clientSecret`. Of a body with a \
             fault nothing is taken.",
        )
        .takes(body)
        .gives(200, project())
        .fails(&[fails::project, name_taken])
}

fn name_taken() -> Error {
    Error::NameTaken { what: "a project", name: "Shop".into() }
}

pub fn delete_project() -> Doc {
    project_key(Doc::says(
        "Deletes a project: it is gone at once, and each of its users is erased with a receipt.",
    ))
    .more("This does not undo. The key needs the scope `delete` as well.")
    .query("confirm", text("Shop"), "The name of the project.")
    .required()
    .gives(202, object([("key", text("pk_5f3a9c21")), ("state", one_of(&["deleting"]))]))
    .fails(&[fails::project, fails::conflict, fails::held])
}

pub fn get_repairs() -> Doc {
    let outcome = || one_of(&["repaired", "dropped", "refused"]);
    let key = || or_null(say(text("web shop"), "The key's name; null for the ingest token."));
    let count = object([
        ("day", text("2026-03-04")),
        ("key", key()),
        ("outcome", outcome()),
        ("reason", text("control characters")),
        ("count", number(3)),
    ]);
    let one = object([
        ("at", time()),
        ("key", key()),
        ("outcome", outcome()),
        ("reason", text("control characters")),
        ("field", or_null(text("name"))),
    ]);
    Doc::says("What was repaired, dropped or refused on its way in: counts by day, and the newest hundred.")
        .query(
            "days",
            between(1, crate::people::repairs::DAYS, 7),
            "How many days back; all that are kept unless given.",
        )
        .gives(200, object([("data", list(count)), ("recent", list(one))]))
}

fn counts() -> Value {
    let fields = [
        "records",
        "users",
        "updated",
        "events",
        "sessions",
        "others",
        "duplicates",
        "erased",
        "suppressed",
        "skipped",
        "leftOut",
        "faults",
    ];
    let mut counts = crate::api::schema::object([(
        "faultsByCode?",
        crate::api::schema::by_name(json!({ "type": "integer" }), json!({})),
    )]);
    for field in fields {
        counts["properties"][field] = number(0);
    }
    named("ImportCounts", counts)
}

fn import_faults() -> Value {
    list(object([
        ("line", number(17)),
        ("pointer", text("/properties/time")),
        ("code", text("bad_time")),
        ("message", text("must be a time")),
    ]))
}

fn status() -> Value {
    one_of(&["running", "done", "failed"])
}

pub fn post_import() -> Doc {
    let outcome = object([
        ("id", or_null(text("3"))),
        ("from", text("segment")),
        ("status", status()),
        ("dryRun", flag(false)),
        ("wasDone", say(flag(false), "The same file was imported before: nothing was done.")),
        ("resumedAfter", or_null(number(0))),
        ("endedBy", or_null(text("too many faults"))),
        ("counts", counts()),
        ("faults", import_faults()),
    ]);
    let on = |doc: Doc, name: &'static str, says: &'static str| doc.query(name, flag(false), says);
    let doc = Doc::says("Imports a file, which is the body, plain or packed with gzip, of any size.")
        .more(
            "Answered once it is read. What was taken stays, also where the body breaks off: the same file goes on \
             where it ended. Original times and ids are kept; nobody comes back who was erased.",
        )
        .query("from", text("auto"), "auto, or the name of a source.")
        .query("map", text("email=E-Mail"), "Columns of a CSV file.")
        .query("type", text("users"), "What the lines of a CSV file are.")
        .query("maxFaults", json!({ "type": "integer", "minimum": 0, "examples": [100] }), "Stops after so many.");
    let doc = on(doc, "atImport", "Entries without a time are dated now.");
    let doc = on(doc, "revive", "Users in the trash come back.");
    let doc = on(doc, "dryRun", "Says what would be taken, and takes nothing.");
    let doc = on(doc, "restart", "From the beginning, also of a file that was begun.");
    doc.takes_bytes("application/octet-stream", "{\"type\":\"identify\",\"userId\":\"ann\"}\n")
        .gives(200, data(outcome))
        .fails(&[fails::conflict])
}

fn import() -> Value {
    object([
        ("id", text("3")),
        ("from", text("segment")),
        ("status", status()),
        ("record", number(500)),
        ("counts", counts()),
        ("createdAt", time()),
        ("updatedAt", time()),
        ("finishedAt", or_null(time())),
        ("faults?", import_faults()),
    ])
}

fn cursor(doc: Doc) -> Doc {
    doc.query("cursor", text("eyJ0IjoxfQ"), "The `nextCursor` of the page before.")
}

pub fn list_imports() -> Doc {
    cursor(Doc::says("The imports of the project, the newest first.")).gives(200, page("Imports", import()))
}

pub fn get_import() -> Doc {
    Doc::says("An import, with the first of its faults.")
        .path("id", text("3"), "The import's id.")
        .gives(200, data(named("Import", import())))
        .fails(&[no_import])
}

fn user() -> Value {
    let word = |example: &str| or_null(text(example));
    object([
        ("id", text("42")),
        ("state", one_of(&["live", "trash"])),
        ("identifier", word("ann@example.com")),
        ("email", word("ann@example.com")),
        ("claimedEmail", word("ann@example.org")),
        ("firstName", word("Ann")),
        ("lastName", word("Lee")),
        ("displayName", word("Ann Lee")),
        ("country", word("DE")),
        ("city", word("Berlin")),
        ("data", free(json!({ "plan": "pro" }))),
        ("createdAt", time()),
        ("updatedAt", time()),
        ("firstSeen", or_null(time())),
        ("lastSeen", or_null(time())),
        ("trashedAt", or_null(time())),
        ("sessions", number(3)),
        ("events", number(12)),
        (
            "matched",
            list(object([("field", text("email")), ("how", one_of(&["whole", "start", "word", "part"]))])),
        ),
    ])
}

pub fn find() -> Doc {
    let when = || or_null(either_time());
    let filter = object([
        ("state?", or_null(json!({ "type": "string", "examples": ["live"] }))),
        ("anonymous?", or_null(flag(false))),
        ("country?", or_null(text("DE"))),
        ("seenAfter?", when()),
        ("seenBefore?", when()),
        ("data?", or_null(free(json!({ "plan": "pro" })))),
    ]);
    let suggestion =
        object([("id", text("42")), ("field", text("email")), ("value", text("ann@example.com"))]);
    let body = object([
        ("q", text("ann")),
        ("filter?", or_null(filter)),
        ("limit?", or_null(between(1, 1_000, 50))),
        ("cursor?", or_null(json!({ "type": "string" }))),
    ]);
    let mut body = body;
    body["examples"] =
        json!([{ "q": "ann", "filter": { "state": "live", "data": { "plan": "pro" } }, "limit": 50 }]);
    Doc::says("Finds users by any part of what they are called.")
        .more(
            "`q` is looked for in identifiers, e-mails and names, in any letter case and without accents; several words \
             have to be there all. `matched` says in which field, and how. Where nothing is found, `suggestions` names \
             users who are called nearly so. A page may be short and have a `nextCursor` all the same; `truncated` says \
             that not all hits were looked at. 503 with Retry-After while names are still being read after a start. \
             `filter.state` is live, trash or all; times are RFC 3339, a date, or milliseconds.",
        )
        .takes(body)
        .gives(
            200,
            named(
                "Found",
                object([
                    ("data", list(named("FoundUser", user()))),
                    ("suggestions", list(suggestion)),
                    ("truncated", flag(false)),
                    ("nextCursor", or_null(text("eyJ0IjoxfQ"))),
                    ("note?", text("only whole names were looked for")),
                ]),
            ),
        )
}

fn either_time() -> Value {
    json!({ "type": ["string", "integer"], "examples": ["2026-03-01"] })
}

pub fn export() -> Doc {
    Doc::says("All that is held of a live user, or of one in the trash, as it is read.")
        .more(
            "The key needs the scope `read` as well. The audit log says that it was given. An answer that is cut off \
             is not whole: the user was erased meanwhile.",
        )
        .path("id", text("42"), "The user's id.")
        .header(
            "Accept",
            text("application/zip"),
            "`application/zip`, which is usual, is for the person; `application/x-ndjson` has a line of JSON a row.",
        )
        .gives_bytes(200, "application/zip", "(bytes)")
        .gives_bytes(200, "application/x-ndjson", "{\"type\":\"user\",\"id\":\"42\"}\n")
        .fails(&[fails::user])
}

fn link_fields() -> [(&'static str, Value); 6] {
    [
        ("id", text(HANDLE)),
        ("userId", text("42")),
        ("createdAt", time()),
        ("expiresAt", time()),
        ("downloadsLeft", number(3)),
        ("hasPin", flag(false)),
    ]
}

pub fn create_link() -> Doc {
    let [id, user, created, expires, downloads, pin] = link_fields();
    let made = object([
        id,
        user,
        created,
        expires,
        downloads,
        pin,
        ("url", say(text("https://usher.example.com/x/…"), "Shown once.")),
        ("pin", or_null(say(text("123456"), "Shown once; it goes another way than the link."))),
    ]);
    Doc::says("Makes a link by which somebody downloads all that is held of a live user.")
        .more("The key needs the scope `read` as well. `pin` has six digits drawn; five wrong ones end the link.")
        .takes(object([
            ("subject", subject()),
            ("days?", or_null(between(1, 30, 7))),
            ("downloads?", or_null(between(1, 10, 3))),
            ("pin?", or_null(flag(true))),
        ]))
        .gives(201, data(named("NewLink", made)))
        .fails(&[fails::user, fails::ambiguous, fails::conflict])
}

pub fn list_links() -> Doc {
    cursor(Doc::says("The links that still open, the oldest first."))
        .gives(200, page("Links", object(link_fields())))
}

pub fn get_link() -> Doc {
    Doc::says("A link, without its address.")
        .path("id", text(HANDLE), "The link's id.")
        .gives(200, data(named("Link", object(link_fields()))))
        .fails(&[no_link])
}

pub fn end_link() -> Doc {
    Doc::says("Ends a link: it opens nothing any more.")
        .path("id", text(HANDLE), "The link's id.")
        .gives_nothing(204)
        .fails(&[no_link])
}

fn suppression() -> Value {
    named(
        "Suppression",
        object([
            ("id", text(HANDLE)),
            ("policy", one_of(&["forever", "days"])),
            ("createdAt", time()),
            ("until", or_null(time())),
            ("reason", or_null(text("asked by letter"))),
            ("hits", say(number(0), "Messages that were kept out.")),
        ]),
    )
}

pub fn create() -> Doc {
    let made = || data(suppression());
    Doc::says(
        "Keeps somebody out: nothing that is sent of them is stored. Nothing that is stored leaves by it.",
    )
    .more("201, or 200 if they were kept out already, which is from now on by this policy.")
    .takes(object([
        ("subject", subject()),
        ("policy", say(text("forever"), "`forever`, or `days` with a number of them.")),
        ("days?", or_null(json!({ "type": "integer" }))),
        ("reason?", or_null(text("asked by letter"))),
    ]))
    .gives(201, made())
    .gives(200, made())
    .fails(&[fails::user, fails::ambiguous, fails::conflict])
}

pub fn list_all() -> Doc {
    cursor(Doc::says("The suppressions of the project, in no order that means anything."))
        .query("limit", between(1, 1_000, 50), "So many on a page, 50 unless given.")
        .gives(200, page("Suppressions", suppression()))
}

pub fn check() -> Doc {
    Doc::says("Whether somebody is kept out, and by which suppression.")
        .more("`suppression` is null where a longer one, of which it was an anonymous id, has ended.")
        .takes(object([("subject", subject())]))
        .gives(
            200,
            data(object([
                ("suppressed", flag(true)),
                ("suppression", {
                    // Its own name cannot stand for null, too.
                    let mut one = or_null(suppression());
                    one["title"] = "SuppressionOrNull".into();
                    one
                }),
            ])),
        )
        .fails(&[fails::user, fails::ambiguous, fails::conflict])
}

pub fn end() -> Doc {
    Doc::says("Lets somebody in again; nothing that is erased returns.")
        .path("id", text(HANDLE), "The suppression's id.")
        .gives_nothing(204)
        .fails(&[no_suppression])
}

fn kept() -> Value {
    let hold = object([
        ("since", time()),
        ("until", or_null(time())),
        ("reason", or_null(say(text("court case 12/26"), "Null for keys without the scope admin."))),
    ]);
    named(
        "Kept",
        object([
            ("id", text("42")),
            ("identifier", or_null(text("ann@example.com"))),
            ("state", one_of(&["live", "trash", "detached", "waiting"])),
            ("hold", or_null(hold)),
            ("restriction", or_null(object([("since", time())]))),
        ]),
    )
}

fn of_user(doc: Doc) -> Doc {
    doc.path("id", text("42"), "The user's id.").fails(&[fails::user])
}

pub fn list_holds() -> Doc {
    cursor(Doc::says("Who is held or restricted, the oldest user first."))
        .more("`waiting` is whose 7 days in the trash are over. Keys with the scope `admin` see a hold's reason.")
        .gives(200, page("Holds", kept()))
}

pub fn get_hold() -> Doc {
    of_user(Doc::says("Whether a user is held or restricted: `hold` and `restriction` are null if not."))
        .gives(200, data(kept()))
}

pub fn hold() -> Doc {
    of_user(Doc::says(
        "Puts a user under a legal hold: nothing of them is erased until it ends or is released.",
    ))
    .more("Who is held already is from now on held like this. A date alone is its midnight, UTC.")
    .takes(object([("until?", or_null(text("2027-01-31"))), ("reason?", or_null(text("court case 12/26")))]))
    .gives(200, data(kept()))
    .fails(&[fails::conflict])
}

pub fn release() -> Doc {
    of_user(Doc::says("Releases a hold: erasures that waited for it begin.")).gives_nothing(204)
}

pub fn restrict() -> Doc {
    of_user(Doc::says("Restricts a user: their data is kept and used for nothing else (GDPR Art. 18)."))
        .gives(200, data(kept()))
        .fails(&[fails::conflict])
}

pub fn unrestrict() -> Doc {
    of_user(Doc::says("Ends a restriction.")).gives_nothing(204)
}
