"""What others wrote is shown and never obeyed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from lms_assets.checks.evaluations import result_of
from lms_assets.checks.incidents import incident_result
from lms_assets.checks.specs import CHECKS
from lms_assets.domain.operations.incident import begun, over
from lms_assets.domain.safety.check_results import CheckResult
from lms_assets.domain.wording import as_markdown, as_text
from lms_assets.reports.rendering import formatting as words
from lms_assets_tests.harness.incidents import an_incident

NOW = datetime(2026, 11, 23, 2, tzinfo=UTC)
HOSTILE = (
    "![x](https://evil.example/x.png)",
    "[open the run](https://evil.example)",
    "[open][1]\n\n[1]: https://evil.example",
    "<img src=https://evil.example/x.png onerror=alert(1)>",
    "https://evil.example and www.evil.example",
    "@everyone @here <!channel> <@U123> <at>all</at>",
    "`code` **bold** ||hidden|| ~~gone~~\n# Heading\n- item",
    "right \u202e to left \x1b[31m red",
)
MARKDOWN = MarkdownIt("gfm-like", {"linkify": False})


def live(said: str) -> list[str]:
    """What a chat, a mail program or a browser would act on."""
    signs = ("@everyone", "@here", "<", "](", "][", "://", "www.", "![", "`", "**", "||", "~~", "\u202e", "\x1b", "\n")
    return [sign for sign in signs if sign in said]


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_foreign_is_live_in_an_alert(text: str) -> None:
    incident = an_incident(what=text, effect=text, remedy=text, run_id="a1")
    for message in (begun(incident, "https://ui.example"), over(incident, NOW, "https://ui.example")):
        own = message.body.replace("Look here: https://ui.example", "")
        lines = own.splitlines()
        assert not [sign for line in (*lines, message.title) for sign in live(line)]
        assert all(line.split(":")[0] in {"What", "Since", "Effect", "What to do", "Resolved", "It began", "It ended",
                                          "Look here", "Runbook", "/runs/a1", ""} for line in lines)  # fmt: skip
        assert "Look here: https://ui.example" in message.body


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_foreign_is_live_where_the_ui_shows_checks(text: str) -> None:
    line = next(each for each in CHECKS if not each.warning)
    assert not live(result_of(line, CheckResult(False, text)).description or "")
    shown = incident_result("courses", [an_incident(what=text, effect=text, remedy=text)])
    assert not live(shown.description or "")
    tokens = MARKDOWN.parse(shown.metadata["incidents"].value)
    found = {each.type for token in tokens for each in (token, *(token.children or ()))}
    assert found <= {
        "paragraph_open",
        "paragraph_close",
        "inline",
        "text",
        "text_special",
        "strong_open",
        "strong_close",
    }


@pytest.mark.parametrize("text", HOSTILE)
def test_nothing_foreign_is_live_in_a_name_of_a_report(text: str) -> None:
    """HTML is escaped there, and `<` is an ordinary sign in text; what programs find by themselves is not."""
    assert not {"@everyone", "@here", "://", "www.", "\u202e", "\x1b", "\n"} & set(live(words.name(text)))


@given(st.text())
def test_quoting_twice_is_quoting_once_and_markdown_shows_the_same(text: str) -> None:
    quoted = as_text(text)
    assert as_text(quoted) == quoted
    (_, inline, _) = MARKDOWN.parse("x" + as_markdown(text))
    assert "".join(token.content for token in inline.children) == ("x" + quoted)


@pytest.mark.parametrize(
    "text",
    [
        "partner_cert_counts",
        "Larch & Söhne GmbH (Köln)",
        "5 % of 1,234: 3-4",
        "lms-assets run daily_full --resume",
        "日本",
    ],
)
def test_ordinary_texts_stay_as_they_are(text: str) -> None:
    assert as_text(text) == text
