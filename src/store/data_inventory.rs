//! The registry of holdings: for each table and column, whose data it is and what each
//! erasure does to it. Counting, moving and erasing are computed from it, so a table
//! that is not named here is not erased; a test compares it with the schema.

use super::fragments::FragmentCollector;
use super::jobs::Bounds;
use super::row::Row;
use super::value::{Value, params};
use super::{Db, Tx};
use crate::clock::Millis;
use crate::error::Result;
use crate::model::{Erasure, ProjectId, User, UserId};

/// A table and what becomes of its rows.
pub struct Table {
    pub name: &'static str,
    /// What the pages call its rows.
    pub label: &'static str,
    pub subject: Subject,
    /// The column that, within one user's rows, names a row.
    key: &'static str,
    /// The column with the time at which it happened, or how to find that.
    at: &'static str,
    account: ErasureEffect,
    activity: ErasureEffect,
    pub columns: &'static [Column],
}

/// How a row is found to be a user's.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// It is about no user.
    Nobody,
    /// The row of the user itself.
    Itself,
    /// By its `user_id`. Goes with the user.
    User,
    /// By the identifier in `jobs.reference`, and scrubbed when the job ends or the user goes.
    Reference,
    /// By a keyed digest of the identifier; pruned by age.
    Digest,
}

/// What an erasure does to a table's rows. `Everything` takes all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErasureEffect {
    Stays,
    /// The row stays, its columns about the person are emptied.
    Cleared,
    Leaves,
}

pub struct Column {
    pub name: &'static str,
    pub holds: Holds,
}

