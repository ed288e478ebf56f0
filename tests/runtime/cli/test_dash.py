"""``flows dash``: the command around the page."""

import http.client
import signal
import socket
from urllib.parse import urlsplit

import pytest


def entry(link):
    address = urlsplit(link)
    connection = http.client.HTTPConnection(address.netloc, timeout=30)
    try:
        connection.request("GET", f"{address.path}?{address.query}")
        return connection.getresponse().status
    finally:
        connection.close()


@pytest.mark.slow
def test_the_link_that_is_printed_lets_in_until_ctrl_c(start):
    process = start("dash")
    link = process.stdout.readline().strip()

    assert entry(link) == 200
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (0, "")
    with pytest.raises(ConnectionRefusedError):
        entry(link)


@pytest.mark.slow
def test_ctrl_c_ends_it_also_while_a_page_watches(start):
    process = start("dash")
    address = urlsplit(process.stdout.readline().strip())
    with socket.create_connection((address.hostname, address.port), timeout=30) as watching:
        watching.sendall(b"GET / HTTP/1.1\r\n")  # a request that never comes to its end

        process.send_signal(signal.SIGINT)

        assert process.wait(60) == 0


def test_a_port_that_is_taken_is_named(flows):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        result = flows("dash", "--port", str(port))

    assert result.exit_code == 1
    assert f"Port {port} of 127.0.0.1 cannot be used" in result.stderr
