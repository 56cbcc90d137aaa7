-- Files that were imported, each with how far it came: the same file goes on from there. Nothing of
-- what was in a file stands here, only numbers, and the places of lines that could not be taken.
CREATE TABLE imports (
    id          INTEGER PRIMARY KEY,
    project_id  INTEGER NOT NULL REFERENCES projects (id),
    -- Whose form the file has: segment, posthog, csv …
    source      TEXT NOT NULL,
    -- Bytes of the file as it came, packed or not. -1: a stream that did not say.
    size        INTEGER NOT NULL,
    -- A keyed digest of its first 64 KiB and of how it is read: by it the same file is known again.
    digest      BLOB NOT NULL,
    -- running, done, failed (too many lines could not be taken).
    status      TEXT NOT NULL,
    -- The last record that is done, and where it ends in the unpacked text.
    record      INTEGER NOT NULL DEFAULT 0,
    byte_offset INTEGER NOT NULL DEFAULT 0,
    -- How many of what, as JSON.
    counts      TEXT NOT NULL,
    -- The first 1,000 lines that could not be taken: number, field, code and words of ours, as JSON.
    faults      TEXT NOT NULL,
    -- 1: all of it was taken in before, and is read once more.
    again       INTEGER NOT NULL DEFAULT 0,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    finished_at INTEGER
);

CREATE UNIQUE INDEX imports_file ON imports (project_id, source, size, digest);