pub enum Holds {
    /// Numbers, states and times of ours.
    Bookkeeping,
    /// Something of the person: set to this when the account goes.
    Person(&'static str),
    /// Derived from the activity: set to this when the activity goes.
    Statistic(&'static str),
    /// What the user did; goes with its row.
    Activity,
}

use Holds::{Activity, Bookkeeping, Person, Statistic};

const fn column(name: &'static str, holds: Holds) -> Column {
    Column { name, holds }
}

/// A table that is about no user.
const fn ours(name: &'static str, columns: &'static [Column]) -> Table {
    Table {
        name,
        label: name,
        subject: Subject::Nobody,
        key: "",
        at: "",
        account: ErasureEffect::Stays,
        activity: ErasureEffect::Stays,
        columns,
    }
}

/// In the order in which erasing takes them: what refers to a row goes before it.
pub const TABLES: &[Table] = &[
    Table {
        name: "recordings",
        label: "recording chunks",
        subject: Subject::User,
        key: "id",
        // Its session's: the one does not stay without the other.
        at: "(SELECT started_at FROM sessions WHERE sessions.id = recordings.session_id)",
        account: ErasureEffect::Stays,
        activity: ErasureEffect::Leaves,
        columns: &[
            column("id", Bookkeeping),
            column("session_id", Bookkeeping),
            column("user_id", Bookkeeping),
            column("seq", Bookkeeping),
            column("created_at", Activity),
            column("data", Activity),
        ],
    },
    Table {
        name: "events",
        label: "events, interactions and logs",
        subject: Subject::User,
        key: "id",
        at: "at",
        account: ErasureEffect::Stays,
        activity: ErasureEffect::Leaves,
        columns: &[
            column("id", Bookkeeping),
            column("user_id", Bookkeeping),
            column("message_key", Activity),
            column("session_id", Bookkeeping),
            column("kind", Activity),
            column("name", Activity),
            column("at", Activity),
            column("message_id", Activity),
            column("url", Activity),
            column("data", Activity),
        ],
    },
    Table {
        name: "messages",
        label: "messages in conversations",
        subject: Subject::User,
        key: "id",
        // Its interaction's: the one does not stay without the other.
        at: "(SELECT created_at FROM interactions WHERE interactions.id = messages.interaction_id)",
        account: ErasureEffect::Stays,
        activity: ErasureEffect::Leaves,
        columns: &[
            column("id", Bookkeeping),
            column("handle", Activity),
            column("interaction_id", Bookkeeping),
            column("user_id", Bookkeeping),
            column("parent", Activity),
            column("depth", Activity),
            column("content", Activity),
            column("created_at", Activity),
        ],
    },
    Table {
        name: "interactions",
        label: "conversations with agents",
        subject: Subject::User,
        key: "id",
        at: "created_at",
        account: ErasureEffect::Stays,
        activity: ErasureEffect::Leaves,
        columns: &[
            column("id", Bookkeeping),
            column("handle", Activity),
            column("user_id", Bookkeeping),
            column("agent_id", Activity),
            column("name", Activity),
            column("message_count", Activity),
            column("created_at", Activity),
            column("updated_at", Activity),
            column("deleted", Bookkeeping),
        ],
    },
    Table {
        name: "sessions",
        label: "sessions",
        subject: Subject::User,
        key: "id",
        at: "started_at",
        account: ErasureEffect::Stays,
        activity: ErasureEffect::Leaves,
        columns: &[
            column("id", Bookkeeping),
            column("project_id", Bookkeeping),
            column("user_id", Bookkeeping),
            column("external_id", Activity),
            column("started_at", Activity),
            column("ended_at", Activity),
            column("event_count", Activity),
            column("page_count", Activity),
            column("error_count", Activity),
            column("os", Activity),
            column("browser", Activity),
            column("device", Activity),
            column("country", Activity),
            column("recording_type", Activity),
            column("recording_bytes", Activity),
            column("opened_by", Bookkeeping),
        ],
    },
    Table {
        name: "aliases",
        label: "anonymous ids",
        subject: Subject::User,
        key: "anonymous_id",
        at: "created_at",
        account: ErasureEffect::Leaves,
        activity: ErasureEffect::Stays,
        columns: &[
            column("anonymous_id", Person("")),
            column("visited_at", Statistic("NULL")),
            column("project_id", Bookkeeping),
            column("user_id", Bookkeeping),
            column("created_at", Bookkeeping),
            column("is_trusted", Bookkeeping),
            column("is_shared", Bookkeeping),
        ],
    },
    Table {
        name: "freed_aliases",
        label: "anonymous ids",
        subject: Subject::User,
        key: "anonymous_id",
        at: "created_at",
        account: ErasureEffect::Leaves,
        activity: ErasureEffect::Stays,
        columns: &[
            column("anonymous_id", Person("")),
            column("visited_at", Statistic("NULL")),
            column("project_id", Bookkeeping),
            column("user_id", Bookkeeping),
            column("created_at", Bookkeeping),
            column("is_trusted", Bookkeeping),
            column("is_shared", Bookkeeping),
        ],
    },
    Table {
        name: "merged_visitors",
        label: "visitors merged into the user",
        subject: Subject::User,
        key: "incarnation",
        at: "merged_at",
        account: ErasureEffect::Stays,
        activity: ErasureEffect::Stays,
        columns: &[
            column("incarnation", Bookkeeping),
            column("user_id", Bookkeeping),
            column("merged_at", Bookkeeping),
        ],
    },
    Table {
        name: "export_links",
        label: "links to download the data",
        subject: Subject::User,
        key: "id",
        at: "created_at",
        account: ErasureEffect::Leaves,
        activity: ErasureEffect::Stays,
        columns: &[
            column("id", Bookkeeping),
            column("handle", Bookkeeping),
            column("user_id", Bookkeeping),
            column("project_id", Bookkeeping),
            column("hash", Bookkeeping),
            column("pin", Bookkeeping),
            column("created_at", Bookkeeping),
            column("expires_at", Bookkeeping),
            column("downloads_left", Bookkeeping),
            column("tries_left", Bookkeeping),
        ],
    },
    Table {
        name: "holds",
        label: "legal holds",
        subject: Subject::User,
        key: "id",
        at: "created_at",
        account: ErasureEffect::Leaves,
        activity: ErasureEffect::Stays,
        columns: &[
            column("id", Bookkeeping),
            column("user_id", Bookkeeping),
            column("project_id", Bookkeeping),
            column("created_at", Bookkeeping),
            column("until", Bookkeeping),
            column("reason", Person("NULL")),
        ],
    },
    Table {
        name: "users",
        label: "profile",
        subject: Subject::Itself,
        key: "id",
        at: "created_at",
        account: ErasureEffect::Cleared,
        activity: ErasureEffect::Stays,
        columns: &[
            column("id", Bookkeeping),
            column("project_id", Bookkeeping),
            column("incarnation", Bookkeeping),
            column("state", Bookkeeping),
            column("identifier", Person("NULL")),
            column("email", Person("NULL")),
            column("first_name", Person("NULL")),
            column("last_name", Person("NULL")),
            column("display_name", Person("NULL")),
            column("avatar_url", Person("NULL")),
            column("country", Person("NULL")),
            column("city", Person("NULL")),
            column("claimed_email", Person("NULL")),
            column("live_mode", Person("1")),
            column("attributes", Person("'{}'")),
            column("extra", Person("'{}'")),
            column("created_at", Bookkeeping),
            column("updated_at", Bookkeeping),
            column("first_seen", Statistic("NULL")),
            column("last_seen", Statistic("NULL")),
            column("session_count", Statistic("0")),
            column("event_count", Statistic("0")),
            column("deleted_at", Bookkeeping),
            column("hidden_ground", Bookkeeping),
            column("activity_erased_at", Bookkeeping),
            column("merged_into", Bookkeeping),
            column("freed_at", Bookkeeping),
            column("freed_identifier", Person("NULL")),
            column("hidden_as", Bookkeeping),
            column("restricted_at", Bookkeeping),
        ],
    },
    Table {
        name: "jobs",
        label: "jobs that name the user",
        subject: Subject::Reference,
        key: "id",
        at: "created_at",
        account: ErasureEffect::Cleared,
        activity: ErasureEffect::Stays,
        columns: &[
            column("id", Bookkeeping),
            column("project_id", Bookkeeping),
            column("erasure", Bookkeeping),
            column("origin", Bookkeeping),
            column("ground", Bookkeeping),
            column("status", Bookkeeping),
            column("reference", Person("'erased:…'")),
            column("step", Bookkeeping),
            column("receipt", Bookkeeping),
            column("subject", Bookkeeping),
            column("pseudonym", Bookkeeping),
            column("user_id", Bookkeeping),
            column("cutoff", Bookkeeping),
            column("created_at", Bookkeeping),
            column("updated_at", Bookkeeping),
            column("start_at", Bookkeeping),
            column("finished_at", Bookkeeping),
            column("attempts", Bookkeeping),
            column("retry_at", Bookkeeping),
            column("error", Bookkeeping),
            column("rows_total", Bookkeeping),
            column("rows_erased", Bookkeeping),
            column("counts", Bookkeeping),
            column("begun_at", Bookkeeping),
            column("erased_at", Bookkeeping),
            column("scrubbed_at", Bookkeeping),
            column("mentions", Bookkeeping),
            column("receipt_no", Bookkeeping),
            column("bound_at", Bookkeeping),
            column("bound_user", Bookkeeping),
            column("number", Bookkeeping),
            column("receipt_number", Bookkeeping),
            column("came_at", Bookkeeping),
            column("bounds", Bookkeeping),
            column("later", Bookkeeping),
        ],
    },
    Table {
        name: "erased_identifiers",
        label: "digests of erased identifiers",
        subject: Subject::Digest,
        key: "digest",
        at: "erased_at",
        account: ErasureEffect::Stays,
        activity: ErasureEffect::Stays,
        columns: &[
            column("project_id", Bookkeeping),
            column("digest", Bookkeeping),
            column("erased_at", Bookkeeping),
        ],
    },
    Table {
        name: "suppressions",
        label: "digests of names that are kept out",
        subject: Subject::Digest,
        key: "digest",
        at: "created_at",
        account: ErasureEffect::Stays,
        activity: ErasureEffect::Stays,
        columns: &[
            column("project_id", Bookkeeping),
            column("digest", Bookkeeping),
            column("subject", Bookkeeping),
            column("created_at", Bookkeeping),
            column("until", Bookkeeping),
            column("hits", Bookkeeping),
            column("source", Bookkeeping),
            column("handle", Bookkeeping),
            column("reason", Bookkeeping),
        ],
    },
    // No name is in them: a digest stays as long as the suppression of which it is.
    ours(
        "regulation_subjects",
        &[
            column("regulation_id", Bookkeeping),
            column("place", Bookkeeping),
            column("project_id", Bookkeeping),
            column("job_id", Bookkeeping),
            column("digest", Bookkeeping),
            column("stand_in", Bookkeeping),
        ],
    ),
    ours(
        "regulations",
        &[
            column("id", Bookkeeping),
            column("handle", Bookkeeping),
            column("project_id", Bookkeeping),
            column("kind", Bookkeeping),
            column("is_single", Bookkeeping),
            column("created_at", Bookkeeping),
            column("withdrawn_at", Bookkeeping),
        ],
    ),
    ours(
        "ledger_mark",
        &[
            column("one", Bookkeeping),
            column("ledger", Bookkeeping),
            column("seq", Bookkeeping),
            column("head", Bookkeeping),
            column("offset", Bookkeeping),
            column("secret", Bookkeeping),
        ],
    ),
    ours(
        "wal_mark",
        &[column("one", Bookkeeping), column("before", Bookkeeping), column("now", Bookkeeping)],
    ),
    ours(
        "audit",
        &[
            column("seq", Bookkeeping),
            column("at", Bookkeeping),
            column("actor", Bookkeeping),
            column("action", Bookkeeping),
            column("subject", Bookkeeping),
            column("project_id", Bookkeeping),
            column("job_id", Bookkeeping),
            column("reason", Bookkeeping),
            column("request_id", Bookkeeping),
            column("hash", Bookkeeping),
        ],
    ),
    ours(
        "audit_heads",
        &[
            column("seq", Bookkeeping),
            column("hash", Bookkeeping),
            column("at", Bookkeeping),
            column("signature", Bookkeeping),
        ],
    ),
    ours(
        "api_reads",
        &[column("key_id", Bookkeeping), column("day", Bookkeeping), column("reads", Bookkeeping)],
    ),
    ours(
        "repairs",
        &[
            column("project_id", Bookkeeping),
            column("day", Bookkeeping),
            column("key_id", Bookkeeping),
            column("outcome", Bookkeeping),
            column("reason", Bookkeeping),
            column("count", Bookkeeping),
        ],
    ),
    ours(
        "recent_repairs",
        &[
            column("id", Bookkeeping),
            column("project_id", Bookkeeping),
            column("at", Bookkeeping),
            column("key_id", Bookkeeping),
            column("outcome", Bookkeeping),
            column("reason", Bookkeeping),
            column("field", Bookkeeping),
        ],
    ),
    ours("visitor_salts", &[column("day", Bookkeeping), column("salt", Bookkeeping)]),
    ours(
        "sign_of_life",
        &[
            column("one", Bookkeeping),
            column("at", Bookkeeping),
            column("waited", Bookkeeping),
            column("waited_wall", Bookkeeping),
        ],
    ),
    ours("upkeep", &[column("task", Bookkeeping), column("done_at", Bookkeeping)]),
    ours(
        "needles",
        &[
            column("job_id", Bookkeeping),
            column("word", Bookkeeping),
            column("digest", Bookkeeping),
            column("length", Bookkeeping),
        ],
    ),
    ours(
        "mention_needles",
        &[
            column("job_id", Bookkeeping),
            column("word", Bookkeeping),
            column("digest", Bookkeeping),
            column("length", Bookkeeping),
        ],
    ),
    ours("sequences", &[column("name", Bookkeeping), column("value", Bookkeeping)]),
    ours(
        "projects",
        &[
            column("id", Bookkeeping),
            column("name", Bookkeeping),
            column("key", Bookkeeping),
            column("ingest_token", Bookkeeping),
            column("platform", Bookkeeping),
            column("created_at", Bookkeeping),
            column("first_event_at", Bookkeeping),
            column("late_events", Bookkeeping),
            column("public_writes", Bookkeeping),
            column("people_per_address", Bookkeeping),
            column("people_per_hour", Bookkeeping),
            column("placeholders", Bookkeeping),
            column("erased_kept_days", Bookkeeping),
            column("erased_kept_why", Bookkeeping),
            column("proficient_client_secret", Bookkeeping),
            column("origins", Bookkeeping),
            column("refused_origins", Bookkeeping),
            column("token_used_at", Bookkeeping),
            column("deleted_at", Bookkeeping),
            column("deleted_by", Bookkeeping),
            column("deleted_ground", Bookkeeping),
            column("emptied_at", Bookkeeping),
        ],
    ),
    ours(
        "api_keys",
        &[
            column("id", Bookkeeping),
            column("project_id", Bookkeeping),
            column("name", Bookkeeping),
            column("hint", Bookkeeping),
            column("hash", Bookkeeping),
            column("scopes", Bookkeeping),
            column("created_at", Bookkeeping),
            column("last_used_at", Bookkeeping),
            column("revoked_at", Bookkeeping),
            column("is_public", Bookkeeping),
            column("browser_at", Bookkeeping),
            column("expires_at", Bookkeeping),
            column("addresses", Bookkeeping),
            column("refused_addresses", Bookkeeping),
        ],
    ),
    ours(
        "old_secrets",
        &[
            column("hash", Bookkeeping),
            column("key_id", Bookkeeping),
            column("project_id", Bookkeeping),
            column("hint", Bookkeeping),
            column("replaced_at", Bookkeeping),
            column("ends_at", Bookkeeping),
            column("last_used_at", Bookkeeping),
        ],
    ),
    ours(
        "admins",
        &[
            column("id", Bookkeeping),
            column("name", Bookkeeping),
            column("password_hash", Bookkeeping),
            column("created_at", Bookkeeping),
            column("role", Bookkeeping),
            column("all_projects", Bookkeeping),
            column("signed_in_at", Bookkeeping),
        ],
    ),
    ours("admin_projects", &[column("admin_id", Bookkeeping), column("project_id", Bookkeeping)]),
    ours(
        "admin_links",
        &[column("admin_id", Bookkeeping), column("hash", Bookkeeping), column("expires_at", Bookkeeping)],
    ),
    ours(
        "admin_sessions",
        &[
            column("hash", Bookkeeping),
            column("admin_id", Bookkeeping),
            column("created_at", Bookkeeping),
            column("expires_at", Bookkeeping),
            column("seen_at", Bookkeeping),
            column("address", Bookkeeping),
            column("browser", Bookkeeping),
        ],
    ),
    ours(
        "second_factors",
        &[
            column("admin_id", Bookkeeping),
            column("secret", Bookkeeping),
            column("created_at", Bookkeeping),
            column("confirmed_at", Bookkeeping),
            column("last_step", Bookkeeping),
        ],
    ),
    ours("sign_in_rules", &[column("one", Bookkeeping), column("is_second_factor_needed", Bookkeeping)]),
    ours("recovery_codes", &[column("admin_id", Bookkeeping), column("digest", Bookkeeping)]),
    ours(
        "imports",
        &[
            column("id", Bookkeeping),
            column("project_id", Bookkeeping),
            column("source", Bookkeeping),
            column("size", Bookkeeping),
            column("digest", Bookkeeping),
            column("status", Bookkeeping),
            column("record", Bookkeeping),
            column("byte_offset", Bookkeeping),
            column("counts", Bookkeeping),
            column("faults", Bookkeeping),
            column("again", Bookkeeping),
            column("created_at", Bookkeeping),
            column("updated_at", Bookkeeping),
            column("finished_at", Bookkeeping),
        ],
    ),
];

impl Table {
    /// What `erasure` does to this table's rows of a user.
    pub fn fate(&self, erasure: Erasure) -> ErasureEffect {
        match (self.subject, erasure) {
            (Subject::Nobody | Subject::Digest, _) | (_, Erasure::Hide) => ErasureEffect::Stays,
            (Subject::Reference, Erasure::Everything) => ErasureEffect::Cleared,
            (_, Erasure::Everything) => ErasureEffect::Leaves,
            (_, Erasure::Account) => self.account,
            (_, Erasure::Activity) => self.activity,
        }
    }

    /// The column that holds the user's id.
    fn owner(&self) -> &'static str {
        if self.subject == Subject::Itself { "id" } else { "user_id" }
    }
}

/// The tables whose rows hang on a user's id, in erasing order.
fn of_users() -> impl Iterator<Item = &'static Table> {
    TABLES.iter().filter(|table| matches!(table.subject, Subject::User | Subject::Itself))
}

