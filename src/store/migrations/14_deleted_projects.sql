-- A project that was deleted. Its row stays, without name and settings, for the numbers of jobs,
-- receipts and the audit log go on naming it; nothing else finds it. deleted_by and deleted_ground are
-- the origin and the ground of the erasures of its users. emptied_at is NULL until nothing is left to
-- be begun.
ALTER TABLE projects ADD COLUMN deleted_at INTEGER;
ALTER TABLE projects ADD COLUMN deleted_by TEXT;
ALTER TABLE projects ADD COLUMN deleted_ground TEXT;
ALTER TABLE projects ADD COLUMN emptied_at INTEGER;
CREATE INDEX projects_emptying ON projects (id) WHERE deleted_at IS NOT NULL AND emptied_at IS NULL;

-- Its users who are not live: those who are have an index already.
CREATE INDEX users_not_live ON users (project_id, id) WHERE state IN ('hidden', 'detached');
