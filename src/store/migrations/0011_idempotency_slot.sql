-- Up Migration

ALTER TABLE idempotency_keys ADD COLUMN slot text;
COMMENT ON COLUMN idempotency_keys.slot IS
  'Of a store. That its run arrived, and when, is known from here on, though it may be neither a row nor in the inbox yet.';
CREATE INDEX idempotency_keys_slot ON idempotency_keys (customer_id, slot, run_order DESC) WHERE slot IS NOT NULL;
DROP INDEX idempotency_keys_place;
