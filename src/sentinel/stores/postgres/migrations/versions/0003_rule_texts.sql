-- A rule may be written in the short form, `when ... then ...`: its text as written, and the actions that it names. Why a
-- version was made is kept with it.
ALTER TABLE sentinel.rule_versions
    ADD COLUMN short_form text, ADD COLUMN actions jsonb NOT NULL DEFAULT '[]', ADD COLUMN comment text NOT NULL DEFAULT '';
