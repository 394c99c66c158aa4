"""Protective exits: what was asked for, at which prices, and what is to be done about it next. Pure.

``terms`` is what an entry came with and its JSON, ``prices`` turns that into prices, ``plan`` compares what a position
needs with the exits that rest, ``pairing`` says what the two orders of an OCO share.
"""

from orders.protection.pairing import shared_event
from orders.protection.placeable import unplaceable
from orders.protection.plan import (
    Cancel,
    LegKind,
    LegState,
    OpenLeg,
    Place,
    PlaceLegs,
    Replace,
    Rules,
    Step,
    Wait,
    plan,
)
from orders.protection.prices import StopTerms, stop_terms, target_px, usual_tick
from orders.protection.terms import Protection, protection_from_dict, protection_of, protection_to_dict

__all__ = [
    "Cancel",
    "LegKind",
    "LegState",
    "OpenLeg",
    "Place",
    "PlaceLegs",
    "Protection",
    "Replace",
    "Rules",
    "Step",
    "StopTerms",
    "Wait",
    "plan",
    "protection_from_dict",
    "protection_of",
    "protection_to_dict",
    "shared_event",
    "stop_terms",
    "target_px",
    "unplaceable",
    "usual_tick",
]
