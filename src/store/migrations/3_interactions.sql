-- What users and AI agents say to each other, as Proficient's client API has it.

CREATE TABLE interactions (
    -- From the users' generator: in the order in which they were begun.
    id            INTEGER PRIMARY KEY,
    -- 16 random bytes: its name for callers. Who does not know it cannot guess it.
    handle        BLOB NOT NULL UNIQUE,
    user_id       INTEGER NOT NULL REFERENCES users (id),
    -- The app's own id of the agent. Nothing else is kept of agents.
    agent_id      TEXT NOT NULL,
    name          TEXT NOT NULL DEFAULT '',
    -- Kept by the writer, so that a list need not count.
    message_count INTEGER NOT NULL DEFAULT 0,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL,
    -- 1: gone for every caller; its messages are leaving.
    deleted       INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX interactions_timeline ON interactions (user_id, created_at, id);
CREATE INDEX interactions_deleted ON interactions (id) WHERE deleted = 1;

CREATE TABLE messages (
    id             INTEGER PRIMARY KEY,
    handle         BLOB NOT NULL UNIQUE,
    interaction_id INTEGER NOT NULL REFERENCES interactions (id),
    -- The interaction's user, so that counting, moving and erasing need no other table.
    user_id        INTEGER NOT NULL REFERENCES users (id),
    -- The handle of the message before it in the conversation. NULL: it begins one.
    parent         BLOB,
    depth          INTEGER NOT NULL,
    content        TEXT NOT NULL,
    created_at     INTEGER NOT NULL
);

CREATE INDEX messages_interaction ON messages (interaction_id, id);
CREATE INDEX messages_user ON messages (user_id);

-- What an app signs its users' names with. In clear: Usher has to sign, too.
ALTER TABLE projects ADD COLUMN proficient_client_secret TEXT;
