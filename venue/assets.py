"""What can be traded: a list of well-known US equities and, by default, any well-formed symbol."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any
from uuid import NAMESPACE_DNS, UUID, uuid5

_WELL_FORMED = re.compile(r"[A-Z]{1,5}(\.[A-Z])?", re.ASCII)
_NAMESPACE = uuid5(NAMESPACE_DNS, "asset.venue.invalid")

# symbol: name, exchange, a plausible price at which its walk begins
_LISTED: dict[str, tuple[str, str, str]] = {
    "AAPL": ("Apple Inc. Common Stock", "NASDAQ", "227.50"),
    "ABBV": ("AbbVie Inc.", "NYSE", "195.20"),
    "ADBE": ("Adobe Inc. Common Stock", "NASDAQ", "512.40"),
    "AMD": ("Advanced Micro Devices, Inc. Common Stock", "NASDAQ", "156.30"),
    "AMZN": ("Amazon.com, Inc. Common Stock", "NASDAQ", "186.90"),
    "AVGO": ("Broadcom Inc. Common Stock", "NASDAQ", "172.80"),
    "BA": ("Boeing Company", "NYSE", "152.60"),
    "BAC": ("Bank of America Corporation", "NYSE", "41.85"),
    "BRK.B": ("Berkshire Hathaway Inc. Class B", "NYSE", "458.10"),
    "COST": ("Costco Wholesale Corporation Common Stock", "NASDAQ", "889.40"),
    "CRM": ("Salesforce, Inc.", "NYSE", "287.30"),
    "CSCO": ("Cisco Systems, Inc. Common Stock", "NASDAQ", "53.40"),
    "CVX": ("Chevron Corporation", "NYSE", "150.70"),
    "DIA": ("SPDR Dow Jones Industrial Average ETF Trust", "ARCA", "428.60"),
    "DIS": ("Walt Disney Company", "NYSE", "95.80"),
    "F": ("Ford Motor Company", "NYSE", "10.62"),
    "GE": ("GE Aerospace", "NYSE", "188.40"),
    "GLD": ("SPDR Gold Trust", "ARCA", "245.10"),
    "GOOG": ("Alphabet Inc. Class C Capital Stock", "NASDAQ", "167.20"),
    "GOOGL": ("Alphabet Inc. Class A Common Stock", "NASDAQ", "165.90"),
    "GS": ("Goldman Sachs Group, Inc.", "NYSE", "498.30"),
    "HD": ("Home Depot, Inc.", "NYSE", "405.20"),
    "IBM": ("International Business Machines Corporation", "NYSE", "221.10"),
    "INTC": ("Intel Corporation Common Stock", "NASDAQ", "23.40"),
    "IWM": ("iShares Russell 2000 ETF", "ARCA", "220.30"),
    "JNJ": ("Johnson & Johnson", "NYSE", "162.10"),
    "JPM": ("JPMorgan Chase & Co.", "NYSE", "210.90"),
    "KO": ("Coca-Cola Company", "NYSE", "71.80"),
    "LLY": ("Eli Lilly and Company", "NYSE", "886.20"),
    "MA": ("Mastercard Incorporated", "NYSE", "493.60"),
    "MCD": ("McDonald's Corporation", "NYSE", "304.50"),
    "META": ("Meta Platforms, Inc. Class A Common Stock", "NASDAQ", "567.40"),
    "MRK": ("Merck & Co., Inc.", "NYSE", "113.60"),
    "MSFT": ("Microsoft Corporation Common Stock", "NASDAQ", "428.10"),
    "NFLX": ("Netflix, Inc. Common Stock", "NASDAQ", "709.30"),
    "NKE": ("Nike, Inc.", "NYSE", "88.40"),
    "NVDA": ("NVIDIA Corporation Common Stock", "NASDAQ", "121.40"),
    "ORCL": ("Oracle Corporation", "NYSE", "170.60"),
    "PEP": ("PepsiCo, Inc. Common Stock", "NASDAQ", "170.10"),
    "PFE": ("Pfizer Inc.", "NYSE", "28.90"),
    "PG": ("Procter & Gamble Company", "NYSE", "173.20"),
    "PLTR": ("Palantir Technologies Inc. Class A Common Stock", "NASDAQ", "37.20"),
    "QQQ": ("Invesco QQQ Trust, Series 1", "NASDAQ", "488.10"),
    "SHOP": ("Shopify Inc. Class A", "NYSE", "80.10"),
    "SPY": ("SPDR S&P 500 ETF Trust", "ARCA", "573.80"),
    "T": ("AT&T Inc.", "NYSE", "21.90"),
    "TLT": ("iShares 20+ Year Treasury Bond ETF", "NASDAQ", "98.10"),
    "TSLA": ("Tesla, Inc. Common Stock", "NASDAQ", "261.60"),
    "UBER": ("Uber Technologies, Inc.", "NYSE", "75.20"),
    "UNH": ("UnitedHealth Group Incorporated", "NYSE", "584.70"),
    "V": ("Visa Inc.", "NYSE", "274.90"),
    "VTI": ("Vanguard Total Stock Market ETF", "ARCA", "283.20"),
    "WMT": ("Walmart Inc.", "NYSE", "80.70"),
    "XOM": ("Exxon Mobil Corporation", "NYSE", "117.20"),
}


@dataclass(frozen=True, slots=True)
class Asset:
    """One tradable instrument."""

    id: UUID
    symbol: str
    name: str
    exchange: str
    base_price: Decimal
    tradable: bool = True
    shortable: bool = True
    fractionable: bool = True
    marginable: bool = True
    active: bool = True


def asset_id(symbol: str) -> UUID:
    """Return the id of a symbol, the same at every venue and after every restart."""
    return uuid5(_NAMESPACE, symbol)


class Assets:
    """The universe; with ``open_universe`` every well-formed symbol exists."""

    def __init__(self, *, open_universe: bool) -> None:
        self._open = open_universe
        self._known = {symbol: _listed(symbol) for symbol in _LISTED}
        self._by_id = {asset.id: asset for asset in self._known.values()}

    def find(self, symbol_or_id: str) -> Asset | None:
        """Return an asset by its symbol or its id, or nothing if it does not trade here."""
        asset = self._known.get(symbol_or_id)
        if asset is not None:
            return asset
        if self._open and _WELL_FORMED.fullmatch(symbol_or_id):
            return self._remember(_derived(symbol_or_id))
        try:
            return self._by_id.get(UUID(symbol_or_id))
        except ValueError:
            return None

    def listed(self) -> list[Asset]:
        """List the well-known ones, by symbol: the same after a restart, whatever else has been traded."""
        return [self._known[symbol] for symbol in sorted(_LISTED)]

    def set_flags(self, asset: Asset, flags: dict[str, Any]) -> Asset:
        """Say of an asset whether it is ``tradable``, ``active`` and the like; lasts as long as the process."""
        return self._remember(replace(asset, **flags))

    def _remember(self, asset: Asset) -> Asset:
        self._known[asset.symbol] = asset
        self._by_id[asset.id] = asset
        return asset


def _listed(symbol: str) -> Asset:
    name, exchange, price = _LISTED[symbol]
    return Asset(asset_id(symbol), symbol, name, exchange, Decimal(price))


def _derived(symbol: str) -> Asset:
    cents = 1000 + int.from_bytes(hashlib.sha256(symbol.encode()).digest()[:4]) % 40_000
    return Asset(asset_id(symbol), symbol, f"{symbol} Common Stock", "NYSE", Decimal(cents) / 100)
