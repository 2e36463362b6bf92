"""Where the policy lies, and the nginx that its tests need (see README.md here)."""

from __future__ import annotations

import os
import re
import subprocess
from functools import cache
from pathlib import Path

from tests.debian import missing

ROOT = Path(__file__).parents[2]
POLICY = ROOT / "maas_operator" / "gateway_policy"


@cache
def lua_modules() -> tuple[Path, ...]:
    """Return nginx's loadable Lua modules, in the order to load them; none when nginx lacks them."""
    if missing("nginx"):
        return ()
    built = subprocess.run(["nginx", "-V"], capture_output=True, text=True, check=True).stderr
    found = re.search(r"--modules-path=(\S+)", built)
    folders = [Path(folder) for folder in (found and found[1], os.environ.get("NGINX_MODULES")) if folder]
    names = ("ndk_http_module.so", "ngx_http_lua_module.so")
    loaded = [[folder / name for name in names] for folder in folders]
    return next((tuple(paths) for paths in loaded if all(path.exists() for path in paths)), ())


def no_gateway() -> str:
    return missing("nginx") or ("" if lua_modules() else "nginx has no Lua module: see requirements/debian.txt")
