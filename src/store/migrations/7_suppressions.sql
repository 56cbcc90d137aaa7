-- Suppressions as callers of the native API see them.

-- Random: what callers know a suppression by. It stands in the subject's row alone.
ALTER TABLE suppressions ADD COLUMN handle BLOB;
-- Why, in the words of the one who asked.
ALTER TABLE suppressions ADD COLUMN reason TEXT;
UPDATE suppressions SET handle = randomblob(16) WHERE digest = subject;
CREATE UNIQUE INDEX suppressions_handle ON suppressions (project_id, handle) WHERE handle IS NOT NULL;
