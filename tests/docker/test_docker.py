"""The image without a Docker engine: its files, and its steps replayed in a clean folder.

What needs an engine is not checked; `docker/README.md` says what that is.
"""

import contextlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCKER = ROOT / "docker"
DOCKERFILE = (DOCKER / "Dockerfile").read_text().replace("\\\n", " ")
COMPOSE = yaml.safe_load((DOCKER / "compose.yaml").read_text())
NOBODY = 65_534


def pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==(\S+)", lock.read_text(), re.MULTILINE))


def image_environment() -> dict[str, str]:
    """The variables of the stage `base`, with build arguments at their defaults."""
    arguments = dict(re.findall(r"^ARG (\w+)=(\S+)", DOCKERFILE, re.MULTILINE))
    line = re.search(r"^ENV (.*)$", DOCKERFILE, re.MULTILINE)
    assert line
    pairs = dict(word.split("=", 1) for word in line[1].split())
    return {name: re.sub(r"\$\{(\w+)\}", lambda m: arguments[m[1]], text)
            for name, text in pairs.items()}  # fmt: skip


def test_compose_is_valid() -> None:
    commands = [["docker", "compose"], ["docker-compose"]]
    for command in commands:
        with contextlib.suppress(FileNotFoundError):
            if subprocess.run([*command, "version"], capture_output=True, check=False).returncode:
                continue
            words = [*command, "-f", str(DOCKER / "compose.yaml"), "config"]
            done = subprocess.run(words, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            seen = yaml.safe_load(done.stdout)["services"]
            assert set(seen) == set(COMPOSE["services"])
            assert seen["simulator"]["build"]["target"] == "simulator"
            return
    pytest.skip("no `docker compose` and no `docker-compose` here: compose.yaml is not validated")


def test_compose_gives_containers_nothing_to_write_and_no_privileges() -> None:
    for name, service in COMPOSE["services"].items():
        if name != "kafka":
            assert service["read_only"] is True
            assert service["cap_drop"] == ["ALL"]
            assert "user" not in service, "the image's own"
    assert COMPOSE["services"]["console"]["ports"] == ["127.0.0.1:8600:8600"]


def test_every_command_of_compose_and_image_is_one_of_ours() -> None:
    from click import Context, Group

    from telesurv.cli import telesurv

    said = re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    words = [json.loads(line) for line in said]
    words += [s["command"] for n, s in COMPOSE["services"].items() if "command" in s]
    assert len(words) == 5
    for first, *rest in words:
        command = telesurv.get_command(Context(telesurv), first)
        assert command is not None, first
        if isinstance(command, Group):
            command, rest = command.commands[rest[0]], rest[1:]
        command.make_context(first, rest)


def test_the_images_versions_are_those_of_the_lock() -> None:
    every = pins(ROOT / "requirements.lock")
    for name in ("build", "service", "simulate"):
        found = pins(DOCKER / f"{name}.lock")
        assert found, name
        assert found.items() <= every.items(), "run `make lock`"
    assert "neurokit2" not in pins(DOCKER / "service.lock")
    assert "neurokit2" in pins(DOCKER / "simulate.lock")


def test_the_dockerfile_copies_what_is_there_and_runs_as_nobody_special() -> None:
    sources = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    for path in (word for line in sources for word in line.split()[:-1]):
        assert (ROOT / path).exists(), path
        shown = (DOCKER / "Dockerfile.dockerignore").read_text().split()
        assert any(Path(path).match(line[1:]) for line in shown if line.startswith("!")), path
    stages = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]
    for stage in stages:
        if "ENTRYPOINT" in stage:
            assert "USER 10001:10001" in stage.split("ENTRYPOINT")[0]
    assert " AS service" in stages[-1].splitlines()[0], "the default target"
    assert "HEALTHCHECK" in stages[-1]
    warm, user = stages[-1].index("telesurv warm"), stages[-1].index("USER 10001")
    assert stages[-1].index("pip install --no-cache-dir --no-deps") < warm < user


def test_the_health_check_follows_the_file_that_the_worker_touches(tmp_path: Path) -> None:
    check = re.search(r"HEALTHCHECK .*?CMD (\[.*\])", DOCKERFILE)
    assert check
    words = [word.replace("/tmp/alive", str(tmp_path / "alive")) for word in json.loads(check[1])]
    assert subprocess.run(words, check=False).returncode != 0, "no file yet"
    from telesurv.cli.serve import toucher

    touch = toucher(tmp_path / "alive")
    touch()
    assert subprocess.run(words, check=False).returncode == 0
    os.utime(tmp_path / "alive", (1, 1))
    assert subprocess.run(words, check=False).returncode != 0, "long ago"
    touch()
    assert subprocess.run(words, check=False).returncode == 0


