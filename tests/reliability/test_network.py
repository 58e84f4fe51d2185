"""Trainings by several hosts, as network namespaces, whose network fails. tests.reliability.network_faults has all."""

import subprocess
import sys
import time

import pytest

from tests.reliability import network_faults, wireguard
from tests.reliability.kill import draw_images
from tests.reliability.network import Network, missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=missing())
CONNECT = "import socket; socket.create_connection(('host-{}', 2222), timeout=1.0).close()"
LISTEN = "import socket; server = socket.create_server(('', 2222)); print(flush=True)\nwhile True: server.accept()"


def reaches(network, one, other):
    """Whether a host gets a connection to another one, within a second."""
    command = [sys.executable, "-c", CONNECT.format(other)]
    return network.start(one, command, stderr=subprocess.DEVNULL).wait() == 0


def listen(network, host):
    network.start(host, [sys.executable, "-c", LISTEN], stdout=subprocess.PIPE).stdout.readline()


@pytest.mark.thorough
def test_links_are_cut_and_joined():
    with Network(4) as network:
        for host in range(4):
            listen(network, host)
        assert reaches(network, 0, 1) and reaches(network, 0, 3)
        network.cut(1)
        assert not reaches(network, 0, 1) and reaches(network, 0, 3)
        network.join(1)
        network.split()
        assert reaches(network, 0, 1) and not reaches(network, 0, 3) and reaches(network, 2, 3)
        network.heal()
        network.readdress(3, "10.77.0.9")
        assert reaches(network, 0, 3)


@pytest.mark.thorough
def test_a_relay_delays_and_loses():
    """A connection counts as made after one round trip."""
    with Network(2, delay=0.2) as network:
        listen(network, 1)
        program = "import socket, time\nfor _ in range(2):\n began = time.monotonic()\n " + CONNECT.format(1)
        program += "\nprint(time.monotonic() - began)"  # the second time: the first asks for the hardware address, too
        printed = network.start(0, [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True).communicate()[0]
        assert float(printed) >= 0.4
    with Network(2, loss=1.0) as network:
        listen(network, 1)
        assert not reaches(network, 0, 1)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", [name for name in network_faults.FAULTS if name not in network_faults.UNDISTURBED])
def test_weights_are_those_of_an_undisturbed_training(name, whole, tmp_path):
    fault = network_faults.FAULTS[name]
    (tmp_path / "set").symlink_to(whole(fault.hosts) / "set")
    began = time.monotonic()
    training = network_faults.train(fault, tmp_path)
    print(network_faults.row(name, training, []), f"{time.monotonic() - began:.0f} s")
    assert network_faults.differences(tmp_path, whole(fault.hosts)) == []
    assert all(code in (0, network_faults.RESTART, -9) for codes in training.codes for code in codes)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A function from a number of hosts to the folder of an undisturbed training by them."""
    folders = {}

    def of(hosts):
        if hosts not in folders:
            folders[hosts] = tmp_path_factory.mktemp(f"hosts{hosts}")
            draw_images(folders[hosts])
            network_faults.train(network_faults.Fault(hosts=hosts), folders[hosts])
        return folders[hosts]

    return of


@pytest.mark.slow
@pytest.mark.skipif(bool(wireguard.missing()), reason=wireguard.missing())
@pytest.mark.parametrize("is_tunnelled", [False, True])
def test_a_tunnel_hides_what_processes_say_to_each_other(is_tunnelled, tmp_path):
    """Only the tunnel is seen on the link; without it, the same watch sees TensorFlow's own port."""
    draw_images(tmp_path)
    with Network(2) as network:
        addresses = wireguard.tunnel(network) if is_tunnelled else network.addresses()
        training = network_faults.Training(network, tmp_path, addresses)
        training.start()
        training.wait_for_checkpoint()
        watch = wireguard.seen(network, 0, 2.0)
        ports = set(watch.communicate(timeout=60.0)[0].split())
    assert ports == {f"UDP/{wireguard.PORT}"} if is_tunnelled else "TCP/2222" in ports