/// Rows of one table about one user.
#[derive(Debug, Clone)]
pub struct Held {
    pub table: &'static str,
    pub label: &'static str,
    pub rows: i64,
}

/// What is held about a user: a count per table. Reads an index entry per row.
/// `members` are the user itself and those whose rows are still moving to it.
pub fn inventory(db: &Db, user: &User, members: &[UserId]) -> Result<Vec<Held>> {
    let mut held: Vec<Held> = Vec::new();
    for table in TABLES {
        let mut rows = 0;
        match table.subject {
            Subject::User => {
                let sql = format!("SELECT COUNT(*) FROM {} WHERE user_id = ?1", table.name);
                for member in members {
                    rows += db.row(&sql, params![member.0], |row| row.get(0))?.unwrap_or(0);
                }
            }
            Subject::Itself => rows = i64::try_from(members.len()).unwrap_or(i64::MAX),
            Subject::Reference => {
                let sql = "SELECT COUNT(*) FROM jobs WHERE reference = ?1 AND project_id = ?2";
                let named = params![user.identifier, user.project.0];
                rows = db.row(sql, named, |row| row.get(0))?.unwrap_or(0);
            }
            Subject::Nobody | Subject::Digest => continue,
        }
        // Those of a user who waits are anonymous ids like others.
        match held.last_mut() {
            Some(last) if last.label == table.label => last.rows += rows,
            _ => held.push(Held { table: table.name, label: table.label, rows }),
        }
    }
    Ok(held)
}

