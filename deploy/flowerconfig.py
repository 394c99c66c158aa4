"""Flower's configuration: read-only, behind a password, on the embedded desk and in containers alike.

Executed by Flower (`--conf`); a name that is one of its options sets that option.
"""

import os

with open(os.environ["FLOWER_PASSWORD_FILE"]) as _file:
    basic_auth = [f"{os.environ.get('FLOWER_USER', 'operator')}:{_file.read().strip()}"]
read_only = True  # every control call (shutdown, pool, consumer, revoke, apply, ...) answers 403
address = os.environ.get("FLOWER_ADDRESS", "127.0.0.1")
port = int(os.environ.get("FLOWER_PORT", "5555"))
enable_events = False  # workers send events only when TASK_EVENTS is on: 300 of them would be noise
persistent = False
natural_time = False
inspect_timeout = 2000.0
