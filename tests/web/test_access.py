"""Who may come in: passwords, what they cost, headers, the rate limit, and a file that breaks."""

from __future__ import annotations

import asyncio
import base64
import logging
import os
import threading
from typing import TYPE_CHECKING

import bcrypt
import falcon.asgi
import pytest
from falcon import testing

from pgw.web import access
from pgw.web.access import MOST_WAITING, MOST_WRONG, Bucket, Login, Passwords, Verdict, access_middleware, read_login
from pgw.web_config import ConfigFile, RateLimit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path


def hashed(password: str) -> str:
    return bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()


ALICE, BOB = hashed("wonderland"), hashed("builder")
USERS = {"alice": ALICE.encode(), "bob": BOB.encode()}


def basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


class Page:
    """Something to be let in to."""

    async def on_get(self, _request: falcon.asgi.Request, response: falcon.asgi.Response) -> None:
        response.text = "in"


class Site:
    """An app behind a web configuration file, and a clock that stands still unless it is moved."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 1000.0
        path.write_text("")

    def write(self, text: str) -> None:
        """Change the file, and let so much time go by that it is looked at."""
        self.path.write_text(text)
        self.now += 1

    def client(self) -> testing.TestClient:
        file = ConfigFile(self.path, lambda: self.now)
        middleware = access_middleware(file, lambda: self.now)
        app = falcon.asgi.App(middleware=middleware)  # type: ignore[arg-type]
        app.add_route("/page", Page())
        return testing.TestClient(app)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path / "web.yml")


def with_users(**users: str) -> str:
    return "basic_auth_users:\n" + "".join(f"  {user}: {stored}\n" for user, stored in users.items())


def test_without_a_file_there_is_nothing_in_the_way() -> None:
    assert access_middleware(None) == []


def test_without_users_nobody_is_asked(site: Site) -> None:
    assert site.client().simulate_get("/page").text == "in"


@pytest.mark.parametrize(("method", "path"), [("GET", "/page"), ("OPTIONS", "/page"), ("POST", "/none"), ("FOO", "/")])
def test_without_a_password_every_path_and_method_is_401(site: Site, method: str, path: str) -> None:
    site.write(with_users(alice=ALICE))
    answer = site.client().simulate_request(method, path)
    assert (answer.status_code, answer.text) == (401, "Unauthorized\n")
    assert answer.headers["WWW-Authenticate"] == "Basic"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (basic("alice", "wonderland"), 200),
        (basic("bob", "builder"), 200),
        (basic("alice", "builder"), 401),
        (basic("alice", ""), 401),
        (basic("alice", "wonderland\0"), 401),
        (basic("alice", "x" * 100), 401),
        (basic("carol", "wonderland"), 401),
        (basic("", "wonderland"), 401),
        ({"Authorization": basic("alice", "wonderland")["Authorization"].replace("Basic", "bAsIc")}, 200),
        ({"Authorization": "Bearer wonderland"}, 401),
        ({"Authorization": "Basic"}, 401),
        ({"Authorization": "Basic !"}, 401),
        ({"Authorization": "Basic YWxpY2U="}, 401),
        ({"Authorization": "Basic /////w=="}, 401),
    ],
)
def test_only_a_right_password_lets_in_however_often_it_is_tried(
    site: Site, headers: dict[str, str], status: int
) -> None:
    site.write(with_users(alice=ALICE, bob=BOB))
    client = site.client()
    assert [client.simulate_get("/page", headers=headers).status_code for _ in range(3)] == [status] * 3


def test_a_user_who_was_removed_is_out_and_one_with_a_new_password_needs_it(site: Site) -> None:
    site.write(with_users(alice=ALICE, bob=BOB))
    client = site.client()
    logins = [basic("alice", "wonderland"), basic("bob", "builder"), basic("bob", "new")]

    def statuses() -> list[int]:
        return [client.simulate_get("/page", headers=login).status_code for login in logins]

    assert statuses() == [200, 200, 401]
    site.write(with_users(bob=hashed("new")))
    assert statuses() == [401, 401, 200]
    site.write("")
    assert statuses() == [200, 200, 200]


def test_headers_are_on_every_answer(site: Site) -> None:
    site.write(with_users(alice=ALICE) + "http_server_config:\n  headers:\n    X-Frame-Options: deny\n")
    client = site.client()
    answers = [
        client.simulate_get("/page"),
        client.simulate_get("/page", headers=basic("alice", "wonderland")),
        client.simulate_get("/none", headers=basic("alice", "wonderland")),
    ]
    assert [answer.status_code for answer in answers] == [401, 200, 404]
    assert {answer.headers["X-Frame-Options"] for answer in answers} == {"deny"}


def test_a_broken_file_answers_500_and_is_logged_once_until_it_is_mended(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    client = site.client()
    assert client.simulate_get("/page").status_code == 200
    site.write("users: none")
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            site.now += 1
            answer = client.simulate_get("/page", headers=basic("alice", "wonderland"))
            assert (answer.status_code, answer.text) == (500, "Internal Server Error\n")
    (record,) = caplog.records
    assert record.getMessage().startswith("every request is answered with 500: --web.config.file: ")
    assert "line 1: 'users' is not a field of the file" in record.getMessage()
    site.write("")
    assert client.simulate_get("/page").status_code == 200


def test_the_rate_limit_comes_before_the_password(site: Site) -> None:
    site.write(with_users(alice=ALICE) + "rate_limit: {interval: 10s, burst: 2}\n")
    client = site.client()
    assert [client.simulate_get("/page").status_code for _ in range(3)] == [401, 401, 429]
    assert client.simulate_get("/page", headers=basic("alice", "wonderland")).text == "Too Many Requests\n"
    site.now += 10
    assert [client.simulate_get("/page").status_code for _ in range(2)] == [401, 429]


@pytest.mark.parametrize(
    ("burst", "waits", "allowed"),
    [
        (1, [0, 0.5, 0.5, 1], [True, False, True, True]),
        (3, [0, 0, 0, 0, 1, 0], [True, True, True, False, True, False]),
        (2, [0, 100, 0, 0], [True, True, True, False]),
    ],
)
def test_a_bucket_fills_with_time_up_to_its_burst(burst: int, waits: list[float], allowed: list[bool]) -> None:
    now = [50.0]
    bucket = Bucket(lambda: now[0])

    def after(wait: float) -> bool:
        now[0] += wait
        return bucket.allows(RateLimit(1.0, burst))

    assert [after(wait) for wait in waits] == allowed


@pytest.mark.parametrize(
    ("header", "login"),
    [
        (None, None),
        ("", None),
        ("Basic YTpi", Login("a", b"b")),
        ("Basic YTpiOmM=", Login("a", b"b:c")),
        ("Basic Og==", Login("", b"")),
        ("Basic YTpi YTpi", None),
        ("Basic  YTpi", None),
        ("Digest YTpi", None),
        ("Basic Ä", None),
    ],
)
def test_a_login_is_read_as_go_reads_it(header: str | None, login: Login | None) -> None:
    assert read_login(header) == login


class Bcrypt:
    """bcrypt, which can be held up, and what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[bytes, bytes]] = []
        self.may_go_on = threading.Event()
        self.may_go_on.set()
        self.most_at_once = 0
        self._running = 0

    def __call__(self, password: bytes, stored: bytes) -> bool:
        self._running += 1
        self.most_at_once = max(self.most_at_once, self._running)
        self.asked.append((password, stored))
        self.may_go_on.wait(30)
        self._running -= 1
        return bcrypt.checkpw(password, stored)


