"""The vault: secrets sealed record by record, each with a data key of its own under a master key.

| module | who imports it | what it can |
|---|---|---|
| ``seal`` | web, provisioning | seal anything; needs public keys only |
| ``open_signing`` | web | open a strategy's signing key |
| ``open_broker`` | workers only (an import rule holds this) | open broker credentials |
"""
