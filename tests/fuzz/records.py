"""Records that nobody meant to send: mutations of valid events, the same for the same seed."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sentinel.domain.event_schema import ArrayType, FieldType, StructType
from tests.fuzz.tokens import Tokens
from tests.support.malformed import ALL, SCHEMA

__all__ = ["SCHEMA", "Fuzzed", "RecordMutator"]

MAX_RECORD_BYTES = 65_536
"""What the pipelines of the fuzz take; small, so that records at the border cost little."""
# One of so many records is long or deep: each costs as much as hundreds of others.
DEAR_EVERY = 200

# Overlong forms, halves of pairs, bytes that never occur, a code point that is none, cut sequences.
BAD_UTF8 = (
    b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xed\xa0\xbd\xed\xb2\xb3", b"\xff", b"\xfe\xff",
    b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", b"\xe2\x82", b"\x80", b"\xc3", b"\xef\xbf\xbe",
)  # fmt: skip

Members = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Fuzzed:
    """A record.

    Attributes:
        how: What was done to a valid event, for a person.
    """

    value: bytes | None
    how: str


class RecordMutator:
    """Makes records for `SCHEMA`.

    Args:
        chance: Where all randomness comes from; one that was seeded makes the same records again.
    """

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._tokens = Tokens(chance)
        self._made = 0
        self._last = b'{"id":"first","amount":1}'
        self._texts: tuple[Callable[[Members], str], ...] = (
            self._as_it_is,
            self._other_value,
            self._other_value,
            self._other_value,
            self._other_value_inside,
            self._other_value_inside,
            self._key_twice,
            self._without_key,
            self._odd_key,
            self._token_broken,
            self._around,
            self._two_documents,
            self._spliced,
            self._unknown_member,
        )
        self._bytes: tuple[Callable[[bytes], bytes | None], ...] = (
            self._cut,
            self._flipped,
            self._bytes_inserted,
            self._span_doubled,
            self._other_encoding,
            self._bad_utf8,
            self._random_bytes,
            self._nothing,
            self._with_last,
        )

    def records(self, count: int) -> Iterator[Fuzzed]:
        """Yield so many records."""
        for _ in range(count):
            yield self.record()

    def record(self) -> Fuzzed:
        """Return the next record."""
        self._made += 1
        if self._made <= len(ALL):
            known = ALL[self._made - 1]
            return Fuzzed(known.value, f"known: {known.name}")
        if self._made % DEAR_EVERY == 0:
            return self._dear()
        change = self._chance.choice(self._texts)
        done = [change.__name__.strip("_")]
        value: bytes | None = change(self.members()).encode("utf-8", "surrogatepass")
        if self._chance.random() < 0.25:
            spoil = self._chance.choice(self._bytes)
            done.append(spoil.__name__.strip("_"))
            value = spoil(value or b"")
        if value is not None and len(value) < 2_000:
            self._last = value
        return Fuzzed(value, ", ".join(done))

    def members(self) -> Members:
        """Return the members of a valid event, of each field with a chance, as (name, JSON text)."""
        found: Members = []
        for field in SCHEMA:
            if field.nullable and self._chance.random() < 0.5:
                continue
            found.append((field.name, self._tokens.valid(field.type)))
        if self._chance.random() < 0.2:
            self._chance.shuffle(found)
        return found

    # -- changes of the text

    def _as_it_is(self, members: Members) -> str:
        return _object(members)

    def _other_value(self, members: Members) -> str:
        field = self._chance.choice(SCHEMA.fields)
        token = self._tokens.hostile_for(field.type)
        return _object([*[each for each in members if each[0] != field.name], (field.name, token)])

    def _other_value_inside(self, members: Members) -> str:
        field = self._chance.choice([each for each in SCHEMA if isinstance(each.type, ArrayType | StructType)])
        return _object([*[each for each in members if each[0] != field.name], (field.name, self._inside(field.type))])

    def _inside(self, kind: FieldType) -> str:
        """Return a value of this type of which one part is hostile."""
        match kind:
            case ArrayType(element):
                items = [self._tokens.valid(element) for _ in range(self._chance.randrange(3))]
                items.insert(self._chance.randint(0, len(items)), self._inside(element))
                return "[" + ",".join(items) + "]"
            case StructType(fields):
                chosen, inner = self._chance.choice(fields)
                parts = [(name, self._tokens.valid(of)) for name, of in fields if name != chosen]
                parts.insert(self._chance.randint(0, len(parts)), (chosen, self._inside(inner)))
                if self._chance.random() < 0.1:
                    parts.append((chosen, self._tokens.hostile_for(inner)))
                return _object(parts)
        return self._tokens.hostile_for(kind)

    def _key_twice(self, members: Members) -> str:
        field = self._chance.choice(SCHEMA.fields)
        token = self._chance.choice((self._tokens.valid, self._tokens.hostile_for))(field.type)
        members.insert(self._chance.randint(0, len(members)), (field.name, token))
        return _object(members)

    def _without_key(self, members: Members) -> str:
        members.pop(self._chance.randrange(len(members)))
        return _object(members)

    def _odd_key(self, members: Members) -> str:
        at = self._chance.randrange(len(members))
        name, token = members[at]
        written = self._chance.choice(
            (
                json.dumps(name.upper()),
                json.dumps(name + " "),
                json.dumps(name + "\x00"),
                '"' + "".join(f"\\u{ord(character):04x}" for character in name) + '"',
                '""',
                name,
                f"'{name}'",
                '"\\ud800"',
                '"_bad"',
                '"_v"',
                "null",
                "1",
                self._tokens.string(),
            )
        )
        return _object([each for number, each in enumerate(members) if number != at], f"{written}:{token}")

    def _token_broken(self, members: Members) -> str:
        at = self._chance.randrange(len(members))
        broken = self._tokens.broken()
        return _object([(name, broken if number == at else token) for number, (name, token) in enumerate(members)])

    def _around(self, members: Members) -> str:
        before, after = self._chance.choice(
            (
                (" \t\r\n", "\n"),
                ("\ufeff", ""),
                ("\u00a0", ""),
                ("", "\u2028"),
                ("\x0b", ""),
                ("", "\x00"),
                ("[", "]"),
                ("", "]"),
                ("", "}"),
                ("", "]}"),
                ('"', '"'),
                ("//", ""),
                ("", "//"),
                ("/**/", ""),
                ("", " x"),
                ("", ","),
                (",", ""),
                ("", '],"x":[1'),
                ("", ',{"x":true}],"y":[1'),
                ("", ',{"_seal":true}'),
                ("null,", ""),
                ("(", ")"),
                ("\x1e", "\n"),
                ("1 ", ""),
            )
        )
        return before + _object(members) + after

    def _two_documents(self, members: Members) -> str:
        between = self._chance.choice(("", "\n", ",", " ", "\x00", "]["))
        return _object(members) + between + _object(self.members())

    def _spliced(self, members: Members) -> str:
        one, other = _object(members), _object(self.members())
        return one[: self._chance.randint(0, len(one))] + other[self._chance.randint(0, len(other)) :]

    def _unknown_member(self, members: Members) -> str:
        members.insert(self._chance.randint(0, len(members)), (self._tokens.name(), self._tokens.hostile()))
        return _object(members)

    # -- changes of the bytes

    def _cut(self, value: bytes) -> bytes:
        return value[: self._chance.randint(0, len(value))]

    def _flipped(self, value: bytes) -> bytes:
        changed = bytearray(value)
        for _ in range(self._chance.choice((1, 1, 2, 8))):
            if changed:
                changed[self._chance.randrange(len(changed))] ^= 1 << self._chance.randrange(8)
        return bytes(changed)

    def _bytes_inserted(self, value: bytes) -> bytes:
        at = self._chance.randint(0, len(value))
        return value[:at] + self._chance.randbytes(self._chance.choice((1, 1, 2, 5))) + value[at:]

    def _span_doubled(self, value: bytes) -> bytes:
        begin = self._chance.randint(0, len(value))
        end = self._chance.randint(begin, min(len(value), begin + 40))
        return value[:end] + value[begin:end] * self._chance.choice((1, 2, 10)) + value[end:]

    def _other_encoding(self, value: bytes) -> bytes:
        encoding = self._chance.choice(("utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "utf-7", "cp500"))
        return value.decode("utf-8", "replace").encode(encoding, "replace")

    def _bad_utf8(self, value: bytes) -> bytes:
        bad = self._chance.choice(BAD_UTF8)
        at = value.find(b'"', self._chance.randint(0, len(value))) + 1
        return value[:at] + bad + value[at:]

    def _random_bytes(self, _: bytes) -> bytes:
        return self._chance.randbytes(self._chance.choice((1, 2, 3, 16, 200)))

    def _nothing(self, _: bytes) -> bytes | None:
        return self._chance.choice((None, b"", b" ", b"\n\t", b"\x00", b"null", b"{}", b"[]", b'""', b"0", b"[{}]"))

    def _with_last(self, value: bytes) -> bytes:
        return value[: self._chance.randint(0, len(value))] + self._last[self._chance.randint(0, len(self._last)) :]

    # -- what is long or deep

    def _dear(self) -> Fuzzed:
        members = [each for each in self.members() if each[0] != "user"]
        match self._chance.randrange(6):
            case 0:
                size = MAX_RECORD_BYTES + self._chance.choice((-1, 0, 1, 1_000))
                body = _object(members)
                return Fuzzed((body + " " * (size - len(body.encode()))).encode(), "at the limit of bytes")
            case 1:
                depth = self._chance.randint(985, 1_005)
                where = self._chance.choice(("user", "other", "tags"))
                inner = self._chance.choice(("1", "null", '""'))
                opened, closed = self._chance.choice((("[", "]"), ('{"a":', "}")))
                return Fuzzed(_object([*members, (where, opened * depth + inner + closed * depth)]).encode(), "deep")
            case 2:
                length = self._chance.choice((999, 1_000, 1_001, 20_000))
                field = self._chance.choice(("amount", "count", "price", "other", "at", "user"))
                digits = self._chance.choice("123456789") * length
                token = self._chance.choice((digits, f"-{digits}", f"0.{digits}", f'"{digits}"', f"1e{digits}"))
                left = [each for each in members if each[0] != field]
                return Fuzzed(_object([*left, (field, token)]).encode(), "many digits")
            case 3:
                name = "n" * self._chance.choice((49_999, 50_000, 50_001, 60_000))
                return Fuzzed(_object([*members, (name, "1")]).encode(), "a long name")
            case 4:
                many = ",".join(f'"k{number}":{number}' for number in range(self._chance.choice((1_000, 5_000))))
                return Fuzzed(("{" + many + "," + _object(members)[1:]).encode(), "many members")
        lines = ",".join(self._tokens.valid(_element("lines")) for _ in range(self._chance.choice((100, 400))))
        left = [each for each in members if each[0] != "lines"]
        return Fuzzed(_object([*left, ("lines", f"[{lines}]")]).encode(), "a long array")


def _element(name: str) -> FieldType:
    field = SCHEMA.field(name)
    assert field is not None
    assert isinstance(field.type, ArrayType)
    return field.type.element


def _object(members: Members, *written: str) -> str:
    return "{" + ",".join([*(f"{json.dumps(name)}:{token}" for name, token in members), *written]) + "}"
