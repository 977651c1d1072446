"""The login of the command line, from Python."""

from __future__ import annotations

import getpass
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support import MFA, PASSWORD, USER, Sandbox

import cdse_auth
from cdse_auth.exceptions import NotLoggedInError, TokenRefreshError


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Someone at the keyboard, who gives these answers; what was asked."""

    def give(*texts: str) -> list[str]:
        asked: list[str] = []
        left = list(texts)

        def answer(question: str = "") -> str:
            asked.append(question)
            if not left:
                raise EOFError
            return left.pop(0)

        monkeypatch.setattr("builtins.input", answer)
        monkeypatch.setattr(getpass, "getpass", answer)
        return asked

    return give


def test_py8_a_login_asks_once_and_every_program_has_it(
    sandbox: Sandbox, state: Path, program: str, answers: Callable[..., list[str]]
) -> None:
    asked = answers(USER, PASSWORD, "")
    manager = cdse_auth.login()
    assert [text.split()[0] for text in asked] == ["CDSE", "Password", "One-time"]
    assert sandbox.accepts(manager.authorization_header())
    assert cdse_auth.login().authorization_header() == manager.authorization_header()
    assert len(asked) == 3
    token = subprocess.run([program, "auth", "token"], check=True, capture_output=True, text=True).stdout.strip()
    assert manager.authorization_header() == f"Bearer {token}"
    assert sandbox.counters["password_grants"] == 1


def test_py8_the_code_is_asked_last(
    sandbox: Sandbox, state: Path, program: str, answers: Callable[..., list[str]]
) -> None:
    code = subprocess.run([program, "sandbox", "code", MFA], check=True, capture_output=True, text=True).stdout.strip()
    asked = answers(PASSWORD, code)
    manager = cdse_auth.login(MFA, profile="second")
    assert asked[-1].startswith("One-time code")
    assert sandbox.accepts(manager.authorization_header())
    assert cdse_auth.default_manager("second").status().username == MFA


def test_py8_a_refused_login_leaves_nothing(state: Path, answers: Callable[..., list[str]]) -> None:
    answers(USER, "wrong", "")
    with pytest.raises(TokenRefreshError):
        cdse_auth.login()
    with pytest.raises(NotLoggedInError):
        cdse_auth.default_manager()


def test_py8_where_nobody_can_be_asked_it_says_what_to_set(state: Path, answers: Callable[..., list[str]]) -> None:
    answers()
    with pytest.raises(NotLoggedInError, match="CDSE_USERNAME"):
        cdse_auth.login()
