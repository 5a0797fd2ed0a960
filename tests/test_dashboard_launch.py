"""The command that starts the dashboard."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from streamlit import config

from talweg.dashboard.launch import APP, command


def test_store_and_token_stand_behind_the_double_dash() -> None:
    arguments = command("grpc://host:1", "0.0.0.0", 8502, True, token_file=Path("t"))
    cut = arguments.index("--")
    assert arguments[cut + 1 :] == ["--store", "grpc://host:1", "--token-file", "t"]
    assert arguments[:5] == [sys.executable, "-m", "streamlit", "run", str(APP)]
    assert APP.is_file()


@pytest.mark.parametrize(
    ("headless", "flag"), [(True, "--server.headless=true"), (False, "--server.headless=false")]
)
def test_a_browser_is_opened_only_when_asked_for(headless: bool, flag: str) -> None:
    assert flag in command("talweg.duckdb", headless=headless)


def test_every_option_is_one_that_streamlit_knows() -> None:
    flags = [a for a in command("talweg.duckdb")[5:] if a.startswith("--") and "=" in a]
    known = config.get_config_options()
    names = [flag.removeprefix("--").partition("=")[0] for flag in flags]
    assert [name for name in names if name not in known] == []
    assert "browser.gatherUsageStats" in names


def test_token_reaches_the_new_process_through_a_pipe_and_not_its_command_line() -> None:
    script = (
        "import os, sys\n"
        "from talweg.dashboard import launch\n"
        "fd = launch._pipe_with('secret')\n"
        "show = 'import sys; print(open(sys.argv[1]).read(), end=\"\")'\n"
        "os.execv(sys.executable, [sys.executable, '-c', show, f'/dev/fd/{fd}'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout == "secret"


def test_launching_needs_neither_streamlit_nor_torch() -> None:
    script = (
        "import sys, talweg.dashboard.launch\n"
        "print([m for m in ('streamlit', 'torch', 'ray', 'duckdb', 'pandas') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env=dict(os.environ),
    )
    assert done.stdout.strip() == "[]"
