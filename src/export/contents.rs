//! Where each column of a person's rows stands in an export, or why it stands in none. A test holds it
//! against the data inventory: a kind of data that nobody has thought of here fails it.

use crate::store::data_inventory::{Subject, TABLES, Table};

/// Where a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In this field of the lines of the table.
    Field(&'static str),
    /// In the file `requests.json` of the pack.
    Requests,
    /// Nowhere, and why.
    LeftOut(&'static str),
}

use Place::{Field, LeftOut, Requests};

/// A table, what the file calls its lines, and its columns.
pub struct Part {
    pub table: &'static str,
    pub lines: &'static str,
    pub columns: &'static [(&'static str, Place)],
}

const NUMBER: Place = LeftOut("a number of this installation");
const NESTED: Place = LeftOut("says whose row it is, which the line's own fields do");
const INTERNAL: Place = LeftOut("bookkeeping of this installation, with nothing of the person in it");
const FREED: Place =
    LeftOut("of a person whose 7 days in the trash are over: they can be given nothing any more");

const HOLD: Place = LeftOut(
    "of a legal hold: notes on a claim, about which the person who handles the request decides (GDPR Art. 15(4), 23(1)(j))",
);

pub const PARTS: &[Part] = &[
    Part {
        table: "users",
        lines: "user",
        columns: &[
            ("id", NUMBER),
            ("project_id", NESTED),
            ("incarnation", INTERNAL),
            ("state", LeftOut("trashedAt says it")),
            ("identifier", Field("userId")),
            ("email", Field("email")),
            ("first_name", Field("firstName")),
            ("last_name", Field("lastName")),
            ("display_name", Field("displayName")),
            ("avatar_url", Field("avatarUrl")),
            ("country", Field("country")),
            ("city", Field("city")),
            ("claimed_email", Field("claimedEmail")),
            ("live_mode", Field("liveMode")),
            ("attributes", Field("traits")),
            ("extra", Field("extra")),
            ("created_at", Field("createdAt")),
            ("updated_at", Field("updatedAt")),
            ("first_seen", Field("firstSeen")),
            ("last_seen", Field("lastSeen")),
            ("session_count", Field("sessionCount")),
            ("event_count", Field("eventCount")),
            ("deleted_at", Field("trashedAt")),
            ("hidden_ground", INTERNAL),
            ("activity_erased_at", Field("activityErasedAt")),
            ("merged_into", INTERNAL),
            ("freed_at", FREED),
            ("freed_identifier", FREED),
            ("hidden_as", INTERNAL),
            ("restricted_at", INTERNAL),
        ],
    },
    Part {
        table: "aliases",
        lines: "alias",
        columns: &[
            ("anonymous_id", Field("alias")),
            ("visited_at", LeftOut("the time of the last event under it, which stands with that event")),
            ("project_id", NESTED),
            ("user_id", NESTED),
            ("created_at", Field("createdAt")),
            ("is_trusted", Field("trusted")),
            ("is_shared", Field("shared")),
        ],
    },
    Part {
        table: "freed_aliases",
        lines: "alias",
        columns: &[
            ("anonymous_id", FREED),
            ("visited_at", FREED),
            ("project_id", FREED),
            ("user_id", FREED),
            ("created_at", FREED),
            ("is_trusted", FREED),
            ("is_shared", FREED),
        ],
    },
    Part {
        table: "holds",
        lines: "",
        columns: &[
            ("id", NUMBER),
            ("user_id", NESTED),
            ("project_id", NESTED),
            ("created_at", HOLD),
            ("until", HOLD),
            ("reason", HOLD),
        ],
    },
    Part {
        table: "merged_visitors",
        lines: "",
        columns: &[("incarnation", INTERNAL), ("user_id", NESTED), ("merged_at", INTERNAL)],
    },
    Part {
        table: "sessions",
        lines: "session",
        columns: &[
            ("id", LeftOut("the name of a session that its client gave none: sessionId")),
            ("project_id", NESTED),
            ("user_id", NESTED),
            ("external_id", Field("sessionId")),
            ("started_at", Field("startedAt")),
            ("ended_at", Field("endedAt")),
            ("event_count", Field("eventCount")),
            ("page_count", Field("pageCount")),
            ("error_count", Field("errorCount")),
            ("os", Field("os")),
            ("browser", Field("browser")),
            ("device", Field("device")),
            ("country", Field("country")),
            ("recording_type", LeftOut("contentType of its recording's lines")),
            ("recording_bytes", LeftOut("the recording itself is there")),
            ("opened_by", INTERNAL),
        ],
    },
    Part {
        table: "recordings",
        lines: "recording",
        columns: &[
            ("id", NUMBER),
            ("session_id", NESTED),
            ("user_id", NESTED),
            ("seq", Field("seq")),
            ("created_at", Field("createdAt")),
            ("data", Field("data")),
        ],
    },
    Part {
        table: "events",
        lines: "track, page, screen, error, interaction, log",
        columns: &[
            ("id", NUMBER),
            ("user_id", NESTED),
            ("message_key", LeftOut("a digest of the message id")),
            ("session_id", Field("sessionId")),
            ("kind", Field("type")),
            ("name", Field("event")),
            ("at", Field("timestamp")),
            ("message_id", Field("messageId")),
            ("url", Field("url")),
            ("data", Field("properties")),
        ],
    },
    Part {
        table: "interactions",
        lines: "conversation",
        columns: &[
            ("id", NUMBER),
            ("handle", Field("conversationId")),
            ("user_id", NESTED),
            ("agent_id", Field("agentId")),
            ("name", Field("name")),
            ("message_count", LeftOut("its messages are there")),
            ("created_at", Field("createdAt")),
            ("updated_at", Field("updatedAt")),
            ("deleted", LeftOut("one that is deleted is there for nobody, and its rows are leaving")),
        ],
    },
    Part {
        table: "messages",
        lines: "message",
        columns: &[
            ("id", NUMBER),
            ("handle", Field("messageId")),
            ("interaction_id", NESTED),
            ("user_id", NESTED),
            ("parent", Field("parentId")),
            ("depth", Field("depth")),
            ("content", Field("content")),
            ("created_at", Field("createdAt")),
        ],
    },
    Part {
        table: "export_links",
        lines: "",
        columns: &[
            ("id", NUMBER),
            ("handle", INTERNAL),
            ("user_id", NESTED),
            ("project_id", NESTED),
            ("hash", LeftOut("a secret")),
            ("pin", LeftOut("a secret")),
            ("created_at", LeftOut("requests.json has it from the audit log")),
            ("expires_at", INTERNAL),
            ("downloads_left", INTERNAL),
            ("tries_left", INTERNAL),
        ],
    },
    Part {
        table: "jobs",
        lines: "",
        columns: &[
            ("id", NUMBER),
            ("project_id", NESTED),
            ("erasure", Requests),
            ("origin", Requests),
            ("ground", Requests),
            ("status", Requests),
            ("reference", LeftOut("the identifier, which stands in the profile")),
            ("step", INTERNAL),
            ("receipt", INTERNAL),
            ("subject", INTERNAL),
            ("pseudonym", INTERNAL),
            ("user_id", INTERNAL),
            ("cutoff", INTERNAL),
            ("created_at", Requests),
            ("updated_at", INTERNAL),
            ("start_at", Requests),
            ("finished_at", Requests),
            ("attempts", INTERNAL),
            ("retry_at", INTERNAL),
            ("error", INTERNAL),
            ("rows_total", INTERNAL),
            ("rows_erased", INTERNAL),
            ("counts", INTERNAL),
            ("begun_at", INTERNAL),
            ("erased_at", INTERNAL),
            ("scrubbed_at", INTERNAL),
            ("mentions", INTERNAL),
            ("receipt_no", INTERNAL),
            ("bound_at", INTERNAL),
            ("bound_user", INTERNAL),
            ("number", Requests),
            ("receipt_number", INTERNAL),
            ("came_at", INTERNAL),
            ("bounds", INTERNAL),
            ("later", INTERNAL),
        ],
    },
    Part {
        table: "suppressions",
        lines: "suppression",
        columns: &[
            ("project_id", NESTED),
            ("digest", LeftOut("a keyed digest of the name, which stands in the line")),
            ("subject", LeftOut("a keyed digest of the name, which stands in the line")),
            ("created_at", Field("createdAt")),
            ("until", Field("until")),
            ("hits", INTERNAL),
            ("source", Field("source")),
            ("handle", INTERNAL),
            ("reason", Field("reason")),
        ],
    },
    Part {
        table: "erased_identifiers",
        lines: "",
        columns: &[
            ("project_id", LeftOut("of names that were erased: a digest says nothing of who is held")),
            ("digest", LeftOut("of names that were erased: a digest says nothing of who is held")),
            ("erased_at", LeftOut("of names that were erased: a digest says nothing of who is held")),
        ],
    },
];

/// Columns of people's tables that no part names, and names of parts that no table has.
pub fn gaps<'t>(tables: impl Iterator<Item = &'t Table>) -> Vec<String> {
    let mut wanted: Vec<String> = Vec::new();
    for table in tables.filter(|table| table.subject != Subject::Nobody) {
        wanted.extend(table.columns.iter().map(|column| format!("{}.{}", table.name, column.name)));
    }
    let mut named: Vec<String> = Vec::new();
    for part in PARTS {
        named.extend(part.columns.iter().map(|(column, _)| format!("{}.{column}", part.table)));
    }
    let missing = wanted.iter().filter(|column| !named.contains(column));
    let strange = named.iter().filter(|column| !wanted.contains(column));
    missing.chain(strange).cloned().collect()
}

/// The same for the inventory as it is.
pub fn all_gaps() -> Vec<String> {
    gaps(TABLES.iter())
}
