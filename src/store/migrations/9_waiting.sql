-- The last time that was trusted, written each minute: what a start holds the wall clock against.
-- And how much of the grace this start and those before it have waited out, and which time the
-- wall clock showed then.
CREATE TABLE sign_of_life (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    -- NULL: no time was trusted yet.
    at          INTEGER,
    waited      INTEGER,
    waited_wall INTEGER
);

-- A hidden user whose 7 days are over, and who may not be erased yet, waits: state is 'hidden',
-- and freed_at says since when its names are free for others. Its own are kept here, so that it
-- can be told whose rows these are, and for the case that the clock is set back.
ALTER TABLE users ADD COLUMN freed_at INTEGER;
ALTER TABLE users ADD COLUMN freed_identifier TEXT;
-- Hidden since, as the person was told: the number of the receipt comes from it. Set where
-- deleted_at was cut down, as the clock was set back.
ALTER TABLE users ADD COLUMN hidden_as INTEGER;

-- The anonymous ids of users who wait; see aliases.
CREATE TABLE freed_aliases (
    user_id      INTEGER NOT NULL REFERENCES users (id),
    anonymous_id TEXT NOT NULL,
    project_id   INTEGER NOT NULL REFERENCES projects (id),
    created_at   INTEGER NOT NULL,
    is_trusted   INTEGER NOT NULL,
    is_shared    INTEGER NOT NULL,
    visited_at   INTEGER,
    PRIMARY KEY (user_id, anonymous_id)
) WITHOUT ROWID;

-- A scheduled job that is due and may not begin yet is bound to whom its name means: bound_at says
-- that it is, bound_user to whom; NULL is nobody.
ALTER TABLE jobs ADD COLUMN bound_at INTEGER;
ALTER TABLE jobs ADD COLUMN bound_user INTEGER;
