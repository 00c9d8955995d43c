"""Widgets of the pages.

Everything a tenant can write (names, descriptions, expressions, events, error messages) goes into `st.text`,
`st.code`, `st.json` or a table cell, which show it as it is; `st.markdown`, `st.error` and widget labels interpret
what they are given and get our own words only.
"""
