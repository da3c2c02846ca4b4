"""Tests of pages in a real browser.

What they share lives as long as this package, not as long as the run: Playwright leaves a running event loop in its
thread, and `asyncio.run` of a test elsewhere would be refused.
"""
