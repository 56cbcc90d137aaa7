-- Usher's tables: step 1 of the migrations. A change is a further step in
-- src/store/migrations.rs, never an edit of this file once it was released.
--
-- Times are INTEGER milliseconds since 1970, UTC. Every table and column that holds
-- something of a user is named in src/store/holdings.rs, from which counting,
-- exporting and erasing are derived; a test holds the two together.

-- High-water marks of the numbers that are handed out. A number is never reused,
-- not even after its row is gone, so these outlive the rows.
CREATE TABLE sequences (
    name  TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE projects (
    id             INTEGER PRIMARY KEY,
    name           TEXT NOT NULL UNIQUE,
    -- Names the project in OpenReplay's paths. Not a secret.
    key            TEXT NOT NULL UNIQUE,
    -- In clear, as it is public: it opens ingestion and nothing else.
    ingest_token   TEXT NOT NULL UNIQUE,
    platform       TEXT NOT NULL,
    created_at     INTEGER NOT NULL,
    first_event_at INTEGER,
    -- Events dropped because they were older than an erasure of their user.
    late_events    INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE api_keys (
    id           INTEGER PRIMARY KEY,
    -- NULL: every project of the organisation.
    project_id   INTEGER REFERENCES projects (id),
    name         TEXT NOT NULL,
    hint         TEXT NOT NULL,
    -- SHA-256 of the key; the key itself is shown once and not kept.
    hash         BLOB NOT NULL UNIQUE,
    -- Bits: 1 ingest, 2 read, 4 write, 8 delete, 16 admin.
    scopes       INTEGER NOT NULL,
    created_at   INTEGER NOT NULL,
    last_used_at INTEGER,
    revoked_at   INTEGER
);

-- People who sign in to the pages. Not the app's users.
CREATE TABLE admins (
    id            INTEGER PRIMARY KEY,
    name          TEXT NOT NULL UNIQUE,
    -- argon2id, PHC string.
    password_hash TEXT NOT NULL,
    created_at    INTEGER NOT NULL
);

CREATE TABLE admin_sessions (
    -- SHA-256 of the cookie.
    hash       BLOB PRIMARY KEY,
    admin_id   INTEGER NOT NULL REFERENCES admins (id),
    created_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) WITHOUT ROWID;

-- A row outlives its person in three states: 'detached' (the account was deleted,
-- the activity stays under the bare id), 'erasing' (nobody's any more; its rows are
-- leaving) and 'merged' (its rows are moving to merged_into). In these every column
-- that could name the person is NULL or empty.
CREATE TABLE users (
    -- 63 bits, ordered by time, never reused.
    id                 INTEGER PRIMARY KEY,
    project_id         INTEGER NOT NULL REFERENCES projects (id),
    -- 16 random bytes for each registration: the same identifier, registered again
    -- after an erasure, is another incarnation.
    incarnation        BLOB NOT NULL,
    state              TEXT NOT NULL
                       CHECK (state IN ('live', 'hidden', 'detached', 'erasing', 'merged')),
    -- NULL for an anonymous user, who is found by its aliases.
    identifier         TEXT,
    email              TEXT,
    first_name         TEXT,
    last_name          TEXT,
    display_name       TEXT,
    avatar_url         TEXT,
    country            TEXT,
    city               TEXT,
    live_mode          INTEGER NOT NULL DEFAULT 1,
    -- JSON: free named values.
    attributes         TEXT NOT NULL DEFAULT '{}',
    -- JSON: standard fields that only one API knows.
    extra              TEXT NOT NULL DEFAULT '{}',
    created_at         INTEGER NOT NULL,
    updated_at         INTEGER NOT NULL,
    first_seen         INTEGER,
    last_seen          INTEGER,
    -- Kept by the writer, so that stats cost the same for 4 events and for 4 million.
    session_count      INTEGER NOT NULL DEFAULT 0,
    event_count        INTEGER NOT NULL DEFAULT 0,
    -- Hidden since, and by what right.
    deleted_at         INTEGER,
    hidden_ground      TEXT NOT NULL DEFAULT 'unstated',
    -- Activity up to here is gone or leaving, and nothing older is taken in.
    activity_erased_at INTEGER,
    -- No foreign key: checking one would read the whole table at each deletion.
    merged_into        INTEGER
);

-- Identifiers are NULL from the moment of an erasure, so this is the uniqueness
-- among live and hidden users.
CREATE UNIQUE INDEX users_identifier ON users (identifier, project_id) WHERE identifier IS NOT NULL;
CREATE INDEX users_email ON users (lower(email), project_id) WHERE email IS NOT NULL;
CREATE INDEX users_newest ON users (project_id, id) WHERE state = 'live';
CREATE INDEX users_created ON users (project_id, created_at, id) WHERE state = 'live';
CREATE INDEX users_seen ON users (project_id, last_seen, id) WHERE state = 'live';
CREATE INDEX users_hidden ON users (deleted_at) WHERE state = 'hidden';
CREATE INDEX users_merged ON users (merged_into) WHERE merged_into IS NOT NULL;

-- Anonymous ids of a user. They go with the user, whichever of them is named.
CREATE TABLE aliases (
    anonymous_id TEXT NOT NULL,
    project_id   INTEGER NOT NULL REFERENCES projects (id),
    user_id      INTEGER NOT NULL REFERENCES users (id),
    created_at   INTEGER NOT NULL,
    PRIMARY KEY (anonymous_id, project_id)
) WITHOUT ROWID;

CREATE INDEX aliases_user ON aliases (user_id);

CREATE TABLE sessions (
    -- From the users' generator.
    id              INTEGER PRIMARY KEY,
    project_id      INTEGER NOT NULL REFERENCES projects (id),
    user_id         INTEGER NOT NULL REFERENCES users (id),
    -- The client's own name for it, if it gave one.
    external_id     TEXT,
    started_at      INTEGER NOT NULL,
    ended_at        INTEGER NOT NULL,
    event_count     INTEGER NOT NULL DEFAULT 0,
    page_count      INTEGER NOT NULL DEFAULT 0,
    error_count     INTEGER NOT NULL DEFAULT 0,
    os              TEXT,
    browser         TEXT,
    device          TEXT,
    country         TEXT,
    recording_type  TEXT,
    recording_bytes INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX sessions_timeline ON sessions (user_id, started_at);
-- With the user in it: many users' clients give their sessions the same names.
CREATE INDEX sessions_external ON sessions (external_id, project_id, user_id) WHERE external_id IS NOT NULL;

-- What users did. A table with a rowid: against rows clustered by user it took in
-- three times as many events of 700 bytes and half the space at 1,500, while a user's
-- erasure and timeline stay within milliseconds, through the two indexes.
CREATE TABLE events (
    id          INTEGER PRIMARY KEY,
    user_id     INTEGER NOT NULL REFERENCES users (id),
    -- 8 bytes of a hash of the message's id: a message that is sent again meets its
    -- first copy, with or without a time of its own.
    message_key INTEGER NOT NULL,
    session_id  INTEGER,
    kind        TEXT NOT NULL,
    name        TEXT NOT NULL,
    at          INTEGER NOT NULL,
    message_id  TEXT NOT NULL,
    url         TEXT,
    -- JSON.
    data        TEXT NOT NULL
);

CREATE UNIQUE INDEX events_message ON events (user_id, message_key);
CREATE INDEX events_timeline ON events (user_id, at);

-- Opaque pieces of a session's recording, in the order in which they came.
CREATE TABLE recordings (
    id         INTEGER PRIMARY KEY,
    session_id INTEGER NOT NULL REFERENCES sessions (id),
    user_id    INTEGER NOT NULL REFERENCES users (id),
    seq        INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    data       BLOB NOT NULL
);

CREATE UNIQUE INDEX recordings_session ON recordings (session_id, seq);
CREATE INDEX recordings_user ON recordings (user_id);

-- Registrations of visitors that were merged into a user: their rows are gone, but a file
-- from before the merge has them still, so they are erased and hidden with the user.
CREATE TABLE merged_visitors (
    incarnation BLOB PRIMARY KEY,
    user_id     INTEGER NOT NULL REFERENCES users (id),
    merged_at   INTEGER NOT NULL
) WITHOUT ROWID;

CREATE INDEX merged_visitors_user ON merged_visitors (user_id);

-- Erasures that are asked for, under way, or done.
CREATE TABLE jobs (
    id           INTEGER PRIMARY KEY,
    project_id   INTEGER NOT NULL REFERENCES projects (id),
    erasure      TEXT NOT NULL CHECK (erasure IN ('account', 'activity', 'everything')),
    origin       TEXT NOT NULL CHECK (origin IN ('schedule', 'request', 'page', 'reaper', 'ledger')),
    status       TEXT NOT NULL
                 CHECK (status IN ('scheduled', 'running', 'completed', 'failed', 'cancelled')),
    -- By what right it was asked for, as whoever asked said.
    ground       TEXT NOT NULL DEFAULT 'unstated',
    -- The identifier it was asked for; 'erased:<12 hex>' once nothing needs it.
    reference    TEXT NOT NULL,
    -- Where a running job stands: rows leave, pages are scrubbed, bytes are searched.
    step         TEXT CHECK (step IN ('erasing', 'scrubbing', 'verifying')),
    -- Random: names its receipt, and, as the ledger has it, the request of a scheduled one.
    receipt      BLOB NOT NULL UNIQUE,
    -- SHA-256 of a salt and the user's name: whoever was given the salt can show that the
    -- receipt is theirs. The salt is not kept.
    subject      BLOB,
    -- Keyed digest of the registration, as in the audit log.
    pseudonym    BLOB,
    -- Whose rows it takes, from its beginning to its end. No foreign key: the row goes.
    user_id      INTEGER,
    cutoff       INTEGER,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL,
    start_at     INTEGER NOT NULL,
    finished_at  INTEGER,
    attempts     INTEGER NOT NULL DEFAULT 0,
    retry_at     INTEGER,
    error        TEXT,
    rows_total   INTEGER NOT NULL DEFAULT 0,
    rows_erased  INTEGER NOT NULL DEFAULT 0,
    -- JSON: rows taken, by table.
    counts       TEXT NOT NULL DEFAULT '{}',
    begun_at     INTEGER,
    erased_at    INTEGER,
    scrubbed_at  INTEGER,
    -- Of the person's values that were found in rows of others, and left.
    mentions     INTEGER NOT NULL DEFAULT 0,
    -- The receipt's place among the receipts.
    receipt_no   INTEGER
);

CREATE INDEX jobs_scheduled ON jobs (start_at) WHERE status = 'scheduled';
CREATE INDEX jobs_running ON jobs (step, updated_at) WHERE status = 'running';
CREATE INDEX jobs_failed ON jobs (id) WHERE status = 'failed';
CREATE INDEX jobs_user ON jobs (user_id) WHERE user_id IS NOT NULL;
CREATE INDEX jobs_project ON jobs (project_id, id);
CREATE INDEX jobs_reference ON jobs (reference, project_id);

-- How far this database has seen the ledger of erasures beside it: one row.
CREATE TABLE ledger_mark (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    ledger BLOB NOT NULL,
    seq    INTEGER NOT NULL,
    head   BLOB NOT NULL,
    offset INTEGER NOT NULL,
    -- A keyed digest of the ledger's id: with another secret nobody would be found in it.
    secret BLOB NOT NULL
);

-- Ties a WAL to the file that it was written beside: one row, see src/store/wal_mark.rs.
CREATE TABLE wal_mark (
    one    INTEGER PRIMARY KEY CHECK (one = 1),
    before BLOB NOT NULL,
    now    BLOB NOT NULL
);

-- Who did what to whom. Each row has a hash over the hash of the row before it and its own
-- content. A subject is a keyed pseudonym of a registration.
CREATE TABLE audit (
    seq        INTEGER PRIMARY KEY,
    at         INTEGER NOT NULL,
    actor      TEXT NOT NULL,
    action     TEXT NOT NULL,
    subject    BLOB,
    project_id INTEGER,
    job_id     INTEGER,
    reason     TEXT,
    request_id TEXT,
    hash       BLOB NOT NULL
);

-- The audit log's end, signed from time to time.
CREATE TABLE audit_heads (
    seq       INTEGER PRIMARY KEY,
    hash      BLOB NOT NULL,
    at        INTEGER NOT NULL,
    signature BLOB NOT NULL
);

-- Reads over the API, counted per key and day: in memory, and written each minute and at a
-- clean stop. A kill loses the last minute of them.
CREATE TABLE api_reads (
    key_id INTEGER NOT NULL,
    day    INTEGER NOT NULL,
    reads  INTEGER NOT NULL,
    PRIMARY KEY (key_id, day)
) WITHOUT ROWID;

-- When work that comes round was done last.
CREATE TABLE upkeep (
    task    TEXT PRIMARY KEY,
    done_at INTEGER NOT NULL
) WITHOUT ROWID;

-- What is searched for in the files before a job is completed, and once more within a day:
-- keyed digests of pieces of the erased values (see src/store/search.rs).
CREATE TABLE needles (
    job_id INTEGER NOT NULL REFERENCES jobs (id),
    word   INTEGER NOT NULL,
    digest BLOB NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (job_id, word, digest)
) WITHOUT ROWID;

-- Keyed digests of identifiers whose user was erased, for as long as late events may
-- still come in for them. Without the secret, which lies outside this file, they say
-- nothing of anybody.
CREATE TABLE erased_identifiers (
    project_id INTEGER NOT NULL REFERENCES projects (id),
    digest     BLOB NOT NULL,
    erased_at  INTEGER NOT NULL,
    PRIMARY KEY (project_id, digest)
) WITHOUT ROWID;

CREATE INDEX erased_identifiers_age ON erased_identifiers (erased_at);