/// Tables whose rows have no number are told by their time, and are not in it.
pub fn bounds(db: &Db, members: &[UserId]) -> Result<Bounds> {
    let mut bounds = Bounds::new();
    for table in of_users().filter(|table| table.key == "id" && table.subject == Subject::User) {
        let sql = format!("SELECT max(id) FROM {} WHERE user_id = ?1", table.name);
        let mut last = 0;
        for member in members {
            last = last.max(
                db.row(&sql, params![member.0], |row| row.get::<Option<i64>>(0))?.flatten().unwrap_or(0),
            );
        }
        bounds.insert(table.name.to_owned(), last);
    }
    Ok(bounds)
}

/// The last row of each table about users that there is now. What has a higher number came later.
pub fn ends(db: &Db) -> Result<Bounds> {
    let mut ends = Bounds::new();
    for table in of_users().filter(|table| table.key == "id") {
        let last = db.row(&format!("SELECT max(id) FROM {}", table.name), params![], |row| {
            Ok(row.get::<Option<i64>>(0)?.unwrap_or(0))
        })?;
        ends.insert(table.name.to_owned(), last.unwrap_or(0));
    }
    Ok(ends)
}

/// Columns that say what somebody is called.
const NAMES: [&str; 5] = ["anonymous_id", "identifier", "email", "claimed_email", "display_name"];