@pytest.fixture
def hasher(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bcrypt]:
    made = Bcrypt()
    monkeypatch.setattr(access, "_matches", made)
    yield made
    made.may_go_on.set()


if TYPE_CHECKING:
    Judge = Callable[[str, str], asyncio.Task[Verdict]]


@pytest.fixture
async def judge() -> AsyncIterator[Judge]:
    passwords = Passwords()

    def begin(user: str, password: str) -> asyncio.Task[Verdict]:
        return asyncio.create_task(passwords.judge(Login(user, password.encode()), USERS))

    yield begin
    passwords.close()


async def test_each_login_is_checked_once_whether_right_or_wrong(hasher: Bcrypt, judge: Judge) -> None:
    logins = [("alice", "wonderland"), ("alice", "wrong"), ("carol", "wonderland")] * 3
    verdicts = [await judge(*login) for login in logins]
    assert verdicts == [Verdict.RIGHT, Verdict.WRONG, Verdict.WRONG] * 3
    assert len(hasher.asked) == 3


async def test_an_unknown_user_costs_a_check_as_a_wrong_password_does(hasher: Bcrypt, judge: Judge) -> None:
    assert await judge("carol", "wonderland") is Verdict.WRONG
    assert hasher.asked == [(b"wonderland", USERS["alice"])]


