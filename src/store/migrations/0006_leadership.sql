-- Up Migration

-- Who leads ------------------------------------------------------------------------------------------

CREATE TABLE leadership (
  only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  epoch      integer NOT NULL CHECK (epoch >= 0),
  raised_at  timestamptz NOT NULL DEFAULT now()
);
INSERT INTO leadership (epoch) VALUES (0);
COMMENT ON TABLE leadership IS
  'One row. Whoever becomes the leader raises the epoch, and writes only as long as it is its own. A controller that '
  'knows no epoch, which is an older version during an upgrade, writes as before: the lease alone keeps it apart, '
  'and the slot''s lock orders the two.';
COMMENT ON COLUMN leadership.epoch IS
  'Of the controller that leads. Its transactions hold a shared advisory lock on it, by which its successor finds them.';
