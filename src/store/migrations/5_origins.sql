-- Sites whose pages may send to a project, one a line, none being every site; and how many
-- requests of pages of other sites were refused.
ALTER TABLE projects ADD COLUMN origins TEXT NOT NULL DEFAULT '';
ALTER TABLE projects ADD COLUMN refused_origins INTEGER NOT NULL DEFAULT 0;
