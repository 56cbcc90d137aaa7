-- What a project is told stays inside it: its jobs and receipts have numbers of its own. Those
-- that were told before stay as they were, and the next ones go on after them.
ALTER TABLE jobs ADD COLUMN number INTEGER NOT NULL DEFAULT 0;
UPDATE jobs SET number = id;
CREATE UNIQUE INDEX jobs_number ON jobs (project_id, number);
INSERT INTO sequences (name, value) SELECT 'job ' || project_id, max(id) FROM jobs GROUP BY project_id;
-- The receipt's number in its project; receipt_no is its place in the folder.
ALTER TABLE jobs ADD COLUMN receipt_number INTEGER;
UPDATE jobs SET receipt_number = receipt_no;
CREATE INDEX jobs_receipt_number ON jobs (project_id, receipt_number) WHERE receipt_number IS NOT NULL;
-- When the person came, until the job is completed: no backup from before holds them.
ALTER TABLE jobs ADD COLUMN came_at INTEGER;
-- JSON: the last row of each table that there was when it was asked for, if it waited since; and
-- the rows taken, by table, that came after.
ALTER TABLE jobs ADD COLUMN bounds TEXT;
ALTER TABLE jobs ADD COLUMN later TEXT NOT NULL DEFAULT '{}';

-- What is looked for in the other rows of the project before the receipt is written: keyed
-- digests of what the person was called, whichever the case (see src/store/mentions.rs).
CREATE TABLE mention_needles (
    job_id INTEGER NOT NULL REFERENCES jobs (id),
    word   INTEGER NOT NULL,
    digest BLOB NOT NULL,
    length INTEGER NOT NULL,
    PRIMARY KEY (job_id, word, digest)
) WITHOUT ROWID;
