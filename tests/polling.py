"""Waits for a page, without Playwright's wait_for_function: its second look is refused where a policy forbids eval."""

import time

PATIENCE = 20.0  # seconds


def wait_until(page, expression):
    """Waits until an expression of JavaScript, or the result of a function, is true in a page."""
    until = time.monotonic() + PATIENCE
    while not page.evaluate(expression):
        assert time.monotonic() < until, f"not within {PATIENCE:.0f} s: {expression}"
        page.wait_for_timeout(20)