@pytest.fixture(scope="module")
def image() -> Iterator[Path]:
    """A folder that holds what the stage `service` makes: wheel, environment, compiled kernels.

    Third-party packages are those of the running environment: the registry is not asked.
    """
    if platform.machine() != "x86_64" or "avx2" not in Path("/proc/cpuinfo").read_text():
        pytest.skip("this CPU is no x86-64-v3: the image's kernels cannot run here")
    place = Path(tempfile.mkdtemp(prefix="telesurv-image-"))
    place.chmod(0o755)
    build = place / "build"
    build.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, build)
    for name in ("src", "kernels", "streams"):
        shutil.copytree(ROOT / name, build / name, ignore=shutil.ignore_patterns("__pycache__"))
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    made = ["--no-deps", "--no-build-isolation", "--wheel-dir", str(place), str(build)]
    subprocess.run([*pip, "wheel", *made], check=True)
    venv.create(place / "venv", symlinks=True)
    python = place / "venv" / "bin" / "python"
    wheel = next(place.glob("*.whl"))
    into = ["--python", str(python), "install", "--no-deps", str(wheel)]
    subprocess.run([*pip, *into], check=True)
    packages = next((place / "venv" / "lib").glob("python*")) / "site-packages"
    # A plain line of a .pth adds a folder without reading the .pth files in it: the editable
    # install of the repository stays out of sight.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    (place / "cache").mkdir()
    yield place
    shutil.rmtree(place, ignore_errors=True)


def within(image: Path, *words: str, as_nobody: bool = False) -> subprocess.CompletedProcess[str]:
    """Run a command of the image's environment, with its variables and no others."""
    environ = {
        "PATH": f"{image / 'venv' / 'bin'}:/usr/bin:/bin",
        **image_environment(),
        "NUMBA_CACHE_DIR": str(image / "cache"),
        "HOME": "/nonexistent",
    }
    drop = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    command = [*(drop if as_nobody else []), *words]
    return subprocess.run(
        command, env=environ, cwd="/", capture_output=True, text=True, check=False
    )


def counts(done: subprocess.CompletedProcess[str]) -> dict[str, int]:
    assert done.stdout, done.stderr
    found: dict[str, int] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_kernels_compiled_at_build_are_only_loaded_by_who_can_only_read_them(image: Path) -> None:
    where = within(image, "python", "-c", "import telesurv_kernels as k; print(k.__file__)")
    assert where.stdout.startswith(str(image)), "the wheel's package, not the repository's"
    cold = within(image, "telesurv", "warm", "--check", "--json")
    assert cold.returncode == 1, "what had to be compiled ends the check with 1"
    assert counts(cold)["compiled"] > 0
    again = within(image, "telesurv", "warm", "--check", "--json")
    assert again.returncode == 0, again.stderr
    assert counts(again)["compiled"] == 0
    assert counts(again)["loaded"] > 0
    keys = within(image, "python", "-c", KEYS)
    assert keys.stdout.strip() == "{('x86-64-v3', '')}", keys.stderr
    for path in [image / "cache", *(image / "cache").rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    root = os.geteuid() == 0
    if root and within(image, "python", "-c", "", as_nobody=True).returncode != 0:
        pytest.skip("root writes everywhere, and no other user can run this Python: the read-only "
                    "cache is not checked")  # fmt: skip
    before = sorted((image / "cache").rglob("*"))
    reader = within(image, "telesurv", "warm", "--check", "--json", as_nobody=root)
    assert reader.returncode == 0, reader.stderr
    assert counts(reader)["compiled"] == 0
    assert counts(reader)["loaded"] == counts(again)["loaded"]
    assert sorted((image / "cache").rglob("*")) == before
    serve = within(image, "telesurv", "serve", as_nobody=root)
    assert serve.returncode == 2
    assert "setting bootstrap is empty" in serve.stderr


KEYS = """
import pickle
from telesurv_kernels import _jit, registry
registry.warm()
seen = set()
for path in _jit.cache_root().rglob("*.nbi"):
    with path.open("rb") as file:
        pickle.load(file)
        stamp, overloads = pickle.loads(file.read())
    seen |= {key[1][1:] for key in overloads}
print(seen)
"""
