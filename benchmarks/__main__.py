"""All benchmarks, one after the other: `make bench`. Each also runs alone: `python -m benchmarks.reaction --help`."""

import subprocess
import sys

for name in ("scoring", "reaction", "sending", "copywriting", "web", "changes"):
    print(f"\n== {name}", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], check=True)
