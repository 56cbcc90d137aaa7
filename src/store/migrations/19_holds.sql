-- Of whom nothing is erased for now, until when, and why: the reason is about the person, and goes with
-- them. A visitor who is merged brings holds along, so that a person may have several.
CREATE TABLE holds (
    id         INTEGER PRIMARY KEY,
    user_id    INTEGER NOT NULL REFERENCES users (id),
    project_id INTEGER NOT NULL REFERENCES projects (id),
    created_at INTEGER NOT NULL,
    -- NULL: until it is released.
    until      INTEGER,
    reason     TEXT
);

CREATE INDEX holds_user ON holds (user_id);
CREATE INDEX holds_project ON holds (project_id, user_id);
CREATE INDEX holds_end ON holds (until) WHERE until IS NOT NULL;

-- Since when the person's data is only kept (GDPR Art. 18). NULL: it is not.
ALTER TABLE users ADD COLUMN restricted_at INTEGER;

CREATE INDEX users_restricted ON users (project_id, id) WHERE restricted_at IS NOT NULL;
