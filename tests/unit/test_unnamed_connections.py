"""Clients that do not name their connection, and so are told apart by where they come from."""

from __future__ import annotations

from typing import Any, cast

from reactor_runtime.server.legacy import MAX_CLIENTS, Unnamed

PAGE, SCRIPT = ("127.0.0.1", "Mozilla"), ("127.0.0.1", "Python")


class Connections:
    """Knows those connections that have not ended."""

    def __init__(self) -> None:
        self.ended: set[int] = set()

    def known(self, connection: int) -> bool:
        return connection not in self.ended


def unnamed() -> tuple[Unnamed, Connections]:
    connections = Connections()
    return Unnamed(cast(Any, connections)), connections


def test_each_client_fetches_the_answer_to_its_own_offer() -> None:
    clients, _ = unnamed()
    clients.begin(PAGE, 1)
    clients.begin(SCRIPT, 2)
    assert (clients.waiting(PAGE), clients.waiting(SCRIPT)) == (1, 2)


def test_two_of_a_kind_fetch_in_the_order_of_their_offers() -> None:
    clients, _ = unnamed()
    clients.begin(PAGE, 1)
    clients.begin(PAGE, 2)
    assert clients.waiting(PAGE) == 1
    clients.fetched(PAGE, 1)
    assert clients.waiting(PAGE) == 2


def test_an_answer_that_was_lost_can_be_fetched_again() -> None:
    clients, _ = unnamed()
    clients.begin(PAGE, 1)
    clients.fetched(PAGE, 1)
    assert clients.waiting(PAGE) == 1


def test_a_connection_that_has_ended_is_nobodys() -> None:
    clients, connections = unnamed()
    clients.begin(PAGE, 1)
    clients.begin(PAGE, 2)
    connections.ended = {1}
    assert clients.waiting(PAGE) == 2
    connections.ended = {1, 2}
    assert clients.waiting(PAGE) is None
    assert clients.latest(PAGE) is None


def test_only_so_many_are_remembered() -> None:
    clients, _ = unnamed()
    for number in range(MAX_CLIENTS + 1):
        clients.begin(("127.0.0.1", str(number)), number)
    assert clients.latest(("127.0.0.1", "0")) is None
    assert clients.latest(("127.0.0.1", "1")) == 1
