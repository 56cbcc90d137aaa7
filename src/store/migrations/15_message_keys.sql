-- Messages are found by a keyed digest of their ids; so far it had no key. The rows that there are get
-- the new one some at a time (`store/message_keys.rs`): the id of the last row that has it. No row in
-- `upkeep`: all have it.
INSERT INTO upkeep (task, done_at)
SELECT 'message keys', 0 WHERE EXISTS (SELECT 1 FROM events);
