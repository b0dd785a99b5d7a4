"""Where requests may go: the configured base address and nothing else. Decides; sends nothing."""

from __future__ import annotations

import ipaddress
import os
from dataclasses import dataclass
from urllib.parse import quote, unquote, urljoin

from requests.utils import get_environ_proxies
from urllib3.exceptions import LocationParseError
from urllib3.util import Url, parse_url

_PORTS = {"http": 80, "https": 443}


class ForeignLink(ValueError):
    """The link does not lead to the configured address. Its text is not in the message."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port of a vendor, and the path below which all its endpoints lie."""

    scheme: str
    host: str
    port: int
    path: str

    @classmethod
    def of(cls, base_url: str) -> Origin:
        """The origin of a configured base URL. ValueError says what is wrong with it.

        `http://` is accepted for loopback addresses only: elsewhere the key would travel in the clear.
        """
        try:
            url = parse_url(base_url.strip())
        except LocationParseError:
            raise ValueError("the base URL cannot be read") from None
        if url.scheme not in _PORTS or not url.host:
            raise ValueError("the base URL must begin with https:// and name a host")
        if url.auth or url.query or url.fragment:
            raise ValueError("the base URL must hold no user, password, query or fragment")
        if url.scheme == "http" and not is_loopback(url.host):
            raise ValueError("http:// is accepted for loopback addresses only; use https://")
        return cls(url.scheme, url.host, url.port or _PORTS[url.scheme], (url.path or "").rstrip("/"))

    @property
    def base(self) -> str:
        """The base URL, without a slash at the end."""
        return str(Url(self.scheme, None, self.host, self.port, self.path))

    def address(self, template: str, **ids: object) -> str:
        """The URL of an endpoint; each id becomes one quoted path segment, whatever it holds."""
        segments = {name: path_segment(value) for name, value in ids.items()}
        return self.base + template.format(**segments)

    def pinned(self, link: str) -> str:
        """The link in its normal form, if it stays at this origin. Raises ForeignLink otherwise."""
        if any(character <= " " or character == "\\" for character in link):
            raise ForeignLink("it holds blanks or backslashes")
        try:
            url = parse_url(urljoin(self.base + "/", link))
        except (LocationParseError, ValueError):
            raise ForeignLink("it cannot be read") from None
        if url.auth:
            raise ForeignLink("it holds a user name")
        if (url.scheme, url.host, url.port or _PORTS.get(url.scheme or "")) != (self.scheme, self.host, self.port):
            raise ForeignLink("it leads to another scheme, host or port")
        if not (url.path or "").startswith(self.path + "/") or _climbs(unquote(url.path or "")):
            raise ForeignLink("it leads to another path")
        return url.url

    def proxies(self) -> dict[str, str]:
        """Proxies from the environment, without the user names in them; none for loopback addresses."""
        if is_loopback(self.host):
            return {}
        found = get_environ_proxies(self.base)
        return {scheme: _without_user(proxy) for scheme, proxy in found.items() if scheme in ("https", "all")}


def is_loopback(host: str) -> bool:
    """True for localhost, 127.0.0.0/8 and ::1."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def path_segment(value: object) -> str:
    """The value quoted as one path segment. ValueError if it could change the path."""
    text = str(value)
    if not text or _climbs(text) or len(text) > 1000 or not text.isprintable():
        raise ValueError("not a usable id")
    return quote(text, safe="", errors="strict")


def _climbs(path: str) -> bool:
    """Whether a server that decodes the path could leave it, or read it as a shorter one."""
    return any(segment in (".", "..") for segment in path.replace("\\", "/").split("/"))


def certificate_bundle() -> str | bool:
    """What server certificates are verified with: the bundle named in the environment, else the usual one."""
    return os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True


def _without_user(proxy: str) -> str:
    url = parse_url(proxy)
    return str(Url(url.scheme, None, url.host, url.port, url.path))
