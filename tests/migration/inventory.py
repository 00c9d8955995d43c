"""Everything a database holds, as plain text per object, for comparing two databases."""

from __future__ import annotations

import psycopg

_OURS = "n.nspname IN ('sentinel', 'public', 'detector_views')"

_QUERIES = {
    "relation": f"""
        SELECT format('%s.%s', n.nspname, c.relname),
               format('kind %s, rls %s/%s, options %s, persistence %s, owner %s, acl %s, comment %s', c.relkind,
                      c.relrowsecurity, c.relforcerowsecurity, c.reloptions, c.relpersistence, c.relowner::regrole,
                      (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(c.relacl) a), obj_description(c.oid))
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_OURS}""",
    "column": f"""
        SELECT format('%s.%s.%s', n.nspname, c.relname, a.attname),
               format('number %s, type %s, not null %s, default %s, identity %s, generated %s, collation %s, acl %s',
                      a.attnum, format_type(a.atttypid, a.atttypmod), a.attnotnull, pg_get_expr(d.adbin, d.adrelid),
                      a.attidentity, a.attgenerated, a.attcollation, a.attacl)
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE {_OURS} AND a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'v', 'm', 'p', 'S')""",
    "constraint": f"""
        SELECT format('%s on %s.%s', x.conname, n.nspname, c.relname),
               format('%s, deferrable %s/%s, validated %s', pg_get_constraintdef(x.oid), x.condeferrable, x.condeferred,
                      x.convalidated)
        FROM pg_constraint x JOIN pg_class c ON c.oid = x.conrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_OURS}""",
    "index": f"""
        SELECT format('%s.%s', n.nspname, c.relname),
               format('%s, unique %s, valid %s', pg_get_indexdef(i.indexrelid), i.indisunique, i.indisvalid)
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_OURS}""",
    "policy": """
        SELECT format('%s on %s.%s', policyname, schemaname, tablename),
               format('%s %s to %s using %s check %s', permissive, cmd, roles, qual, with_check)
        FROM pg_policies""",
    "function": f"""
        SELECT format('%s.%s(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)),
               format('%s, owner %s, acl %s', pg_get_functiondef(p.oid), p.proowner::regrole, p.proacl)
        FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {_OURS}""",
    "trigger": f"""
        SELECT format('%s on %s.%s', t.tgname, n.nspname, c.relname),
               format('%s, enabled %s', pg_get_triggerdef(t.oid), t.tgenabled)
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_OURS} AND NOT t.tgisinternal""",
    "view": """
        SELECT format('%s.%s', schemaname, viewname), definition FROM pg_views
        WHERE schemaname IN ('sentinel', 'public', 'detector_views')""",
    "sequence": """
        SELECT format('%s.%s', schemaname, sequencename),
               format('%s from %s by %s, %s to %s, cycle %s', data_type, start_value, increment_by, min_value,
                      max_value, cycle)
        FROM pg_sequences""",
    "schema": f"""
        SELECT n.nspname, format('owner %s, acl %s', n.nspowner::regrole, n.nspacl) FROM pg_namespace n
        WHERE {_OURS}""",
    "type": f"""
        SELECT format('%s.%s', n.nspname, t.typname), format('%s %s', t.typtype, t.typcategory)
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE {_OURS}""",
    "extension": "SELECT extname, extversion FROM pg_extension",
    "default privilege": "SELECT defaclrole::regrole::text, defaclacl::text FROM pg_default_acl",
    "revision": "SELECT 'revision', version_num FROM public.alembic_version",
}


def inventory(conninfo: str) -> dict[str, str]:
    """Return every object of a database with its full definition. The tables' rows are not objects."""
    with psycopg.connect(conninfo) as connection:
        return {
            f"{kind} {name}": str(definition)
            for kind, query in _QUERIES.items()
            for name, definition in connection.execute(query)
        }
