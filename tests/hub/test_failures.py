"""`openenv.hub.failures`: every error of the library is one of ours, and only what passes is tried again."""

import httpx2
import pytest
from huggingface_hub import errors as library_errors

from openenv.hub.failures import failures, retry_after_s, transient_reason, translate

URL = "https://hub.example"


def answered(status: int, said: str | None = None, **headers: str) -> Exception:
    response = httpx2.Response(status, headers=headers, request=httpx2.Request("GET", f"{URL}/api"))
    return library_errors.HfHubHTTPError("its own words", response=response, server_message=said)


def wrapped(cause: Exception) -> Exception:
    error = RuntimeError("Error while uploading 'x' to the Hub.")
    error.__cause__ = cause
    return error


def all_http_errors() -> list[type[Exception]]:
    found: list[type[Exception]] = [httpx2.HTTPError]
    for each in found:
        found += each.__subclasses__()
    return found


@pytest.mark.parametrize("kind", all_http_errors(), ids=lambda kind: kind.__name__)
def test_every_error_of_its_http_library_is_known(kind: type[Exception]) -> None:
    assert issubclass(kind, failures())


@pytest.mark.parametrize(
    "kind",
    [
        library_errors.DeviceCodeError,
        library_errors.HFValidationError,
        library_errors.HfHubHTTPError,
        library_errors.LocalTokenNotFoundError,
        library_errors.OfflineModeIsEnabled,
        library_errors.RepositoryNotFoundError,
    ],
)
def test_every_error_of_the_calls_we_make_is_known(kind: type[Exception]) -> None:
    assert issubclass(kind, failures())


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
def test_moods_of_the_hub_pass(status: int) -> None:
    assert transient_reason(answered(status), was_reached=False) == f"the Hub answered {status}"
    assert transient_reason(wrapped(answered(status)), was_reached=False) == f"the Hub answered {status}"


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 413, 501])
def test_refusals_do_not(status: int) -> None:
    assert transient_reason(answered(status), was_reached=True) is None


@pytest.mark.parametrize(
    ("error", "reached", "not_reached", "only_if_refused"),
    [
        (httpx2.ReadError("reset"), True, True, False),
        (httpx2.ReadTimeout("slow"), True, True, False),
        (httpx2.RemoteProtocolError("gone"), True, True, False),
        (httpx2.ConnectError("refused"), True, False, True),
        (httpx2.ConnectTimeout("slow"), True, False, True),
        (httpx2.UnsupportedProtocol("ftp"), False, False, False),
        (ValueError("bad"), False, False, False),
        (answered(500), True, True, False),
        (answered(503), True, True, True),
        (answered(429), True, True, True),
    ],
)
def test_a_broken_connection_passes_unless_none_was_ever_made(
    error: Exception, *, reached: bool, not_reached: bool, only_if_refused: bool
) -> None:
    assert (transient_reason(error, was_reached=True) is not None) is reached
    assert (transient_reason(error, was_reached=False) is not None) is not_reached
    assert (transient_reason(error, was_reached=True, only_if_refused=True) is not None) is only_if_refused


@pytest.mark.parametrize(
    ("given", "seconds"), [("7", 7.0), (" 0 ", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", None), ("-1", None), ("", None)]
)
def test_the_wait_it_asks_for_is_read_where_it_is_a_number(given: str, seconds: float | None) -> None:
    assert retry_after_s(answered(429, **{"Retry-After": given})) == seconds


def test_no_wait_is_asked_for_without_an_answer() -> None:
    assert retry_after_s(httpx2.ReadError("reset")) is None
    assert retry_after_s(answered(503)) is None


@pytest.mark.parametrize(
    ("error", "sentence", "hint"),
    [
        (answered(403, "No\nrights"), "the Hub could not do it: No rights (HTTP 403)", "may write for the owner"),
        (answered(401), "the Hub could not do it: it does not accept the token (HTTP 401)", "hf auth login"),
        (answered(402), "the Hub could not do it: that has to be paid for (HTTP 402)", "--hardware"),
        (answered(418), "the Hub could not do it: it does not say why (HTTP 418)", None),
        (answered(599), "the Hub could not do it: it does not say why (HTTP 599)", "later"),
        (httpx2.ConnectError("refused"), f"the Hub at {URL} cannot be reached: refused", "network"),
        (httpx2.ReadError(""), "the connection to the Hub failed, so it did not do it: ReadError", "push again"),
        (library_errors.OfflineModeIsEnabled("x"), "HF_HUB_OFFLINE forbids every call to the Hub", "unset"),
        (wrapped(answered(413)), "the Hub could not do it: it is too large (HTTP 413)", "--exclude"),
        (
            ValueError("Invalid metadata in README.md.\n- no"),
            "the Hub could not do it: Invalid metadata in README.md. - no",
            None,
        ),
    ],
)
def test_a_failure_is_one_sentence_and_what_to_do(
    error: Exception, sentence: str, hint: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    translated = translate("do it", error, URL)
    assert str(translated) == sentence
    assert translated.exit_code == 1
    assert (translated.hint is None) is (hint is None)
    assert (hint or "") in (translated.hint or "")


def test_a_token_in_the_environment_is_told_apart_from_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "x")
    assert (translate("do it", answered(401), URL).hint or "").startswith("HF_TOKEN goes before the login")
