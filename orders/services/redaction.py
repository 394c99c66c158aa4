"""Take secrets out of text that is kept or shown: messages of exceptions, and tracebacks."""

import re

HIDDEN = "[hidden]"

_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----", re.DOTALL)
_URL_LOGIN = re.compile(r"(?<=://)[^\s/@'\"]*:[^\s/@'\"]*(?=@)")
_NAMED = re.compile(
    r"""(?ix)
    ( [\w-]* (?: passw(?:or)?d | secret | token | api[_-]?key | key[_-]?id | credential s? | signature | digest )
      [\w-]* ['"]? \s* [:=] \s* )
    ( "[^"]*" | '[^']*' | [^\s,;&)}\]]+ )
    """
)
_BEARER = re.compile(r"(?i)\b((?:bearer|basic)\s+)[\w.~+/=-]{8,}")
_WEBHOOK = re.compile(r"(/webhook/\w+/[\w-]{6})[\w-]+")
_ROW = re.compile(r"(Failing row contains ).*")  # PostgreSQL shows every column of it
_LONG = re.compile(r"(File \"[^\"]+\")|\b(?=[\w+/-]*\d)(?=[\w+/-]*[A-Za-z])[\w+/-]{40,}={0,2}")
"""Sealed, hashed or encoded; a traceback's file is none of these, however long its path."""
_API_KEY = re.compile(r"\b(tsk_\w{4})\w+")


def redact(text: str) -> str:
    """Return the text with everything hidden that is or may be a secret.

    Rather too much than too little: logins in URLs, values that are named like a secret, tokens, keys, rows that
    PostgreSQL quotes, and anything long and random.
    """
    text = _PRIVATE_KEY.sub(HIDDEN, text)
    text = _URL_LOGIN.sub(HIDDEN, text)
    text = _ROW.sub(rf"\1{HIDDEN}", text)
    text = _BEARER.sub(rf"\1{HIDDEN}", text)
    text = _WEBHOOK.sub(r"\1…", text)
    text = _API_KEY.sub(r"\1…", text)
    text = _NAMED.sub(rf"\1{HIDDEN}", text)
    return _LONG.sub(lambda found: found[1] or HIDDEN, text)
