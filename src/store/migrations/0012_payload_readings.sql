-- Up Migration

ALTER TABLE payloads ADD COLUMN readings jsonb NOT NULL DEFAULT '{}';
COMMENT ON COLUMN payloads.readings IS
  'By phase and version of reading (scan@1), what columns, status and metrics take from data, so that nobody has to read it to archive a run.';