/// Hands over the texts in the rows of a project's people, of whom the numbers are in a range:
/// what they are called, and what they did. Not recordings.
pub fn each_text(
    db: &Db,
    project: ProjectId,
    people: std::ops::Range<i64>,
    mut see: impl FnMut(UserId, &str) -> Result<()>,
) -> Result<()> {
    for table in of_users().filter(|table| table.name != "recordings") {
        let theirs = table.columns.iter().filter(|column| matches!(column.holds, Person(_) | Activity));
        let columns: Vec<&str> = theirs.map(|column| column.name).collect();
        if columns.is_empty() {
            continue;
        }
        let (name, owner, all) = (table.name, table.owner(), columns.join(", "));
        let sql = format!(
            "SELECT {owner}, {all} FROM {name} WHERE {owner} IN
                 (SELECT id FROM users WHERE id >= ?1 AND id < ?2 AND project_id = ?3 AND state <> 'erasing')"
        );
        db.each(&sql, params![people.start, people.end, project.0], |row| {
            let user = UserId(row.get(0)?);
            texts(row, columns.len(), |text| see(user, text))
        })?;
    }
    Ok(())
}

/// What was taken of one table.
pub struct Taken {
    pub table: &'static str,
    pub rows: i64,
    /// Those of them that are beyond the bounds.
    pub later: i64,
}

