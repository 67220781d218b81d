import pytest

from tests.support.services import require


def test_a_service_that_is_there_lets_the_test_go_on() -> None:
    require(True, "needs nothing")


def test_a_missing_service_skips_on_a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs a Docker engine"):
        require(None, "needs a Docker engine")


def test_a_missing_service_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="needs a Docker engine"):
        require(None, "needs a Docker engine")
