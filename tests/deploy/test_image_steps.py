"""The steps of the Dockerfile, run without an engine; the operator that they make runs as a user that nobody knows."""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest

from maas_operator import __version__
from maas_operator.sandbox.environment import Environment, Setup, environment
from maas_operator.sandbox.processes import Process, end_of, free_ports
from tests.deploy.dockerfile import arguments, stages
from tests.deploy.kustomizations import ROOT

LIMIT_SECONDS = 60.0
ANY_USER = ("setpriv", "--reuid=1234567", "--regid=0", "--clear-groups", "--bounding-set=-all", "--no-new-privs")
MISSING = (
    ("set CI=true to run the steps of the image: they download packages" if not os.environ.get("CI") else "")
    or ("only root can become another user" if os.geteuid() else "")
    or ("there is no setpriv" if not shutil.which("setpriv") else "")
)

pytestmark = pytest.mark.skipif(bool(MISSING), reason=MISSING)


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """Return a folder with what the first stage makes; its owner is root, and others may read it."""
    with tempfile.TemporaryDirectory(prefix="maas-operator-image-") as name:
        root = Path(name)
        root.chmod(0o755)
        # What the base image brings: a Python with pip.
        subprocess.run([sys.executable, "-m", "venv", root / "base"], check=True)
        (root / "src").mkdir()
        for one in stages()[0]:
            if one.name == "COPY":
                *sources, target = one.argument.split()
                _copy(sources, root / "src" / target)
            if one.name == "RUN":
                _run(one.argument, root)
        yield root


def _copy(sources: list[str], target: Path) -> None:
    for source in sources:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, target)


def _run(command: str, root: Path) -> None:
    here = command.replace("/opt/", f"{root}/opt/").replace("/wheels", f"{root}/wheels")
    (settings,) = arguments(stages()[0], "ENV")
    pip = dict(word.split("=", 1) for word in settings.split())
    # The registry, and where certificates are, is the machine's affair.
    kept = {
        key: value for key, value in os.environ.items() if key.startswith(("PIP_", "SSL_", "http", "HTTP", "REQUESTS_"))
    }
    environment = {**kept, **pip, "PATH": f"{root}/base/bin:/usr/bin:/bin", "HOME": str(root)}
    ran = subprocess.run(
        ["/bin/sh", "-ec", here],
        cwd=root / "src",
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, f"{here}\n{ran.stdout}\n{ran.stderr}"


def program(image: Path, *arguments: str) -> list[str]:
    return [*ANY_USER, str(image / "opt/maas-operator/bin/maas-operator"), *arguments]


def setting(image: Path) -> dict[str, str]:
    """Return the environment of a pod: what the image sets, and what the Deployment does."""
    (line,) = arguments(stages()[1], "ENV")
    built = dict(word.split("=", 1) for word in line.split())
    path = built["PATH"].replace("/opt/", f"{image}/opt/").replace("$PATH", "/usr/bin:/bin")
    return {**built, "PATH": path, "POD_ID": "maas-operator-0"}


def files(image: Path) -> set[Path]:
    return set((image / "opt").rglob("*"))


def test_any_user_may_run_it(image: Path) -> None:
    before = files(image)
    ran = subprocess.run(
        program(image, "version"), env=setting(image), cwd="/", capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, f"{__version__}\n", "")
    assert files(image) == before


def test_nobody_but_its_owner_may_change_it(image: Path) -> None:
    paths = [path for path in files(image) if not path.is_symlink()]
    assert not [path for path in paths if path.stat().st_mode & 0o022]
    assert not [path for path in paths if not path.stat().st_mode & 0o004]


def test_nothing_that_builds_or_installs_is_in_it(image: Path) -> None:
    names = {path.name for path in (image / "opt/maas-operator/bin").iterdir()}
    assert not [name for name in names if name.startswith(("pip", "wheel", "hatch", "uv"))]
    packages = {path.name.lower() for path in files(image) if path.name.endswith(".dist-info")}
    locked = (ROOT / "requirements" / "runtime.lock").read_text().count("==")
    assert 1 < len(packages) <= locked + 1
    assert not [name for name in packages if name.startswith(("pip-", "hatchling-", "pytest-", "rich-", "jsonschema"))]


def test_what_it_imports_is_compiled_as_it_can_not_be_later(image: Path) -> None:
    package = next((image / "opt").rglob("site-packages/maas_operator"))
    assert list((package / "engine" / "__pycache__").glob("engine.*.pyc"))


def test_it_is_small(image: Path) -> None:
    size = sum(path.stat().st_size for path in files(image) if path.is_file() and not path.is_symlink())
    # 75 MB of it is the Kubernetes client.
    assert size < 150 * 2**20


def test_the_bill_of_materials_names_all_that_is_locked(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "requirements"):
        _copy([name], tmp_path / ("requirements" if name == "requirements" else ""))
    subprocess.run(["make", "sbom", f"PYTHON={sys.executable}"], cwd=tmp_path, check=True, timeout=300)
    found = json.loads((tmp_path / "dist" / "sbom.cdx.json").read_text())
    locked = re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / "requirements" / "runtime.lock").read_text(), re.MULTILINE)
    assert found["bomFormat"] == "CycloneDX"
    assert {one["purl"] for one in found["components"]} == {f"pkg:pypi/{name}@{version}" for name, version in locked}
    assert found["metadata"]["component"]["name"] == "maas-operator"


@asynccontextmanager
async def started(image: Path, around: Environment, folder: Path) -> AsyncIterator[tuple[Process, str]]:
    kubeconfig = image / "kubeconfig"
    shutil.copy(around.operator_kubeconfig, kubeconfig)
    kubeconfig.chmod(0o444)
    (port,) = free_ports(1)
    command = program(image, "run", f"--kubeconfig={kubeconfig}", "--http-host=127.0.0.1", f"--http-port={port}")
    process = await Process.start(command, folder / "operator.log", environment=setting(image))
    try:
        yield process, f"http://127.0.0.1:{port}/readyz"
    finally:
        await process.stop()


async def test_the_operator_becomes_ready_and_ends_in_order(image: Path, tmp_path: Path) -> None:
    before = files(image)
    async with environment(Setup(folder=tmp_path)) as around, started(image, around, tmp_path) as (process, url):
        async with asyncio.timeout(LIMIT_SECONDS), aiohttp.ClientSession() as session:
            while not await _says_ok(session, url):
                process.check()
                await asyncio.sleep(0.1)
        assert await process.stop() == 0, end_of(tmp_path / "operator.log")
    assert files(image) == before


async def _says_ok(session: aiohttp.ClientSession, url: str) -> bool:
    try:
        async with session.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False
