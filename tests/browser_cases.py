"""What the tests in a real browser share."""

from playwright.sync_api import Page

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def sees_drawn(page: Page, selector: str) -> None:
    """Wait until the drawings are really there, with their size."""
    page.wait_for_function(
        "s => { const all = [...document.querySelectorAll(s)];"
        " return all.length && all.every(i => i.complete && i.naturalWidth > 100) }",
        arg=selector,
        timeout=60_000,  # a busy machine is no failure
    )