async def test_many_with_the_same_login_wait_for_one_check(hasher: Bcrypt, judge: Judge) -> None:
    hasher.may_go_on.clear()
    tasks = [judge("alice", "wonderland") for _ in range(10 * MOST_WAITING)]
    await asyncio.sleep(0)
    hasher.may_go_on.set()
    assert set(await asyncio.gather(*tasks)) == {Verdict.RIGHT}
    assert len(hasher.asked) == 1


async def test_one_who_goes_away_does_not_take_the_answer_of_the_others_along(hasher: Bcrypt, judge: Judge) -> None:
    hasher.may_go_on.clear()
    first, second = judge("alice", "wonderland"), judge("alice", "wonderland")
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.sleep(0)
    hasher.may_go_on.set()
    assert await second is Verdict.RIGHT


async def test_a_flood_of_wrong_passwords_is_turned_away_and_those_who_were_in_stay_in(
    hasher: Bcrypt, judge: Judge
) -> None:
    assert await judge("alice", "wonderland") is Verdict.RIGHT
    hasher.may_go_on.clear()
    flood = [judge("alice", f"wrong {number}") for number in range(10 * MOST_WAITING)]
    await asyncio.sleep(0)
    assert await judge("alice", "wonderland") is Verdict.RIGHT
    hasher.may_go_on.set()
    verdicts = await asyncio.gather(*flood)
    assert verdicts.count(Verdict.WRONG) == MOST_WAITING
    assert verdicts.count(Verdict.NOT_NOW) == 9 * MOST_WAITING
    assert hasher.most_at_once == 1


def test_workers_tell_each_other_what_is_right(hasher: Bcrypt) -> None:
    passwords = Passwords()

    async def judge_alice() -> Verdict:
        return await passwords.judge(Login("alice", b"wonderland"), USERS)

    child = os.fork()
    if child == 0:
        os._exit(0 if asyncio.run(judge_alice()) is Verdict.RIGHT else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert asyncio.run(judge_alice()) is Verdict.RIGHT
    assert hasher.asked == []


async def test_no_number_of_wrong_passwords_pushes_a_right_one_out(
    judge: Judge, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(access, "_matches", lambda password, _: password == b"wonderland")
    assert await judge("alice", "wonderland") is Verdict.RIGHT
    for number in range(MOST_WRONG + 10):
        await judge("alice", f"wrong {number}")
    monkeypatch.setattr(access, "_matches", None)  # not asked again
    assert await judge("alice", "wonderland") is Verdict.RIGHT
    assert await judge("alice", f"wrong {MOST_WRONG}") is Verdict.WRONG


def test_too_many_checks_are_answered_503_with_retry_after(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(access, "MOST_WAITING", 0)
    site.write(with_users(alice=ALICE))
    answer = site.client().simulate_get("/page", headers=basic("alice", "wonderland"))
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
