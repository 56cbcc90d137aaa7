-- Taking along what is held of a person.

-- A scope of its own from now on. Keys from before that read and administer could do as much page by page.
UPDATE api_keys SET scopes = scopes | 32 WHERE scopes & 18 = 18;

-- Links by which a person, or who acts for them, downloads what is held. Nothing is packed before somebody
-- fetches it, so no copy outlives the person; the link goes with them.
CREATE TABLE export_links (
    id             INTEGER PRIMARY KEY,
    -- Random: what callers know it by.
    handle         BLOB NOT NULL UNIQUE,
    user_id        INTEGER NOT NULL REFERENCES users (id),
    project_id     INTEGER NOT NULL REFERENCES projects (id),
    -- SHA-256 of the link's secret, which is shown once and not kept.
    hash           BLOB NOT NULL UNIQUE,
    -- A keyed digest of the PIN, which is told another way than the link. NULL: none is asked for.
    pin            BLOB,
    created_at     INTEGER NOT NULL,
    expires_at     INTEGER NOT NULL,
    downloads_left INTEGER NOT NULL,
    -- Wrong PINs that are still taken.
    tries_left     INTEGER NOT NULL
);

CREATE INDEX export_links_user ON export_links (user_id);
CREATE INDEX export_links_project ON export_links (project_id, id);
CREATE INDEX export_links_expired ON export_links (expires_at);

-- What was done about one person: they are told who looked at their data, and when.
CREATE INDEX audit_subject ON audit (subject, seq) WHERE subject IS NOT NULL;
