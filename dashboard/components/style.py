"""What Streamlit's themes cannot say."""

from __future__ import annotations

import streamlit as st

# Contrasts of less than 4.5:1 (WCAG 2.1, 1.4.3), in the light and the dark scheme: chosen segments, code in captions,
# numbers in code. `.streamlit/config.toml` has what a theme can say.
_CONTRAST = """
[data-variant='segmented_control'][data-selected='true'] p {color: light-dark(#b01e2e, #ff9a9a) !important}
[data-testid='stCaptionContainer'] code {color: inherit !important}
.token.number {color: light-dark(#0b6b5d, #29b09d) !important}
"""
# Figures in words, as "unknown", fit their card; and what is looked for stands near the top.
_ROOM = """
[data-testid='stMetricValue'] {font-size: 1.6rem}
[data-testid='stMainBlockContainer'] {padding-top: 3.5rem; padding-bottom: 4rem}
"""
# Beside what the page's head has, where it covers nothing.
_WAITS = ".st-key-page-waits {position: fixed; top: 0.8rem; left: 50%; width: auto; z-index: 999991}"
# The tables' own download would write cells that a spreadsheet computes; the pages have safe ones.
_DOWNLOAD = "button[aria-label='Download as CSV'] {display: none}"


def show_style() -> None:
    """Put it into the page."""
    st.html(f"<style>{_CONTRAST}{_ROOM}{_WAITS}{_DOWNLOAD}</style>")
