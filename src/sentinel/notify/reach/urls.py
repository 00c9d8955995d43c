"""URLs that tenants name: read once, so that what is judged is what is called."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import httpx

from sentinel.errors import InvalidError

MAX_URL_CHARACTERS = 2000
HOST = re.compile(r"[a-z0-9_.-]{1,253}|[0-9a-f:.]{2,45}")


@dataclass(frozen=True, slots=True)
class TargetUrl:
    """A URL taken apart. Its path and query may be secrets: only `host` is ever shown.

    Attributes:
        host: In ASCII, in lower case, without brackets.
        path: With the query, as it is sent.
    """

    is_encrypted: bool
    host: str
    port: int
    path: str = field(repr=False)

    @property
    def authority(self) -> str:
        """What the host header says."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.is_encrypted else 80) else f"{host}:{self.port}"


def read_url(text: str) -> TargetUrl:
    """Read an absolute URL of http or https. A fragment is dropped: it is never sent.

    Raises:
        InvalidError: It is none, or holds a user name or password. The message does not hold the URL.
    """
    if len(text) > MAX_URL_CHARACTERS:
        raise InvalidError(f"the URL has {len(text)} characters; {MAX_URL_CHARACTERS} are the most")
    if not text.isprintable() or " " in text:
        raise InvalidError("the URL holds a space or a character that cannot be printed")
    try:
        url = httpx.URL(text)
    except (httpx.InvalidURL, ValueError, UnicodeError) as error:
        raise InvalidError("the URL cannot be read; write it as https://host/path") from error
    if url.scheme not in {"http", "https"} or not url.raw_host:
        raise InvalidError("the URL does not begin with https:// and a host")
    if url.userinfo:
        raise InvalidError("the URL holds a user name or password before its host, which is not supported")
    port = url.port if url.port is not None else {"http": 80, "https": 443}[url.scheme]
    if not 1 <= port <= 65535:
        raise InvalidError(f"{port} is no port; ports are 1 to 65535")
    host = url.raw_host.decode("ascii").lower()
    if not HOST.fullmatch(host):
        raise InvalidError(f"{host[:100]!r} is not the name of a host")
    return TargetUrl(url.scheme == "https", host, port, url.raw_path.decode("ascii"))
