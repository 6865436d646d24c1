"""A task type in Python: JSON in, JSON out, progress on stderr. Declared in config.toml beside it."""

import json
import sys

payload = json.load(sys.stdin)
n = payload["n"]
a, b = 0, 1
for i in range(n):
    a, b = b, a + b
    if i % 100 == 0:
        print(json.dumps({"progress": 100 * i // n, "text": f"{i} of {n}"}), file=sys.stderr, flush=True)
json.dump({"n": n, "fibonacci": str(a)}, sys.stdout)
