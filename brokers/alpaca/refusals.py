"""What Alpaca's refusals mean. Its codes stand for kinds of requests, not for reasons, so its words decide.

Sources: https://docs.alpaca.markets/docs/orders-at-alpaca, .../docs/user-protection,
https://alpaca.markets/learn/how-to-fix-common-trading-api-errors-at-alpaca, and messages that its clients' users have
reported. Alpaca promises none of them: what is not known here stays ``OTHER``, and its words are shown.
"""

from __future__ import annotations

from brokers.refusals import Dictionary, RefusalCode, words_for

# The first that fits counts, so the particular stands before the general.
REFUSALS = Dictionary(
    words_for(
        (
            r"position (mode|side)\b.*(mismatch|not match|setting)|one-way mode|hedge mode",
            RefusalCode.POSITION_MODE,
        ),
        (
            r"market is (currently |now )?(closed|not open)|(only|not) (be )?(allowed|accepted|available)"
            r".{0,40}(during|outside) .{0,20}(market|trading) hours",
            RefusalCode.MARKET_CLOSED,
        ),
        (r"\bhalt(ed)?\b|trading (is )?(paused|suspended) (in|for)", RefusalCode.HALTED),
        (r"wash trade|\bwhile a (long buy|short sell) order is open", RefusalCode.WASH_TRADE),
        (r"pattern day trad|\bpdt\b|day[- ]trading buying power", RefusalCode.DAY_TRADE_LIMIT),
        # Of a coin there is a balance, as of money: its name says what is short.
        (r"insufficient balance for (?!usd\b)", RefusalCode.INSUFFICIENT_SHARES),
        (
            r"insufficient (buying power|balance|funds|margin)",
            RefusalCode.INSUFFICIENT_MARGIN,
        ),
        (
            r"insufficient (underlying )?(qty|quantity|shares)|position does not exist",
            RefusalCode.INSUFFICIENT_SHARES,
        ),
        (
            r"sold short|\bto short\b|not shortable|hard[- ]to[- ]borrow|short (sale|sell)",
            RefusalCode.NOT_SHORTABLE,
        ),
        (
            r"order .{0,80}(already in|is already|not cancelable|not found)|order isn't sent",
            RefusalCode.ORDER_NOT_OPEN,
        ),
        (r"not (open|replac|cancel)able", RefusalCode.ORDER_NOT_OPEN),
        (
            r"asset .{0,60}(not found|does not exist)|invalid symbol|unknown symbol",
            RefusalCode.UNKNOWN_SYMBOL,
        ),
        (
            r"fractional orders must|cannot be replaced|replacement is not supported|position intent",
            RefusalCode.ORDER_TERMS,
        ),
        (r"not fractionable", RefusalCode.QUANTITY),
        (r"asset .{0,60}(not (tradable|active)|inactive)|not tradable|not active", RefusalCode.NOT_TRADABLE),
        (r"sub-?penny|increment|tick size", RefusalCode.PRICE_INCREMENT),
        (
            r"price .{0,60}(too far|away from|outside|aggressive)|outside .{0,30}(price )?bands?\b|limit (up|down)\b",
            RefusalCode.PRICE_OUTSIDE_BANDS,
        ),
        (
            r"\b(account|user)\b.{0,60}(block|restrict|suspend|not (allowed|authorized|eligible))"
            r"|rejected by user request|orders? not allowed for account|close[- ]only|not allowed for account",
            RefusalCode.ACCOUNT_BLOCKED,
        ),
        (r"\b(qty|quantity|notional|cost basis|lot)\b", RefusalCode.QUANTITY),
        (
            r"time_in_force|extended hours|orders? (must|require)|opg|\b(limit|stop)_price\b|stop price|base_price"
            r"|order (type|class)",
            RefusalCode.ORDER_TERMS,
        ),
        (r"rate limit|too many requests", RefusalCode.RATE_LIMITED),
    )
)
