ALTER TABLE orders
    DROP CONSTRAINT orders_type_known,
    ADD CONSTRAINT orders_type_known
        CHECK (type IN ('market', 'limit', 'stop', 'stop_limit', 'trailing_stop')),
    DROP CONSTRAINT orders_status_known,
    ADD CONSTRAINT orders_status_known
        CHECK (status IN ('accepted', 'pending_new', 'new', 'partially_filled', 'filled', 'held',
                          'done_for_day', 'canceled', 'expired', 'replaced', 'rejected')),
    ADD COLUMN order_class   text NOT NULL DEFAULT ''
        CONSTRAINT orders_class_known CHECK (order_class IN ('', 'bracket', 'oco', 'oto')),
    ADD COLUMN group_id      uuid,
    ADD COLUMN leg           text NOT NULL DEFAULT ''
        CONSTRAINT orders_leg_known CHECK (leg IN ('', 'entry', 'take_profit', 'stop_loss')),
    ADD COLUMN armed         boolean NOT NULL DEFAULT false,
    ADD COLUMN trail_price   numeric CONSTRAINT orders_trail_price_positive CHECK (trail_price > 0),
    ADD COLUMN trail_percent numeric CONSTRAINT orders_trail_percent_positive CHECK (trail_percent > 0),
    ADD COLUMN hwm           numeric,
    ADD COLUMN source        text NOT NULL DEFAULT 'access_key',
    ADD CONSTRAINT orders_group_whole CHECK ((group_id IS NULL) = (order_class = '') AND (leg = '') = (order_class = ''));

CREATE INDEX orders_by_group ON orders (group_id) WHERE group_id IS NOT NULL;
DROP INDEX orders_open;
CREATE INDEX orders_open ON orders (account_id)
    WHERE status IN ('accepted', 'pending_new', 'new', 'partially_filled', 'done_for_day', 'held');

ALTER TABLE account ADD COLUMN wash_checks boolean NOT NULL DEFAULT false;

ALTER TABLE ledger
    DROP CONSTRAINT ledger_kind_known,
    ADD CONSTRAINT ledger_kind_known
        CHECK (kind IN ('deposit', 'account', 'accepted', 'refused', 'new', 'triggered', 'fill', 'canceled', 'replaced',
                        'expired', 'rejected', 'done_for_day', 'armed', 'restated', 'trade_bust', 'trade_correct',
                        'split'));
DROP INDEX ledger_fill_once;
CREATE UNIQUE INDEX ledger_execution_once ON ledger (execution_id) WHERE kind IN ('fill', 'trade_bust', 'trade_correct');
