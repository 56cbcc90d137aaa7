-- Each suppression stands for itself: one that is lifted leaves those that others asked for.
CREATE TABLE suppressions_by_source (
    project_id INTEGER NOT NULL REFERENCES projects (id),
    digest     BLOB NOT NULL,
    -- The digest of the name that was asked for: the person's other names go with it.
    subject    BLOB NOT NULL,
    -- By whom it was asked for; '': not known, it ends with anybody's.
    source     TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    -- NULL: until it is lifted.
    until      INTEGER,
    -- Messages that were kept out.
    hits       INTEGER NOT NULL DEFAULT 0,
    -- Random: what callers know a suppression by. It stands in the subject's row alone.
    handle     BLOB,
    -- Why, in the words of the one who asked.
    reason     TEXT,
    PRIMARY KEY (project_id, digest, subject, source)
) WITHOUT ROWID;

INSERT INTO suppressions_by_source
    SELECT project_id, digest, subject,
        CASE ends_with_user WHEN 0 THEN '' WHEN 2 THEN 'preference' ELSE 'denylist' END,
        created_at, until, hits, handle, reason
    FROM suppressions;
-- Both switches of a user were on.
INSERT INTO suppressions_by_source
    SELECT project_id, digest, subject, 'preference', created_at, until, hits,
        CASE WHEN digest = subject THEN randomblob(16) END, reason
    FROM suppressions WHERE ends_with_user = 3;

DROP TABLE suppressions;
ALTER TABLE suppressions_by_source RENAME TO suppressions;

CREATE INDEX suppressions_subject ON suppressions (project_id, subject);
CREATE INDEX suppressions_until ON suppressions (until) WHERE until IS NOT NULL;
CREATE UNIQUE INDEX suppressions_handle ON suppressions (project_id, handle) WHERE handle IS NOT NULL;
