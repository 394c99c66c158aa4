CREATE TABLE account (
    id                      uuid PRIMARY KEY,
    account_number          text NOT NULL CONSTRAINT account_number_unique UNIQUE,
    key_id                  text NOT NULL CONSTRAINT account_key_id_unique UNIQUE,
    secret_hash             bytea NOT NULL,
    label                   text NOT NULL DEFAULT '',
    created_at              timestamptz NOT NULL DEFAULT now(),
    cash                    numeric NOT NULL,
    multiplier              numeric NOT NULL DEFAULT 2 CONSTRAINT account_multiplier_positive CHECK (multiplier > 0),
    unique_client_order_ids boolean NOT NULL DEFAULT true,
    shorting                boolean NOT NULL DEFAULT true,
    blocked                 boolean NOT NULL DEFAULT false
);

-- "order" is a keyword; the plural spares the quotes.
CREATE TABLE orders (
    id                uuid PRIMARY KEY,
    account_id        uuid NOT NULL REFERENCES account (id),
    client_order_id   text NOT NULL CONSTRAINT orders_client_order_id_length
                      CHECK (length(client_order_id) BETWEEN 1 AND 128),
    enforce_unique_id boolean NOT NULL,
    number            bigint GENERATED ALWAYS AS IDENTITY,
    created_at        timestamptz NOT NULL,
    updated_at        timestamptz NOT NULL,
    submitted_at      timestamptz NOT NULL,
    filled_at         timestamptz,
    expired_at        timestamptz,
    expires_at        timestamptz,
    canceled_at       timestamptz,
    failed_at         timestamptz,
    replaced_at       timestamptz,
    replaced_by       uuid,
    replaces          uuid,
    symbol            text NOT NULL,
    notional          numeric CONSTRAINT orders_notional_positive CHECK (notional > 0),
    qty               numeric NOT NULL CONSTRAINT orders_qty_positive CHECK (qty > 0),
    filled_qty        numeric NOT NULL DEFAULT 0,
    filled_value      numeric NOT NULL DEFAULT 0,
    type              text NOT NULL CONSTRAINT orders_type_known
                      CHECK (type IN ('market', 'limit', 'stop', 'stop_limit')),
    side              text NOT NULL CONSTRAINT orders_side_known CHECK (side IN ('buy', 'sell')),
    time_in_force     text NOT NULL CONSTRAINT orders_time_in_force_known
                      CHECK (time_in_force IN ('day', 'gtc', 'ioc', 'fok', 'opg', 'cls')),
    limit_price       numeric CONSTRAINT orders_limit_price_positive CHECK (limit_price > 0),
    stop_price        numeric CONSTRAINT orders_stop_price_positive CHECK (stop_price > 0),
    triggered         boolean NOT NULL DEFAULT false,
    status            text NOT NULL CONSTRAINT orders_status_known
                      CHECK (status IN ('accepted', 'pending_new', 'new', 'partially_filled', 'filled',
                                        'done_for_day', 'canceled', 'expired', 'replaced', 'rejected')),
    extended_hours    boolean NOT NULL DEFAULT false,
    position_intent   text,
    reserve_price     numeric NOT NULL DEFAULT 0,
    fill_plan         jsonb,
    plan_step         integer NOT NULL DEFAULT 0,
    CONSTRAINT orders_not_overfilled CHECK (filled_qty BETWEEN 0 AND qty)
);

-- For ever, not only among the open orders; class C accounts opt out row by row.
CREATE UNIQUE INDEX orders_client_order_id_unique ON orders (account_id, client_order_id) WHERE enforce_unique_id;
CREATE INDEX orders_by_client_order_id ON orders (account_id, client_order_id);
CREATE INDEX orders_by_submission ON orders (account_id, submitted_at DESC);
CREATE INDEX orders_open ON orders (account_id)
    WHERE status IN ('accepted', 'pending_new', 'new', 'partially_filled', 'done_for_day');

CREATE TABLE position (
    account_id uuid NOT NULL REFERENCES account (id),
    symbol     text NOT NULL,
    qty        numeric NOT NULL,
    cost       numeric NOT NULL,
    PRIMARY KEY (account_id, symbol)
);

CREATE TABLE ledger (
    seq             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at              timestamptz NOT NULL,
    account_id      uuid NOT NULL,
    kind            text NOT NULL CONSTRAINT ledger_kind_known
                    CHECK (kind IN ('deposit', 'account', 'accepted', 'refused', 'new', 'triggered', 'fill', 'canceled',
                                    'replaced', 'expired', 'rejected', 'done_for_day')),
    order_id        uuid,
    client_order_id text,
    execution_id    uuid,
    symbol          text,
    side            text,
    qty             numeric,
    price           numeric,
    cash_delta      numeric NOT NULL DEFAULT 0,
    data            jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX ledger_by_account ON ledger (account_id, seq);
CREATE INDEX ledger_by_order ON ledger (order_id, seq) WHERE order_id IS NOT NULL;
CREATE UNIQUE INDEX ledger_fill_once ON ledger (execution_id) WHERE kind = 'fill';

CREATE FUNCTION ledger_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE TRIGGER ledger_no_change BEFORE UPDATE OR DELETE ON ledger
    FOR EACH ROW EXECUTE FUNCTION ledger_is_append_only();
CREATE TRIGGER ledger_no_truncate BEFORE TRUNCATE ON ledger
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_is_append_only();

-- Where each symbol's walk stands, so that prices go on after a restart instead of jumping back.
CREATE TABLE price (
    symbol text PRIMARY KEY,
    bid    numeric NOT NULL,
    ask    numeric NOT NULL,
    steps  bigint NOT NULL DEFAULT 0,
    pinned boolean NOT NULL DEFAULT false,
    CONSTRAINT price_not_crossed CHECK (bid > 0 AND ask >= bid)
);
