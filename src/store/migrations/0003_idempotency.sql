-- Up Migration

-- Safe retries ---------------------------------------------------------------------------------------

CREATE TABLE idempotency_keys (
  customer_id         uuid NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  scope_sha256        bytea NOT NULL CHECK (octet_length(scope_sha256) = 32),
  fingerprint_sha256  bytea NOT NULL CHECK (octet_length(fingerprint_sha256) = 32),
  status              smallint CHECK (status BETWEEN 200 AND 499),
  headers             jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(headers) = 'object'),
  body                text,
  run_order           bigint,
  claimed_until       timestamptz,
  created_at          timestamptz NOT NULL DEFAULT now(),
  expires_at          timestamptz NOT NULL,
  PRIMARY KEY (customer_id, scope_sha256),
  CHECK (status IS NOT NULL OR claimed_until IS NOT NULL)
);
CREATE INDEX idempotency_keys_expiry ON idempotency_keys (expires_at);
COMMENT ON TABLE idempotency_keys IS
  'What requests with an Idempotency-Key were answered, so that a retry is answered the same and changes nothing.';
COMMENT ON COLUMN idempotency_keys.scope_sha256 IS
  'SHA-256 of principal, method, route and key: the same key of anybody else, or elsewhere, is another.';
COMMENT ON COLUMN idempotency_keys.fingerprint_sha256 IS
  'SHA-256 of the request: the same key with another request is refused.';
COMMENT ON COLUMN idempotency_keys.status IS
  'Of the answer; null while a store is under way, which cannot be done in one transaction with this row.';
COMMENT ON COLUMN idempotency_keys.body IS 'Of the answer, to the byte; null where it has none.';
COMMENT ON COLUMN idempotency_keys.run_order IS
  'Place in the slot that the first try of a store drew: a retry makes the same PhaseRun.';
COMMENT ON COLUMN idempotency_keys.claimed_until IS
  'Until when nobody else may try the same store; it is over sooner where a try fails.';
