-- How visitors are told apart who send nothing that names them.

-- A random salt for each UTC day, counted from 1970. Names of visitors are digests under it:
-- once it is gone, nobody can find out from an address which name was drawn for it. Those of
-- today and yesterday are kept, the others are deleted, and no backup has any.
CREATE TABLE visitor_salts (
    day  INTEGER PRIMARY KEY,
    salt BLOB NOT NULL
);

-- When something came in last under a name that was drawn from a salt. NULL for every other.
ALTER TABLE aliases ADD COLUMN visited_at INTEGER;
