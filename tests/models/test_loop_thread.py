"""The thread of connections: a call that is under way when it ends is ended, and no socket is left."""

import asyncio
import socket
import threading
from concurrent.futures import CancelledError

import pytest

from lse_gym.envs.models.loop_thread import LoopThread


def test_a_call_under_way_at_the_end_is_ended_and_leaves_no_socket():
    connected, told, opened = threading.Event(), [], []

    async def wait(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        opened.append(writer.get_extra_info("socket"))
        connected.set()
        try:
            await reader.read()  # which never comes
        finally:
            writer.close()

    def call():
        with pytest.raises(CancelledError) as error:
            loop.run(wait(server.getsockname()[1]))
        told.append(error)

    loop = LoopThread()
    with socket.create_server(("127.0.0.1", 0)) as server:
        caller = threading.Thread(target=call, daemon=True)
        caller.start()
        assert connected.wait(10)
        loop.stop()
        caller.join(10)
    assert told
    assert not loop.alive
    assert opened[0].fileno() == -1
