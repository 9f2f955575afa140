"""A served application and a phone's browser that looks at it. A missing browser fails the tests."""

import threading

import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Browser, Page


class Server:
    """An application that answers at an address, until it is stopped; started again, at the same one."""

    def __init__(self, app: FastAPI) -> None:
        self._app, self._port = app, 0
        self.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> None:
        config = uvicorn.Config(
            self._app, port=self._port, log_level="error", lifespan="off", ws="none", timeout_graceful_shutdown=1
        )
        self._socket = config.bind_socket()
        self._port = self._socket.getsockname()[1]
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()


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