/// Takes up to `limit` rows that `erasure` makes leave, of one table and one of the members,
/// the first that has any; `gather` sees what was in them. `cutoff` spares what is later.
/// None means that none is left.
///
/// Table by table, not member by member: while a merge goes on, a row of one member may refer
/// to a row of another.
pub fn take(
    tx: &Tx,
    members: &[UserId],
    erasure: Erasure,
    cutoff: Option<Millis>,
    limit: i64,
    collector: &mut FragmentCollector,
    bounds: Option<&Bounds>,
) -> Result<Option<Taken>> {
    for table in of_users().filter(|table| table.fate(erasure) == ErasureEffect::Leaves) {
        let Table { name, key, at, .. } = table;
        let owner = table.owner();
        // No order is asked for: SQLite walks the index of the user's rows, by time where
        // there is one, and rows that are near in time share pages. With the plus it finds
        // the rows by their keys; else it walks all of the user's once more for each chunk.
        let some = format!(
            "+{owner} = ?1 AND {key} IN (SELECT {key} FROM {name} WHERE {owner} = ?1 AND {at} <= ?2 LIMIT ?3)"
        );
        for member in members {
            let until = cutoff.unwrap_or(Millis::MAX);
            let values = params![member.0, until, limit];
            if !collector.is_full() {
                see(tx, table, &some, values, collector)?;
            }
            let bound = bounds.filter(|_| key == &"id" && table.subject == Subject::User);
            let later = match bound {
                Some(bounds) => {
                    let bound = bounds.get(*name).copied().unwrap_or(0);
                    let sql = format!("SELECT COUNT(*) FROM {name} WHERE {some} AND {key} > ?4");
                    let values = params![member.0, until, limit, bound];
                    tx.row(&sql, values, |row| row.get(0))?.unwrap_or(0)
                }
                None => 0,
            };
            let taken = tx.execute(&format!("DELETE FROM {name} WHERE {some}"), values)?;
            if taken > 0 {
                return Ok(Some(Taken {
                    table: name,
                    rows: i64::try_from(taken).unwrap_or(i64::MAX),
                    later,
                }));
            }
        }
    }
    Ok(None)
}

