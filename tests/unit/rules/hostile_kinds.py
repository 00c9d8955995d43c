"""Hostile rules by kind. Their fields are written `event.x`, so what the job's gate refuses is the attack itself.

Both gates refuse every one of them on their own: the API's, which reads the rule as written, and the job's, were such
a text ever to reach it as if it had been compiled.
"""

from __future__ import annotations

HOSTILE_KINDS: dict[str, tuple[str, ...]] = {
    "reflection": (
        "reflect('java.lang.Runtime', 'getRuntime') IS NOT NULL",
        "java_method('java.lang.System', 'exit', '1') = ''",
        "try_reflect('java.lang.System', 'getenv', event.user_id) <> ''",
        "ReFlEcT('java.lang.System', 'setProperty', 'a', 'b') IS NULL",
        "coalesce(event.country, reflect('java.util.UUID', 'randomUUID')) = 'DE'",
    ),
    "file relations": (
        "EXISTS (SELECT * FROM text.`/etc/passwd`)",
        "event.user_id IN (SELECT value FROM csv.`file:///etc/passwd`)",
        "event.amount > (SELECT count(*) FROM parquet.`s3a://lake/other-tenant`)",
        "event.amount > (SELECT max(length(content)) FROM binaryFile.`/etc`)",
        "text.`/etc/passwd`.value = 'x'",
    ),
    "table functions": (
        "event.amount > (SELECT max(id) FROM range(1000000000))",
        "event.user_id IN (SELECT value FROM read_files('/etc/passwd'))",
        "explode(event.tags) = 'x'",
        "stack(2, event.amount, 2) = 1",
        "(SELECT count(*) FROM explode(sequence(1, 1000000000))) > 0",
    ),
    "sleep": (
        "sleep(100000) = 1",
        "pg_sleep(10) IS NULL",
        "java_method('java.lang.Thread', 'sleep', '100000') IS NULL",
    ),
    "nondeterminism": (
        "rand() < 0.5",
        "randn(3) > 0",
        "uuid() = event.user_id",
        "event.event_time > now()",
        "event.event_time > current_timestamp()",
        "monotonically_increasing_id() = 1",
        "spark_partition_id() = 0",
        "shuffle(event.tags)[0] = 'vip'",
        "current_user() = 'root'",
    ),
    "backticks": (
        "`event.amount` > 1",
        "`event`.`amo``unt` > 1 OR ``` = 1",
        "event.`amount`` > 1",
        "`event`.`amount` `x` > 1",
        "`text`.`/etc/passwd` IS NULL",
    ),
    "look-alikes": (
        "\u0435vent.amount > 1",
        "event.\u0430mount > 1",
        "event.amount\u200b > 1",
        "event.amount \uff1e 1",
        "event.country = \u2018DE\u2019",
        "\u202eevent.amount > 1",
    ),
    "comments": (
        "event.amount > 1 -- true",
        "event.amount /* x */ > 1",
        "event.amount > 1 /* ' */ OR true /* ' */",
        "event.amount > 1 --\\\n OR true",
        "event.country = r'\\' -- '",
    ),
    "nested subqueries": (
        "event.amount > (SELECT 1)",
        "event.amount > (SELECT max(a) FROM (SELECT b AS a FROM (SELECT 1 AS b)))",
        "event.user_id NOT IN (SELECT u FROM (SELECT user_id AS u FROM whitelist WHERE user_id IN (SELECT 'a')))",
        "(WITH a AS (SELECT 1), b AS (SELECT * FROM a) SELECT * FROM b) > 1",
        "EXISTS (SELECT 1 WHERE EXISTS (SELECT 1 WHERE EXISTS (SELECT 1)))",
        "(VALUES (1)) = 1",
    ),
    "lambda bombs": (
        "exists(event.tags, t -> t = 'x')",
        "size(transform(sequence(1, 100000), x -> repeat('a', 100000))) > 1",
        "aggregate(event.limits, 0, (a, b) -> a + b) > 1",
        "size(filter(event.tags, t -> exists(event.tags, u -> exists(event.tags, v -> u = v)))) > 1",
        "reduce(event.tags, '', (a, t) -> concat(a, a, t)) = ''",
    ),
    "IDENTIFIER": (
        "IDENTIFIER('event.amount') > 1",
        "IDENTIFIER('reflect')('java.lang.System', 'exit', '0') = ''",
        "IDENTIFIER('re' || 'flect')('a', 'b') = ''",
    ),
    "parameter markers": (
        "event.amount > :limit",
        "event.amount > ?",
        "event.country IN (:countries, 'DE')",
    ),
    "session variables": (
        "event.amount > ${spark.master}",
        "event.country = ${env:HOME}",
        "event.amount > @@x",
        "event.amount > system.session.secret",
        "event.amount > session.secret",
    ),
    "hints": (
        "/*+ BROADCAST(x) */ event.amount > 1",
        "event.amount > (SELECT /*+ REPARTITION(100000) */ 1)",
        "event.amount /*+ COALESCE(1) */ > 1",
    ),
    "EXECUTE IMMEDIATE": (
        "EXECUTE IMMEDIATE 'SELECT 1'",
        "event.amount > 1; EXECUTE IMMEDIATE 'DROP TABLE rules'",
        "BEGIN EXECUTE IMMEDIATE 'SELECT 1'; END",
        "(EXECUTE IMMEDIATE 'SELECT 1') = 1",
    ),
    "quoted functions": (
        "`reflect`('a', 'b') = ''",
        "`java_method`('java.lang.System', 'exit', '1') = ''",
        "`rand`() < 0.5",
        "spark_catalog.default.`f`(event.amount) > 1",
        "`system`.`builtin`.`reflect`('a', 'b') = ''",
    ),
    "10,000-level nesting": (
        "(" * 10_000 + "event.is_foreign" + ")" * 10_000,
        "NOT " * 10_000 + "event.is_foreign",
        "- " * 10_000 + "event.amount > 1",
        "abs(" * 10_000 + "event.amount" + ")" * 10_000 + " > 1",
        "CASE WHEN " * 10_000 + "event.is_foreign" + " THEN true END" * 10_000,
        "event.tags" + "[0]" * 10_000 + " = 'x'",
    ),
}
"""Kind, as the demand names it -> rules of that kind."""
