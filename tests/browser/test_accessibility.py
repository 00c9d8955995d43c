"""axe-core looks at every page: nothing serious but what is Streamlit's own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from tests.support.payments import create_payments
from tests.support.site import Site
from tests.support.visitor import Visitor, menu

pytestmark = [pytest.mark.integration, pytest.mark.browser]

RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}}
SERIOUS = {"serious", "critical"}


@dataclass(frozen=True)
class Known:
    """A finding that cannot be mended here.

    Attributes:
        target: A part of the selector that axe names.
        why: Whose it is.
    """

    rule: str
    target: str
    why: str


KNOWN = (
    Known(
        "color-contrast",
        'span[aria-hidden="true"]',
        "the label of a field that is disabled: exempt by WCAG 1.4.3, and axe cannot tell that it belongs to one",
    ),
)
# Whether the page has the background of a scheme: it changes its colours by scripts of its own. What glides from one
# colour to another has arrived.
DRAWN = """scheme => {
    const colour = getComputedStyle(document.querySelector("[data-testid=stApp]")).backgroundColor;
    const [red, green, blue] = colour.match(/\\d+/g).map(Number);
    const glides = document.getAnimations().some(
        each => each.playState === "running" && /color|fill|opacity/.test(each.transitionProperty ?? "")
    );
    return (red + green + blue > 384) === (scheme === "light") && !glides;
}"""
# Parts of pages that are shown only when they are asked for.
SECTIONS = (
    "rule&show=tests",
    "rule&show=backtest",
    "rule&show=trial",
    "rule&show=quality",
    "rule&show=versions",
    "rule&show=explain",
    "/notifications?show=channels",
    "/notifications?show=policy",
    "/notifications?show=try",
    "/notifications?show=silences",
)


@pytest.fixture(scope="module")
def filled(site: Site) -> dict[str, str]:
    """Paths of every page, with something on each."""
    with site.client() as api:
        pipeline = create_payments(api)
        rule = api.add_rule(pipeline, "amount > 1000", "critical", "large")
        api.add_rule(pipeline, "amount > 5000", "warning", "larger")
    return {"pipeline": f"/pipelines?pipeline={pipeline}", "rule": f"/rules?rule={rule.id}"}


@pytest.fixture(scope="module")
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """One for all pages: what the browser has loaded and compiled once, it keeps."""
    opened = chromium.new_context(viewport={"width": 1440, "height": 900})
    yield opened
    opened.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page."""
    opened = context.new_page()
    yield opened
    opened.close()


def assert_nothing_serious(page: Page) -> None:
    """Look at a page as it is drawn, in both schemes of colours."""
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.wait_for_function(DRAWN, arg=scheme)
        assert findings(page) == [], scheme


def findings(page: Page) -> list[str]:
    """Return what axe finds serious, with the places, but for what is known."""
    # What is being drawn anew is faded for a moment.
    found = Axe().run(page, context={"exclude": [["[data-stale=true]"]]}, options=RULES).response["violations"]
    return [
        f"{each['id']} ({each['impact']}) at {node['target']}: {node['html'][:160]}"
        for each in found
        if each["impact"] in SERIOUS
        for node in each["nodes"]
        if not any(known.rule == each["id"] and known.target in str(node["target"]) for known in KNOWN)
    ]


@pytest.mark.parametrize("path", [*menu().values(), *SECTIONS, "pipeline", "rule"])
def test_nothing_serious_in_light_and_dark(page: Page, site: Site, filled: dict[str, str], path: str) -> None:
    visitor = Visitor(page, site.url)
    name, *more = path.split("&")
    visitor.open("&".join([filled.get(name, name), *more]))
    assert_nothing_serious(page)


def test_nothing_serious_in_an_answer(page: Page, site: Site) -> None:
    visitor = Visitor(page, site.url)
    visitor.open("/lake")
    visitor.write("SQL", "SELECT 1 AS one, 'x' AS name")
    visitor.unfold("Plot")
    assert_nothing_serious(page)