/// Shows what rows of a table hold of the person and of what it did.
fn see(
    tx: &Tx,
    table: &Table,
    some: &str,
    values: &[Value],
    collector: &mut FragmentCollector,
) -> Result<()> {
    let theirs = table.columns.iter().filter(|column| matches!(column.holds, Person(_) | Activity));
    let columns: Vec<&str> = theirs.map(|column| column.name).collect();
    if columns.is_empty() {
        return Ok(());
    }
    let sql = format!("SELECT {} FROM {} WHERE {some}", columns.join(", "), table.name);
    tx.each(&sql, values, |row| (0..columns.len()).try_for_each(|n| collector.see(row.value(n)?)))
}

/// Shows what the user's rows hold of the person.
pub fn see_person(tx: &Tx, user: UserId, collector: &mut FragmentCollector) -> Result<()> {
    for table in of_users().filter(|table| table.account != ErasureEffect::Stays) {
        see(tx, table, &format!("{} = ?1", table.owner()), params![user.0], collector)?;
    }
    Ok(())
}

/// Hands over what a user is called, in any of its rows.
pub fn each_name(tx: &Tx, user: UserId, mut see: impl FnMut(&str) -> Result<()>) -> Result<()> {
    for table in of_users() {
        let names = table.columns.iter().map(|column| column.name).filter(|name| NAMES.contains(name));
        let columns: Vec<&str> = names.collect();
        if columns.is_empty() {
            continue;
        }
        let (name, owner) = (table.name, table.owner());
        let sql = format!("SELECT {owner}, {} FROM {name} WHERE {owner} = ?1", columns.join(", "));
        tx.each(&sql, params![user.0], |row| texts(row, columns.len(), &mut see))?;
    }
    Ok(())
}

