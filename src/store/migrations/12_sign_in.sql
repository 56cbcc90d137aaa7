-- What an admin is shown of the own sign-ins, and when one was used last, within some minutes. One
-- from before has no browser to show, and counts as used when it was opened.
ALTER TABLE admin_sessions ADD COLUMN seen_at INTEGER NOT NULL DEFAULT 0;
UPDATE admin_sessions SET seen_at = created_at;
ALTER TABLE admin_sessions ADD COLUMN address TEXT;
ALTER TABLE admin_sessions ADD COLUMN browser TEXT;
CREATE INDEX admin_sessions_admin ON admin_sessions (admin_id);

-- Second factors: codes that an app draws from a secret (TOTP).
CREATE TABLE second_factors (
    admin_id     INTEGER PRIMARY KEY REFERENCES admins (id) ON DELETE CASCADE,
    -- Sealed with a key from secrets/store.key. Empty: it ended after the backup that this database
    -- came out of, so no code fits it, and it is turned off on the machine.
    secret       BLOB NOT NULL,
    created_at   INTEGER NOT NULL,
    -- NULL: no code was entered yet, and none is asked for.
    confirmed_at INTEGER,
    -- The step of the last code that was taken, or 0: each is taken once.
    last_step    INTEGER NOT NULL DEFAULT 0
);

-- Recovery codes that were not used yet, by keyed digests.
CREATE TABLE recovery_codes (
    admin_id INTEGER NOT NULL REFERENCES admins (id) ON DELETE CASCADE,
    digest   BLOB NOT NULL,
    PRIMARY KEY (admin_id, digest)
) WITHOUT ROWID;

-- Whether everybody who signs in must have a second factor.
CREATE TABLE sign_in_rules (
    one                     INTEGER PRIMARY KEY CHECK (one = 1),
    is_second_factor_needed INTEGER NOT NULL
);
