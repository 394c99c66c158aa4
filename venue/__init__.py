"""The paper exchange: an Alpaca-compatible REST and stream server with its own append-only ledger.

It runs as its own process against its own database and shares no code with the desk, so that what the desk
believes can be held against what really happened at the venue.
"""
