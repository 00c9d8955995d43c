"""Compressed bodies, read within bounds."""

from __future__ import annotations

import zlib

import zstandard
from starlette.exceptions import HTTPException

from sentinel.errors import InvalidError

_GZIP = 16 + zlib.MAX_WBITS
# Each further part of a body costs a copy of what is left.
MAX_PARTS = 100
# So much of a zstd body becomes 8 MB at most.
_ZSTD_BYTES = 256


def decoded(body: bytes, encoding: str, *, max_bytes: int) -> bytes:
    """Return a body as it was before it was compressed.

    Args:
        encoding: The Content-Encoding; empty, identity, gzip or zstd.

    Raises:
        HTTPException: 415, the encoding is another; 413, what comes out is larger than allowed.
        InvalidError: The body is not compressed so, or is cut off.
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
    found, left, parts = bytearray(), body, 0
    try:
        while left and len(found) <= max_bytes:
            parts += 1
            if parts > MAX_PARTS:
                raise InvalidError(f"the body consists of more than {MAX_PARTS} gzip members; compress it as one")
            member = zlib.decompressobj(_GZIP)
            found += member.decompress(left, max_bytes + 1 - len(found))
            if not member.eof and len(found) <= max_bytes:
                raise InvalidError("the body is said to be gzip and is cut off")
            left = member.unused_data
    except zlib.error as error:
        raise InvalidError(f"the body is said to be gzip and is not: {error}") from error
    return bytes(found)


def _unzstd(body: bytes, max_bytes: int) -> bytes:
    found, parts = bytearray(), 0
    frames = zstandard.ZstdDecompressor(max_window_size=2**23)
    frame = frames.decompressobj()
    is_open = False
    try:
        for at in range(0, len(body), _ZSTD_BYTES):
            piece = body[at : at + _ZSTD_BYTES]
            while piece:
                if not is_open:
                    parts += 1
                    if parts > MAX_PARTS:
                        raise InvalidError(
                            f"the body consists of more than {MAX_PARTS} zstd frames; compress it as one"
                        )
                    frame, is_open = frames.decompressobj(), True
                found += frame.decompress(piece)
                piece, is_open = frame.unused_data, not frame.eof
            if len(found) > max_bytes:
                return bytes(found)
    except zstandard.ZstdError as error:
        raise InvalidError(f"the body is said to be zstd and is not: {error}") from error
    if is_open or not parts:
        raise InvalidError("the body is said to be zstd and is cut off")
    return bytes(found)
