-- What each admin may do, and of which projects. Those that were there before may do everything.
ALTER TABLE admins ADD COLUMN role TEXT NOT NULL DEFAULT 'owner'
    CHECK (role IN ('owner', 'privacy-officer', 'support', 'auditor'));
-- 0: those of admin_projects alone. An admin whose last project is gone reaches none, not all.
ALTER TABLE admins ADD COLUMN all_projects INTEGER NOT NULL DEFAULT 1;
ALTER TABLE admins ADD COLUMN signed_in_at INTEGER;

CREATE TABLE admin_projects (
    admin_id   INTEGER NOT NULL REFERENCES admins (id) ON DELETE CASCADE,
    project_id INTEGER NOT NULL REFERENCES projects (id) ON DELETE CASCADE,
    PRIMARY KEY (admin_id, project_id)
) WITHOUT ROWID;

CREATE INDEX admin_projects_project ON admin_projects (project_id);

-- Links that set a password, once. One an admin: a new one ends the one before it.
CREATE TABLE admin_links (
    admin_id   INTEGER PRIMARY KEY REFERENCES admins (id) ON DELETE CASCADE,
    -- SHA-256 of the link's token.
    hash       BLOB NOT NULL UNIQUE,
    expires_at INTEGER NOT NULL
);
