-- Up Migration

CREATE INDEX idempotency_keys_place ON idempotency_keys (customer_id, run_order) WHERE run_order IS NOT NULL;
