"""Notifications: what was sent, to where, by which policy, and what is silenced."""

from __future__ import annotations

from dashboard.components.notifications.channels import show_channels
from dashboard.components.notifications.deliveries import show_deliveries
from dashboard.components.notifications.dry_route import show_dry_route
from dashboard.components.notifications.policy import show_policy
from dashboard.components.notifications.silences import show_silences
from dashboard.components.page import show_page
from dashboard.components.sections import choose_section
from dashboard.session import Visit

_SECTIONS = {
    "deliveries": ("Deliveries", show_deliveries),
    "channels": ("Channels", show_channels),
    "policy": ("Policy", show_policy),
    "try": ("Try a route", show_dry_route),
    "silences": ("Silences", show_silences),
}


def notifications(visit: Visit) -> None:
    """Draw the page."""
    chosen = choose_section("notifications-section", {name: title for name, (title, _) in _SECTIONS.items()})
    _SECTIONS[chosen][1](visit)


show_page("Notifications", notifications)
