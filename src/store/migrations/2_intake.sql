-- Who may write what, what is kept out, and what was repaired, dropped or refused on its way in.

-- What public credentials may do, and so many new people they may make in an hour; NULL: the usual number.
ALTER TABLE projects ADD COLUMN public_writes TEXT NOT NULL DEFAULT 'open'
    CHECK (public_writes IN ('open', 'own visitors', 'events only'));
ALTER TABLE projects ADD COLUMN people_per_address INTEGER;
ALTER TABLE projects ADD COLUMN people_per_hour INTEGER;
-- Names that stand for nobody: a JSON list; NULL: the usual ones.
ALTER TABLE projects ADD COLUMN placeholders TEXT;
-- How long digests of erased identifiers are kept, in days; NULL: for good, and why.
ALTER TABLE projects ADD COLUMN erased_kept_days INTEGER DEFAULT 3650;
ALTER TABLE projects ADD COLUMN erased_kept_why TEXT;

-- A public key stands in a page or an app that anybody can read.
ALTER TABLE api_keys ADD COLUMN is_public INTEGER NOT NULL DEFAULT 0;
-- When a key that is not public last came from a browser.
ALTER TABLE api_keys ADD COLUMN browser_at INTEGER;

-- An e-mail that a public credential gave for a person who had another one.
ALTER TABLE users ADD COLUMN claimed_email TEXT;
CREATE INDEX users_claimed_email ON users (lower(claimed_email), project_id) WHERE claimed_email IS NOT NULL;

-- Whether a key that is not public said whose it is: only then does it name an identified
-- person to a deletion. Rows from before are not known to.
ALTER TABLE aliases ADD COLUMN is_trusted INTEGER NOT NULL DEFAULT 0;
-- Deletions that wait for an anonymous id were ordered when each was believed.
UPDATE aliases SET is_trusted = 1 WHERE (anonymous_id, project_id) IN
    (SELECT reference, project_id FROM jobs WHERE status = 'scheduled');
-- Another person's client has sent it, too.
ALTER TABLE aliases ADD COLUMN is_shared INTEGER NOT NULL DEFAULT 0;

-- The number of the key that opened the session; 0: the ingest token; NULL: not known.
ALTER TABLE sessions ADD COLUMN opened_by INTEGER;

-- Keyed digests of names that are kept out: an identifier, and the aliases that its person had.
CREATE TABLE suppressions (
    project_id INTEGER NOT NULL REFERENCES projects (id),
    digest     BLOB NOT NULL,
    -- The digest of the identifier that was asked for: its aliases go with it.
    subject    BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    -- NULL: until it is lifted.
    until      INTEGER,
    -- Messages that were kept out.
    hits       INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (project_id, digest)
) WITHOUT ROWID;

CREATE INDEX suppressions_subject ON suppressions (project_id, subject);
CREATE INDEX suppressions_until ON suppressions (until) WHERE until IS NOT NULL;

-- How often something was repaired, dropped or refused, without its values.
CREATE TABLE repairs (
    project_id INTEGER NOT NULL REFERENCES projects (id),
    -- Its first millisecond, UTC.
    day        INTEGER NOT NULL,
    -- 0: the ingest token.
    key_id     INTEGER NOT NULL,
    outcome    TEXT NOT NULL,
    reason     TEXT NOT NULL,
    count      INTEGER NOT NULL,
    PRIMARY KEY (project_id, day, key_id, outcome, reason)
) WITHOUT ROWID;

CREATE INDEX repairs_day ON repairs (day);

-- The newest of them, one by one.
CREATE TABLE recent_repairs (
    id         INTEGER PRIMARY KEY,
    project_id INTEGER NOT NULL REFERENCES projects (id),
    at         INTEGER NOT NULL,
    key_id     INTEGER NOT NULL,
    outcome    TEXT NOT NULL,
    reason     TEXT NOT NULL,
    -- The field's name in the API that was called.
    field      TEXT NOT NULL
);

CREATE INDEX recent_repairs_project ON recent_repairs (project_id, id);
