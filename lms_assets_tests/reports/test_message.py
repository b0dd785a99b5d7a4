"""The mail as a mail program parses it."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import pytest

from lms_assets.reports.delivery.message import UnusableAddress, build_message, message_id
from lms_assets.reports.rendering.render import InlineImage, Rendered

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
RENDERED = Rendered(
    subject="Week of 23 November – +3 NPCU",
    html='<p>Grüße 株式会社 <img src="cid:chart@reports"></p>' + "x" * 3000,
    text="Grüße 株式会社",
    images=(InlineImage("chart@reports", b"\x89PNG....", "a chart"),),
)


def parsed(**changes):
    values = {
        "to": "olga@example.com",
        "name": "Olga Example",
        "mail_from": "Reports <reports@example.com>",
        "message_key": "k",
        "now": NOW,
    }
    return message_from_bytes(build_message(RENDERED, **(values | changes)).as_bytes(), policy=default)


def test_text_html_and_picture_are_where_mail_programs_look_for_them():
    mail = parsed()

    assert mail.get_content_type() == "multipart/alternative"
    assert mail.get_body(("plain",)).get_content().strip() == "Grüße 株式会社"
    assert "Grüße 株式会社" in mail.get_body(("html",)).get_content()
    related = mail.get_payload()[1]
    assert related.get_content_type() == "multipart/related"
    picture = related.get_payload()[1]
    assert picture["Content-ID"] == "<chart@reports>"
    assert picture.get_content_disposition() == "inline"
    assert picture.get_content() == b"\x89PNG...."


def test_headers_say_who_when_and_that_no_answer_is_expected():
    mail = parsed()

    assert mail["To"] == "Olga Example <olga@example.com>"
    assert mail["From"] == "Reports <reports@example.com>"
    assert mail["Subject"] == RENDERED.subject
    assert mail["Date"].datetime == NOW
    assert mail["Auto-Submitted"] == "auto-generated"


@pytest.mark.parametrize("name", ["Eve\r\nBcc: all@example.com", "Eve\nSubject: x", 'Eve" <eve@example.com>,', "\x00"])
def test_no_name_adds_a_header_or_a_recipient(name):
    mail = parsed(name=name)

    assert mail["Bcc"] is None
    assert len(mail.get_all("Subject")) == 1
    assert [each.addr_spec for each in mail["To"].addresses] == ["olga@example.com"]


@pytest.mark.parametrize(
    "address", ["", "nobody", "a@b@example.com", "a@example.com\r\nBcc: b@example.com", "ü@example.com"]
)
def test_an_address_that_cannot_be_used_is_refused_without_being_repeated(address):
    with pytest.raises(UnusableAddress) as refused:
        parsed(to=address or " ")

    assert not address or address not in str(refused.value)


def test_a_domain_in_other_letters_is_written_as_mail_servers_take_it():
    assert parsed(to="olga@söhne.example.com")["To"].addresses[0].domain == "xn--shne-5qa.example.com"


def test_every_line_is_short_and_ascii_so_that_any_server_takes_it():
    raw = build_message(
        RENDERED, to="o@example.com", name="Ø", mail_from="r@example.com", message_key="k", now=NOW
    ).as_bytes()

    assert raw.isascii()
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_attempts_at_one_message_have_one_id_and_others_another():
    assert parsed()["Message-ID"] == parsed()["Message-ID"] == message_id("k", "r@example.com")
    assert parsed()["Message-ID"] != parsed(message_key="l")["Message-ID"]
