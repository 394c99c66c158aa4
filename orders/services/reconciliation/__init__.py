"""Compare an account with its broker, take in what was missed, and tell of what nothing explains.

| module | what it does |
|---|---|
| ``asking`` | writes the errand: when an account is compared |
| ``reading`` | reads the broker's books, until they stand still |
| ``outside`` | records orders that the desk did not send, and terms that somebody else has changed |
| ``facts`` | takes in fills that were missed, and orders that ended unnoticed |
| ``positions`` | compares positions; has booked what two runs have found and nothing explains |
| ``booking`` | books it, or what an operator says |
| ``exits`` | cancels what would close a position that is closed already |
| ``cash`` | compares cash |
| ``findings`` | keeps what was found, and what was done about it |
| ``halts`` | halts an account's entries while its books differ |
| ``account`` | does all of it, in this order |
"""
