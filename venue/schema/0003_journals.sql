ALTER TABLE ledger
    DROP CONSTRAINT ledger_kind_known,
    ADD CONSTRAINT ledger_kind_known
        CHECK (kind IN ('deposit', 'account', 'accepted', 'refused', 'new', 'triggered', 'fill', 'canceled', 'replaced',
                        'expired', 'rejected', 'done_for_day', 'armed', 'restated', 'trade_bust', 'trade_correct',
                        'split', 'journal'));
