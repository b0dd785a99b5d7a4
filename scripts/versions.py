"""Do the lowest and the highest allowed versions of the dependencies both work? An environment of each, and its tests.

For each: the rules', the vendors' and one whole chain's tests. Nothing of ``.venv`` changes; the environments stay in
``versions/`` so that a second run is quick.
"""

# ruff: noqa: S603, T201 - this script's job is to run installers and tests and to talk on the terminal

from __future__ import annotations

import subprocess
import sys

from prepare import PYTHON, ROOT, install_environment

WHICH = {"lowest": "lowest-direct", "highest": "highest"}
TOOLS = ("pytest", "pytest-timeout", "hypothesis", "aiosmtpd", "psutil")
TESTS = (
    "lms_assets_tests/domain",
    "lms_assets_tests/vendors",
    "lms_assets_tests/end_to_end/test_chain_equals_the_oracle.py::test_every_partner_counts_what_the_oracle_counts[sqlite-1]",
)


def main(names: list[str]) -> int:
    """Exit code 0 when all of them pass; `names` are some of WHICH, none for both."""
    failed = [name for name in names or WHICH if not _passes(name)]
    print("failed with the versions that are: " + ", ".join(failed) if failed else "passed")
    return 1 if failed else 0


def _passes(name: str) -> bool:
    place = ROOT / "versions" / name
    place.mkdir(parents=True, exist_ok=True)
    chosen, python = place / "requirements.txt", place / "venv" / "bin" / "python"
    uv = PYTHON.with_name("uv")
    resolution = ("--resolution", WHICH[name], "--python", PYTHON, "--all-extras", "--quiet")
    steps = (
        (uv, "pip", "compile", *resolution, "--upgrade", "--output-file", chosen, "pyproject.toml"),
        (uv, "venv", "--quiet", "--allow-existing", "--python", PYTHON, place / "venv"),
        (uv, "pip", "sync", "--quiet", "--python", python, chosen),
        (uv, "pip", "install", "--quiet", "--python", python, "--constraints", chosen, *TOOLS),
        (python, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *TESTS),
    )
    environment = {**install_environment(), "PYTHONPATH": str(ROOT)}
    return all(subprocess.run(step, cwd=ROOT, env=environment, check=False).returncode == 0 for step in steps)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
