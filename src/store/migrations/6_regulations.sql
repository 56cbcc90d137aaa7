-- Requests about several people at once: to erase them, to keep them out, to let them in again.
-- No name is in them.
CREATE TABLE regulations (
    -- In the order in which they came.
    id           INTEGER PRIMARY KEY,
    -- Random: what callers know it by.
    handle       BLOB NOT NULL UNIQUE,
    -- NULL: an organisation's key asked, for several projects.
    project_id   INTEGER REFERENCES projects (id),
    kind         TEXT NOT NULL,
    -- It was asked for one person, and can be withdrawn.
    is_single    INTEGER NOT NULL DEFAULT 0,
    created_at   INTEGER NOT NULL,
    withdrawn_at INTEGER
);
CREATE INDEX regulations_project ON regulations (project_id, id);

CREATE TABLE regulation_subjects (
    regulation_id INTEGER NOT NULL REFERENCES regulations (id),
    place         INTEGER NOT NULL,
    project_id    INTEGER NOT NULL REFERENCES projects (id),
    -- The erasure, if there was somebody to erase.
    job_id        INTEGER,
    -- The suppression that it made, as long as that lasts.
    digest        BLOB,
    -- Random: shown where neither of the two says anything.
    stand_in      TEXT NOT NULL,
    PRIMARY KEY (regulation_id, place)
) WITHOUT ROWID;
CREATE INDEX regulation_subjects_digest ON regulation_subjects (project_id, digest) WHERE digest IS NOT NULL;

-- The suppression ends with an erasure in the API that made it.
ALTER TABLE suppressions ADD COLUMN ends_with_user INTEGER NOT NULL DEFAULT 0;
