-- Up Migration

ALTER TABLE payloads ADD COLUMN readings jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN payloads.readings IS
  'By phase, what columns, status and metrics take from data, so that nobody has to read it to archive a run; empty where an older version stored it.';