/// Whether a user has rows left that `erasure` makes leave, or columns that it empties.
pub fn any_left(db: &Db, user: UserId, erasure: Erasure, cutoff: Option<Millis>) -> Result<bool> {
    for table in of_users() {
        let Table { name, at, .. } = table;
        let owner = table.owner();
        let wanted = match table.fate(erasure) {
            ErasureEffect::Stays => continue,
            ErasureEffect::Leaves => format!("{owner} = ?1 AND {at} <= ?2"),
            ErasureEffect::Cleared => {
                let kept = table.columns.iter().filter_map(|column| match column.holds {
                    Person(cleared) => Some(format!("{} IS NOT {cleared}", column.name)),
                    _ => None,
                });
                let kept: Vec<String> = kept.collect();
                format!("{owner} = ?1 AND ?2 = ?2 AND ({})", kept.join(" OR "))
            }
        };
        let sql = format!("SELECT 1 FROM {name} WHERE {wanted} LIMIT 1");
        if db.row(&sql, params![user.0, cutoff.unwrap_or(Millis::MAX)], |_| Ok(()))?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Empties every column about the person in the user's own row.
pub fn clear_person(tx: &Tx, user: UserId) -> Result<()> {
    let own = of_users().filter(|table| table.subject == Subject::Itself);
    set_columns(tx, user, own, |holds| match holds {
        Person(cleared) => Some(cleared),
        _ => None,
    })
}

/// Sets every figure that is derived from the activity to none.
pub fn reset_statistics(tx: &Tx, user: UserId) -> Result<()> {
    set_columns(tx, user, of_users(), |holds| match holds {
        Statistic(reset) => Some(reset),
        _ => None,
    })
}

fn set_columns(
    tx: &Tx,
    user: UserId,
    tables: impl Iterator<Item = &'static Table>,
    value: impl Fn(&Holds) -> Option<&'static str>,
) -> Result<()> {
    for table in tables {
        let sets: Vec<String> = table
            .columns
            .iter()
            .filter_map(|column| Some(format!("{} = {}", column.name, value(&column.holds)?)))
            .collect();
        if sets.is_empty() {
            continue;
        }
        let sql = format!("UPDATE {} SET {} WHERE {} = ?1", table.name, sets.join(", "), table.owner());
        tx.execute(&sql, params![user.0])?;
    }
    Ok(())
}

/// Gives up to `limit` rows of one table from one user to another, the first table that
/// has any. Returns how many; 0 means that all have moved.
pub fn rehome(tx: &Tx, from: UserId, to: UserId, limit: i64) -> Result<i64> {
    for table in of_users().filter(|table| table.subject == Subject::User) {
        let Table { name, key, .. } = table;
        let moved = tx.execute(
            &format!(
                "UPDATE {name} SET user_id = ?2 WHERE +user_id = ?1 AND {key} IN
                 (SELECT {key} FROM {name} WHERE user_id = ?1 ORDER BY {key} LIMIT ?3)"
            ),
            params![from.0, to.0, limit],
        )?;
        if moved > 0 {
            return Ok(i64::try_from(moved).unwrap_or(i64::MAX));
        }
    }
    Ok(0)
}

/// Hands over a row's texts.
pub(super) fn texts(row: &Row, columns: usize, mut see: impl FnMut(&str) -> Result<()>) -> Result<()> {
    for n in 1..=columns {
        if let Value::Text(text) = row.value(n)? {
            see(&text)?;
        }
    }
    Ok(())
}
