-- Keys with a whole life: an end, the addresses they are good from, and secrets that are replaced.
ALTER TABLE api_keys ADD COLUMN expires_at INTEGER;
-- Ranges of addresses, one a line; empty: good from everywhere.
ALTER TABLE api_keys ADD COLUMN addresses TEXT NOT NULL DEFAULT '';
-- Requests from elsewhere.
ALTER TABLE api_keys ADD COLUMN refused_addresses INTEGER NOT NULL DEFAULT 0;
ALTER TABLE projects ADD COLUMN token_used_at INTEGER;

-- Secrets that others have replaced, good until they end. A row is of a key or of a project's
-- ingest token; it goes when the next secret is replaced.
CREATE TABLE old_secrets (
    -- SHA-256 of the secret.
    hash         BLOB PRIMARY KEY,
    key_id       INTEGER REFERENCES api_keys (id),
    project_id   INTEGER REFERENCES projects (id),
    hint         TEXT NOT NULL,
    replaced_at  INTEGER NOT NULL,
    ends_at      INTEGER NOT NULL,
    last_used_at INTEGER
) WITHOUT ROWID;
