"""Secrets leave every text, and texts keep their words."""

from __future__ import annotations

from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lms_assets.redaction import is_weak, redact, secrets_of_channel, secrets_of_url, without_credentials
from lms_assets.settings import load_settings

ADVICE = "Fix the cause, then lms-assets run daily_full --resume. The key is refused: ask for a new password."
KEYS = {"NORTHPASS_API_KEY": "np-0123456789abcdef", "IMPARTNER_API_KEY": "imp-0123456789abcdef"}


@pytest.mark.parametrize("secret", ["lms", "password", "is", "daily_full", "run", "key", "northpass", "2026-11-16"])
def test_a_secret_that_is_a_word_spoils_no_sentence_and_is_not_given_away(secret: str) -> None:
    assert is_weak(secret)
    assert redact(ADVICE + " --partition 2026-11-16", [secret]) == ADVICE + " --partition 2026-11-16"


@pytest.mark.parametrize(
    "text",
    [
        "password=lms", "Password: 'lms'", '{"api_key": "lms"}', "X-Api-Key: lms", "Authorization: Bearer lms",
        "pwd = lms;", "passwd 'lms' is wrong", "mysql://lms:lms@db/lms", "mysql+pymysql://portal:lms@db/x",
    ],
)  # fmt: skip
def test_a_word_that_is_a_secret_is_taken_out_where_a_secret_stands(text: str) -> None:
    said = without_credentials(redact(text, ["lms"]))
    assert "lms" not in said.removesuffix("@db/lms")


@given(
    st.text(max_size=50), st.text(max_size=50), st.sampled_from(["k3y-9f2b77c1", "S3cret!Pass word/9", "päss#wörd@123"])
)
def test_a_secret_that_no_text_holds_by_chance_never_survives(before: str, behind: str, secret: str) -> None:
    assert not is_weak(secret)
    for form in (secret, quote(secret, safe=""), quote_plus(secret)):
        assert form not in redact(f"{before}{form}{behind}", [secret])


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("mysql+pymysql://user:p%40ss%2Fw0rd1@db/portal", "p@ss/w0rd1"),
        ("mysql+pymysql://user:p%40ss%2Fw0rd1@db/portal", "p%40ss%2Fw0rd1"),
        ("mysql+pymysql://user:sl/ash12345@db/portal", "sl/ash12345"),
        ("smtp://user:an@at12345@mail.example.com:587", "an@at12345"),
    ],
)
def test_a_password_is_known_however_its_url_spells_it(url: str, secret: str) -> None:
    assert secret in secrets_of_url(url)


def test_a_channels_tokens_are_secrets_by_themselves() -> None:
    url = "https://discord.com/api/webhooks/1122334455667788990/aB3dE6gH9jK2mN5pQ8sT"
    assert redact("404 for aB3dE6gH9jK2mN5pQ8sT", secrets_of_channel(url)) == "404 for [secret]"


def test_every_password_of_the_environment_is_a_secret() -> None:
    environment = KEYS | {
        "LMS_WAREHOUSE_URL": "mysql+pymysql://lms:wh-p%40ss-77@db/portal",
        "LMS_SMTP_URL": "smtp://reports:mail-pass-77@mail.example.com",
        "LMS_MAIL_FROM": "reports@example.com",
        "LMS_HEARTBEAT_URL": "https://alive.example.com/ping/0f9e8d7c6b5a49382716",
        "DAGSTER_MYSQL_PASSWORD": "dagster-pass-77",
    }
    secrets = load_settings(environment).secrets
    for secret in (*KEYS.values(), "wh-p@ss-77", "mail-pass-77", "0f9e8d7c6b5a49382716", "dagster-pass-77"):
        assert secret not in redact(f"it said {secret}.", secrets)


def test_secrets_that_cannot_be_kept_out_of_logs_are_named_by_their_variables() -> None:
    environment = KEYS | {
        "LMS_WAREHOUSE_URL": "mysql+pymysql://lms:lms@db/portal",
        "DAGSTER_MYSQL_PASSWORD": "dagster",
    }
    assert load_settings(environment).weak_secrets == ("LMS_WAREHOUSE_URL", "DAGSTER_MYSQL_PASSWORD")
    assert load_settings(KEYS | {"LMS_WAREHOUSE_URL": "sqlite:///x.db"}).weak_secrets == ()
