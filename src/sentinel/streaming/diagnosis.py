"""Name the cause of a record that is not an event. Evaluated for such records only."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

from sentinel.domain.dead_letter import DeadLetterCause
from sentinel.domain.event_schema import ArrayType, DecimalType, EventSchema, Field, FieldType, StructType
from sentinel.streaming.wire import infinite, never_null, present, unfit, wire_type

SHOWN_CHARACTERS = 120
# A key that no record can know.
SEAL = f"_seal_{secrets.token_hex(8)}"
NAN_PATTERN = r"[:\[,]\s*[-+]?(NaN|Infinity|INF)\s*[,\]}]"
NAN_TEXT = r"(?i)^[-+]?(nan|inf|infinity)$"


def diagnose(
    value: Column, wire: Column, schema: EventSchema, *, max_record_bytes: int, json_options: Mapping[str, str]
) -> Column:
    """Return struct<cause, field, detail> of a record that failed a check of `parse`.

    Args:
        value: The record's value, binary.
        wire: What was read from it: struct<_v array<struct of wire values>, _bad string>; null if it was not read.
    """
    text = value.cast("string")
    cause = DeadLetterCause
    return (
        F.when(value.isNull(), verdict(cause.TOMBSTONE))
        .when(
            F.octet_length(value) > max_record_bytes,
            verdict(
                cause.TOO_LARGE,
                detail=F.format_string("%d bytes; the limit is " + str(max_record_bytes), F.octet_length(value)),
            ),
        )
        .when(~F.is_valid_utf8(text), verdict(cause.INVALID_UTF8))
        .otherwise(
            bind(
                {
                    "text": text,
                    "head": F.regexp_replace(text, F.lit(r"^[ \t\r\n]+"), F.lit("")),
                    "wrapped": enclose(text),
                    "wire": F.get(wire["_v"], F.lit(0)),
                },
                lambda given: diagnose_text(given, schema, json_options),
            )
        )
    )


def diagnose_text(given: Column, schema: EventSchema, json_options: Mapping[str, str]) -> Column:
    """Return the verdict on a record that is valid UTF-8: struct<text, head, wrapped, wire>."""
    fields = ",".join(f"`{field.name}`:string" for field in schema)
    texts = F.from_json(given["wrapped"], f"_v array<struct<{fields}>>, _bad string", dict(json_options))
    cause, head = DeadLetterCause, given["head"]
    return (
        F.when(head == "", verdict(cause.EMPTY))
        .when(~one_document(given["wrapped"], json_options), verdict(cause.NOT_JSON, detail=not_json_detail(given)))
        .when(~F.startswith(head, F.lit("{")), verdict(cause.NOT_AN_OBJECT, detail=root_kind(head)))
        .otherwise(
            bind(
                {
                    "texts": F.get(texts["_v"], F.lit(0)),
                    "wire": given["wire"],
                    "keys": F.json_object_keys(given["text"]),
                },
                lambda read: first_fault(read["texts"], read["wire"], read["keys"], schema, json_options),
            )
        )
    )


def bind(columns: Mapping[str, Column], body: Callable[[Column], Column]) -> Column:
    """Return `body` of a struct of these columns, which are computed and written down once.

    A column that is used at n places is n copies of its expression in the plan otherwise.
    """
    given = F.struct(*[column.alias(name) for name, column in columns.items()])
    return F.get(F.transform(F.array(given), body), F.lit(0))


def enclose(text: Column) -> Column:
    """Return the text as the first of two elements of an array in an object; the second one is the seal.

    Spark stops reading after the first document of a text. Enclosed, a second one or garbage behind it is an error,
    and a text that closes the array itself (`1],"x":[2`) loses the seal.
    """
    return F.concat(F.lit('{"_v":['), text, F.lit(f',{{"{SEAL}":true}}]}}'))


def one_document(wrapped: Column, json_options: Mapping[str, str]) -> Column:
    """Return whether the enclosed text is one well-formed document; never null."""
    document = F.from_json(wrapped, "_v array<string>, _bad string", dict(json_options))
    whole = document["_bad"].isNull() & (F.size(document["_v"]) == 2)
    return F.coalesce(whole & (F.get(document["_v"], F.lit(1)) == F.lit(f'{{"{SEAL}":true}}')), F.lit(False))


def verdict(cause: DeadLetterCause, *, field: Column | None = None, detail: Column | None = None) -> Column:
    """Return struct<cause, field, detail>."""
    return F.struct(
        F.lit(str(cause)).alias("cause"),
        (F.lit(None).cast("string") if field is None else field).alias("field"),
        (F.lit(cause.explanation) if detail is None else F.coalesce(detail, F.lit(cause.explanation))).alias("detail"),
    )


def not_json_detail(given: Column) -> Column:
    """Say what is most likely wrong with a text that is not JSON."""
    text, head = given["text"], given["head"]
    tail = F.regexp_replace(text, F.lit(r"[ \t\r\n]+$"), F.lit(""))
    opened = F.length(F.regexp_replace(text, F.lit(r"[^\[{]"), F.lit("")))
    return (
        F.when(F.startswith(head, F.lit("\ufeff")), F.lit("it begins with a byte order mark"))
        .when(text.rlike(NAN_PATTERN), F.lit("it contains NaN or Infinity, which JSON does not know"))
        .when(opened > 990, F.lit("it is nested deeper than 1000 levels, or not well-formed"))
        .when(
            F.startswith(head, F.lit("{")) & ~F.endswith(tail, F.lit("}")),
            F.lit("it is cut off, or has text after the object"),
        )
        .otherwise(
            F.concat(
                F.lit("it is not one well-formed document; it begins with: "), F.left(head, F.lit(SHOWN_CHARACTERS))
            )
        )
    )


def root_kind(head: Column) -> Column:
    """Name the kind of a document that is not an object."""
    first = F.left(head, F.lit(1))
    kind = (
        F.when(first == "[", "an array")
        .when(first == '"', "a string")
        .when(first == "n", "null")
        .when(first.isin("t", "f"), "a boolean")
        .otherwise("a number")
    )
    return F.concat(F.lit("it is "), kind)


def first_fault(
    texts: Column, wire: Column, keys: Column, schema: EventSchema, json_options: Mapping[str, str]
) -> Column:
    """Return the verdict on the first field, in the schema's order, that is at fault.

    One row of facts per field, then one expression over them: 300 fields stay 300 small structs.
    """
    facts = F.array(*[facts_of(field, texts, wire, json_options) for field in schema])
    verdicts = F.transform(facts, lambda fact: judge(fact, keys))
    found = F.filter(verdicts, lambda each: each["cause"].isNotNull())
    twice = verdict(
        DeadLetterCause.WRONG_TYPE, detail=F.lit("a key appears twice, once with a value of the wrong type")
    )
    return F.coalesce(F.get(found, F.lit(0)), twice)


def facts_of(field: Field, texts: Column, wire: Column, json_options: Mapping[str, str]) -> Column:
    """Return what `judge` needs to know of a field.

    text: the value as text, null if missing; held: it could be read and converted; infinite: it holds an infinite
    float; broken: something inside it is of the wrong type.
    """
    text, value = texts[field.name], wire[field.name]
    misfit = never_null(unfit(value, field.type))
    broken = F.lit(False)
    if isinstance(field.type, ArrayType | StructType):
        again = F.from_json(
            F.concat(F.lit('{"_v":'), text, F.lit("}")), f"_v {wire_type(field.type)}, _bad string", dict(json_options)
        )
        broken = text.isNotNull() & again["_bad"].isNotNull()
    return F.struct(
        F.lit(field.name).alias("name"),
        F.lit(str(field.type)).alias("type"),
        F.lit(kind_of(field.type)).alias("kind"),
        F.lit(not field.nullable).alias("required"),
        text.alias("text"),
        (present(value, field.type) & ~misfit).alias("held"),
        never_null(infinite(value, field.type)).alias("infinite"),
        F.coalesce(broken, F.lit(False)).alias("broken"),
    )


def kind_of(kind: FieldType) -> str:
    """Return the name of a type without its parameters."""
    match kind:
        case DecimalType():
            return "decimal"
        case ArrayType() | StructType():
            return "nested"
    return kind.name


def judge(fact: Column, keys: Column) -> Column:
    """Return struct<cause, field, detail> of one field; a null cause where it is sound."""
    kind, text = fact["kind"], fact["text"]
    # Spark shows a number beyond the range of a double as a quoted infinity.
    number = text.rlike('^"-?Infinity"$') | (text.try_cast("double").isNotNull() & ~text.rlike(NAN_TEXT))
    wrong = ~fact["held"] | fact["broken"]
    cause = (
        F.when(text.isNull(), F.when(fact["required"], str(DeadLetterCause.MISSING_FIELD)))
        .when(fact["infinite"], str(DeadLetterCause.NOT_FINITE))
        .when(~wrong, F.lit(None).cast("string"))
        .when(kind.isin("float", "decimal") & text.rlike(NAN_TEXT), str(DeadLetterCause.NOT_FINITE))
        .when(
            (kind == "integer") & text.rlike("^-?[0-9]+$") & text.try_cast("bigint").isNull(),
            str(DeadLetterCause.OUT_OF_RANGE),
        )
        .when(kind.isin("decimal", "timestamp") & number, str(DeadLetterCause.OUT_OF_RANGE))
        .otherwise(str(DeadLetterCause.WRONG_TYPE))
    )
    name = F.concat(F.lit("`"), fact["name"], F.lit("`"))
    near = F.filter(keys, lambda key: (F.lower(key) == F.lower(fact["name"])) & (key != fact["name"]))
    missing = (
        F.when(F.array_contains(keys, fact["name"]), F.concat(name, F.lit(" is null")))
        .when(
            F.size(near) > 0,
            F.concat(
                name,
                F.lit(" is missing; the record has `"),
                F.get(near, F.lit(0)),
                F.lit("`, and upper and lower case count"),
            ),
        )
        .otherwise(F.concat(name, F.lit(" is missing")))
    )
    held = F.concat(
        name, F.lit(" is of type "), fact["type"], F.lit(" and cannot hold: "), F.left(text, F.lit(SHOWN_CHARACTERS))
    )
    return F.struct(
        cause.alias("cause"),
        fact["name"].alias("field"),
        F.when(text.isNull(), missing).otherwise(held).alias("detail"),
    )
