-- Up Migration

-- Who leads ------------------------------------------------------------------------------------------

CREATE TABLE leadership (
  only_row     boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  epoch        integer NOT NULL CHECK (epoch >= 0),
  raised_at    timestamptz NOT NULL DEFAULT now(),
  restored_at  timestamptz
);
INSERT INTO leadership (epoch) VALUES (0);
COMMENT ON TABLE leadership IS
  'One row. Whoever becomes the leader raises the epoch, and writes only as long as it is its own. A controller that '
  'knows no epoch, which is an older version during an upgrade, writes as before: the lease alone keeps it apart, '
  'and the slot''s lock orders the two.';
COMMENT ON COLUMN leadership.epoch IS
  'Of the controller that leads. Its transactions hold a shared advisory lock on it, by which its successor finds them.';
COMMENT ON COLUMN leadership.restored_at IS
  'Set by whoever brought back an earlier state of the files (a snapshot of the disk), which is the one restore that '
  'Postgres does not notice: see docs/operations/backup-and-restore.md.';

-- As before, but for restored_at; without it the name stays what it was, and receipts stay good.
CREATE OR REPLACE FUNCTION database_incarnation() RETURNS text
  LANGUAGE sql STABLE PARALLEL RESTRICTED
  RETURN (
    SELECT left(encode(sha256(convert_to(
      (SELECT system_identifier FROM pg_control_system())::text
        || '/' || (SELECT oid FROM pg_database WHERE datname = current_database())::text
        || '/' || CASE WHEN pg_is_in_recovery() THEN 'replica' ELSE left(pg_walfile_name(pg_current_wal_lsn()), 8) END
        || coalesce('/' || (SELECT extract(epoch FROM restored_at) FROM leadership)::text, ''),
      'UTF8')), 'hex'), 16)
  );
