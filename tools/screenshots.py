"""Pictures of every page of the web application, on the demo's chain, in both languages: `make screenshots`.

python tools/screenshots.py [FOLDER]    (default: screenshots; needs Chromium at /usr/bin/chromium)

Planner's pages on a screen of 1400 x 900, a firm's pages on a phone 390 wide. Two of them stand in the READMEs, in
docs/pictures, and are copied there by --readme.
"""

import shutil
import sys
import tempfile
import threading
from pathlib import Path

import pyotp
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from datong.app.chain import Chain
from datong.app.cli.commands import prepare_demo
from datong.app.http.signed_in import COOKIE
from datong.app.release_orders import release
from datong.app.server import application
from datong.app.service.guide import close_guide
from datong.app.service.roles_and_permissions import ROLES
from datong.app.service.served_chain import Served, serve
from datong.app.web.pages import PAGES

ROOT = Path(__file__).resolve().parents[1]
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
LANGUAGES = ("en", "zh")
FIRM, PASSWORD = "works", "a sentence for pictures"
# What the READMEs show, by the name of a picture.
SHOWN = ("planner-today-en", "planner-today-zh", "factory-list-zh")
# Pages draw charts after they are loaded.
DRAWN_MS = 2500


def planned(folder: Path) -> Path:
    """The demo's chain with a plan."""
    chain = prepare_demo(folder)
    with Chain(chain) as opened:
        as_of = opened.settings.calendar.midnight(opened.state(names=()).first_open_bucket)
        opened.run(as_of)
    return chain


def signed_in(served: Served, role: str, language: str, firm: str | None = None) -> str:
    """The secret of a new person's cookie."""
    link = served.people.invite(None, f"{role}-{language}", role.title(), [role], firm, language)
    session = served.people.accept(link, PASSWORD)
    if session.must_factor:
        factor = pyotp.TOTP(pyotp.parse_uri(served.people.begin_factor(session.who)).secret)
        served.people.confirm_factor(session.who, factor.at(served.now()))
    close_guide(served, session.who)
    return session.secret


def page_of(browser: Browser, address: str, secret: str, size: tuple[int, int]) -> Page:
    context = browser.new_context(viewport={"width": size[0], "height": size[1]})
    context.add_cookies([{"name": COOKIE, "value": secret, "url": address}])
    return context.new_page()


def shoot(page: Page, address: str, to: Path) -> None:
    page.goto(address)
    page.wait_for_timeout(DRAWN_MS)
    page.screenshot(path=to)


def pictures(served: Served, address: str, folder: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        for language in LANGUAGES:
            for role in ("planner", "administrator"):
                page = page_of(browser, address, signed_in(served, role, language), (1400, 900))
                for one in (each for each in PAGES if each.needs in ROLES[role]):
                    shoot(page, address + one.path, folder / f"planner-{one.name}-{language}.png")
        served.chain_thread.write("planner", lambda chain: release(chain, (), True))
        for language in LANGUAGES:
            page = page_of(browser, address, signed_in(served, "factory", language, FIRM), (390, 844))
            shoot(page, f"{address}/factory", folder / f"factory-list-{language}.png")
            page.locator("main a").first.click()
            page.wait_for_load_state()
            page.screenshot(path=folder / f"factory-order-{language}.png", full_page=True)
            shoot(page, f"{address}/factory/hours", folder / f"factory-hours-{language}.png")
            page = page_of(browser, address, "", (390, 844))
            page.set_extra_http_headers({"accept-language": language})
            shoot(page, f"{address}/sign-in", folder / f"sign-in-{language}.png")
        browser.close()


def main(to: Path, into_readme: bool) -> None:
    to.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        served = serve(planned(Path(folder) / "demo"), None)
        config = uvicorn.Config(application(served), port=0, log_level="warning", timeout_graceful_shutdown=1)
        socket = config.bind_socket()
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([socket],))
        thread.start()
        try:
            pictures(served, f"http://127.0.0.1:{socket.getsockname()[1]}", to)
        finally:
            server.should_exit = True
            thread.join()
            served.close()
    if into_readme:
        for name in SHOWN:
            shutil.copy(to / f"{name}.png", ROOT / "docs" / "pictures" / f"{name}.png")


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--readme"]
    main(Path(words[0] if words else "screenshots"), "--readme" in sys.argv[1:])
