"""Pictures of every page of the web application, on the demo's chain, in both languages, on a screen and on a phone:
`make screenshots`.

python tools/screenshots.py [FOLDER]    (default: screenshots; needs Chromium at /usr/bin/chromium)

A screen is 1400 x 900; a phone is 390 wide, and of it pages are taken at their full length. The names of its pictures
end with -phone, but for those of a firm's pages, which are made for it: theirs on a screen end with -screen. Three
stand in the READMEs, in docs/pictures, and are copied there by --readme.
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
SCREEN, PHONE = (1400, 900), (390, 844)


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


def shoot(page: Page, address: str, to: Path, is_whole: bool = False) -> None:
    page.goto(address)
    page.wait_for_timeout(DRAWN_MS)
    page.screenshot(path=to, full_page=is_whole)


def pictures(served: Served, address: str, folder: Path) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=ARGUMENTS)
        for language in LANGUAGES:
            for role in ("planner", "administrator"):
                secret = signed_in(served, role, language)
                for size, end in ((SCREEN, ""), (PHONE, "-phone")):
                    page = page_of(browser, address, secret, size)
                    for one in (each for each in PAGES if each.needs in ROLES[role]):
                        name = f"planner-{one.name}-{language}{end}.png"
                        shoot(page, address + one.path, folder / name, is_whole=size == PHONE)
        served.chain_thread.write("planner", lambda chain: release(chain, (), True))
        for language in LANGUAGES:
            secret = signed_in(served, "factory", language, FIRM)
            for size, end in ((PHONE, ""), (SCREEN, "-screen")):
                page = page_of(browser, address, secret, size)
                shoot(page, f"{address}/factory", folder / f"factory-list-{language}{end}.png")
                page.locator("main a").first.click()
                page.wait_for_load_state()
                page.screenshot(path=folder / f"factory-order-{language}{end}.png", full_page=True)
                shoot(page, f"{address}/factory/hours", folder / f"factory-hours-{language}{end}.png")
                shoot(page, f"{address}/account", folder / f"account-{language}{end}.png", is_whole=True)
                page = page_of(browser, address, "", size)
                page.set_extra_http_headers({"accept-language": language})
                shoot(page, f"{address}/sign-in", folder / f"sign-in-{language}{end}.png")
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
