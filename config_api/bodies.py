"""Compressed bodies, read within bounds."""

from __future__ import annotations

import zlib
from io import BytesIO

import zstandard
from starlette.exceptions import HTTPException

from sentinel.errors import InvalidError

_GZIP = 16 + zlib.MAX_WBITS


def decoded(body: bytes, encoding: str, *, max_bytes: int) -> bytes:
    """Return a body as it was before it was compressed.

    Args:
        encoding: The Content-Encoding; empty, identity, gzip or zstd.

    Raises:
        HTTPException: 415, the encoding is another; 413, what comes out is larger than allowed.
        InvalidError: The body is not compressed so.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return body
        case "gzip" | "x-gzip":
            found = _gunzip(body, max_bytes)
        case "zstd":
            found = _unzstd(body, max_bytes)
        case other:
            raise HTTPException(415, f"Content-Encoding {other[:40]!r} is not read; send gzip, zstd or none")
    if len(found) > max_bytes:
        raise HTTPException(413, f"decompressed the body has more than {max_bytes} bytes; send less at once")
    return found


def _gunzip(body: bytes, max_bytes: int) -> bytes:
    found, left = bytearray(), body
    try:
        while left and len(found) <= max_bytes:
            member = zlib.decompressobj(_GZIP)
            found += member.decompress(left, max_bytes + 1 - len(found))
            if not member.eof and len(found) <= max_bytes:
                raise InvalidError("the body is said to be gzip and is cut off")
            left = member.unused_data
    except zlib.error as error:
        raise InvalidError(f"the body is said to be gzip and is not: {error}") from error
    return bytes(found)


def _unzstd(body: bytes, max_bytes: int) -> bytes:
    try:
        with zstandard.ZstdDecompressor(max_window_size=2**23).stream_reader(
            BytesIO(body), read_across_frames=True
        ) as reader:
            return reader.read(max_bytes + 1)
    except zstandard.ZstdError as error:
        raise InvalidError(f"the body is said to be zstd and is not: {error}") from error
