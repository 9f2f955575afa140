"""A served application and a phone's browser that looks at it. A missing browser fails the tests."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Page, sync_playwright

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@contextmanager
def running(app: FastAPI) -> Iterator[str]:
    """The address at which an application answers."""
    config = uvicorn.Config(app, port=0, log_level="error", lifespan="off", ws="none")
    socket = config.bind_socket()
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([socket],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        socket.close()


@contextmanager
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        yield opened
        opened.close()


def phone(opened: Browser, language: str, has_script: bool = True) -> Page:
    """A page 390 pixels wide."""
    context = opened.new_context(
        viewport={"width": 390, "height": 844},
        locale="zh-CN" if language == "zh" else "en-GB",
        java_script_enabled=has_script,
    )
    page = context.new_page()
    page.set_default_timeout(10_000)
    return page
