-- Up Migration

-- The audit's chain ------------------------------------------------------------------------------------

ALTER TABLE audit_events
  ADD COLUMN chain_sequence bigint CHECK (chain_sequence > 0),
  ADD COLUMN chain_hash bytea CHECK (octet_length(chain_hash) = 32),
  ADD CHECK ((chain_sequence IS NULL) = (chain_hash IS NULL));
CREATE UNIQUE INDEX audit_events_chain ON audit_events (customer_id, chain_sequence) NULLS NOT DISTINCT
  WHERE chain_sequence IS NOT NULL;
CREATE INDEX audit_events_unsealed ON audit_events (customer_id, id) WHERE chain_sequence IS NULL;
COMMENT ON COLUMN audit_events.chain_sequence IS
  'Place in the chain of its customer, from 1, without gaps; null until it is sealed. It may differ from the '
  'order of the ids: what commits late is sealed late.';
COMMENT ON COLUMN audit_events.chain_hash IS
  'SHA-256 of the hash before (32 zero bytes before the first) and of the canonical JSON (RFC 8785) of '
  'customerId, eventType, id, metadata (as text), role, sequence, timestamp (UTC, microseconds) and traceId.';

CREATE TABLE audit_chains (
  customer_id    uuid REFERENCES customers (id) ON DELETE CASCADE,
  sequence       bigint NOT NULL CHECK (sequence > 0),
  hash           bytea NOT NULL CHECK (octet_length(hash) = 32),
  checkpoint_at  timestamptz NOT NULL DEFAULT now(),
  UNIQUE NULLS NOT DISTINCT (customer_id)
);
COMMENT ON TABLE audit_chains IS
  'Where the chain of each customer ends; without a customer, that of what nobody known did.';
COMMENT ON COLUMN audit_chains.checkpoint_at IS 'When the newest checkpoint was made.';

CREATE TABLE audit_checkpoints (
  customer_id  uuid REFERENCES customers (id) ON DELETE CASCADE,
  sequence     bigint NOT NULL CHECK (sequence > 0),
  hash         bytea NOT NULL CHECK (octet_length(hash) = 32),
  sealed_at    timestamptz NOT NULL DEFAULT now(),
  cut_at       timestamptz,
  UNIQUE NULLS NOT DISTINCT (customer_id, sequence)
);
CREATE INDEX audit_checkpoints_cut ON audit_checkpoints (customer_id, sequence) WHERE cut_at IS NOT NULL;
COMMENT ON TABLE audit_checkpoints IS 'Places, about one a day, up to which retention may take a chain away.';
COMMENT ON COLUMN audit_checkpoints.hash IS 'The chain''s at this place.';
COMMENT ON COLUMN audit_checkpoints.cut_at IS
  'When the events up to here were taken away: what is left of the chain begins after this place.';

-- Webhooks ---------------------------------------------------------------------------------------------

CREATE TABLE webhook_subscriptions (
  id               uuid PRIMARY KEY DEFAULT gen_random_uuid(),
  customer_id      uuid NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  url              varchar(2048) NOT NULL,
  event_types      text[] NOT NULL CHECK (cardinality(event_types) > 0 AND event_types <@ ARRAY[
    'phase.completed', 'phase.failed', 'session.completed', 'session.failed', 'session.expired'
  ]),
  secret           bytea NOT NULL CHECK (octet_length(secret) BETWEEN 24 AND 64),
  failing_since    timestamptz,
  disabled_at      timestamptz,
  disabled_reason  varchar(16) CHECK (disabled_reason IN ('gone', 'failing')),
  created_at       timestamptz NOT NULL DEFAULT now(),
  CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL))
);
CREATE INDEX webhook_subscriptions_by_customer ON webhook_subscriptions (customer_id, created_at);
COMMENT ON TABLE webhook_subscriptions IS 'Where customers want to be told of what happens.';
COMMENT ON COLUMN webhook_subscriptions.secret IS
  'Key of the signatures (HMAC-SHA256). It is shown once; it has to be kept, since every delivery is signed with it.';
COMMENT ON COLUMN webhook_subscriptions.failing_since IS 'The first failed attempt since the last good one.';
COMMENT ON COLUMN webhook_subscriptions.disabled_reason IS
  'gone: the receiver answered 410; failing: nothing arrived for days.';

CREATE TABLE webhook_deliveries (
  id                bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  customer_id       uuid NOT NULL REFERENCES customers (id) ON DELETE CASCADE,
  subscription_id   uuid NOT NULL REFERENCES webhook_subscriptions (id) ON DELETE CASCADE,
  event_id          varchar(100) NOT NULL,
  event_type        varchar(50) NOT NULL,
  event             jsonb NOT NULL CHECK (jsonb_typeof(event) = 'object'),
  state             varchar(16) NOT NULL DEFAULT 'pending'
                    CHECK (state IN ('pending', 'delivered', 'failed', 'cancelled')),
  attempts          integer NOT NULL DEFAULT 0,
  next_attempt_at   timestamptz NOT NULL DEFAULT now(),
  last_attempt_at   timestamptz,
  last_status       integer,
  last_error        text,
  created_at        timestamptz NOT NULL DEFAULT now(),
  finished_at       timestamptz,
  UNIQUE (subscription_id, event_id),
  CHECK ((state = 'pending') = (finished_at IS NULL))
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (next_attempt_at) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_pending ON webhook_deliveries (subscription_id) WHERE state = 'pending';
CREATE INDEX webhook_deliveries_newest_first ON webhook_deliveries (subscription_id, id DESC);
CREATE INDEX webhook_deliveries_finished ON webhook_deliveries (finished_at) WHERE state <> 'pending';
COMMENT ON TABLE webhook_deliveries IS
  'The outbox: written in the transaction in which the thing happened, one row for each subscription that wants to '
  'know of it; and afterwards the log of what became of it.';
COMMENT ON COLUMN webhook_deliveries.event_id IS
  'Sent as webhook-id, the same at every attempt. It follows from the run or session and the state it reached, so '
  'that a transition is one event, whoever records it and however often.';
COMMENT ON COLUMN webhook_deliveries.event IS 'The CloudEvent; its text is the body.';
COMMENT ON COLUMN webhook_deliveries.attempts IS 'Begun, the one that is under way included; a replay starts anew.';
COMMENT ON COLUMN webhook_deliveries.next_attempt_at IS
  'While an attempt is under way, when it counts as lost and another one is made.';
COMMENT ON COLUMN webhook_deliveries.last_status IS 'The HTTP status of the last answer; null where there was none.';
COMMENT ON COLUMN webhook_deliveries.last_error IS 'Why the last attempt failed.';
