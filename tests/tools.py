"""``python -m tests.tools NAME…``: the programs that tests drive are there, or are installed, or it fails loudly."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from glob import glob

PROGRAMS = {
    "chromium": ("/usr/bin/chromium",),
    "redis-server": ("/usr/bin/redis-server",),
    "nginx": ("/usr/sbin/nginx",),
    "curl": ("/usr/bin/curl",),
    "openssl": ("/usr/bin/openssl",),
    "ruby-flipper": ("/usr/share/rubygems-integration/all/gems/flipper-*/lib/flipper.rb",),
    "prometheus": ("/usr/bin/prometheus",),
    "postgresql": ("/usr/lib/postgresql/*/bin/initdb",),
}


def is_there(name: str) -> bool:
    return any(glob(place) for place in PROGRAMS[name])


def main(names: list[str]) -> int:
    missing = [name for name in names if not is_there(name)]
    if not missing:
        return 0
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        print(f"Tests need {', '.join(missing)}. Install: apt-get install {' '.join(missing)}", file=sys.stderr)
        return 1
    print(f"installing {', '.join(missing)}", flush=True)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    subprocess.run(["apt-get", "update", "-qq"], check=True, env=quiet)
    subprocess.run(
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing],
        check=True,
        env=quiet,
        stdout=subprocess.DEVNULL,
    )
    still = [name for name in missing if not is_there(name)]
    if still:
        print(f"installed, but not found: {', '.join(still)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
