"""Which processes train together: by flags or by TF_CONFIG."""

import json
import socket
import sys

import pytest

from common.cluster import Cluster, distribute
from common.cluster.cluster import config_of, is_local
from common.cluster.sockets import listen_to_this_machine_alone
from common.cluster.supervise import _gpus
from common.errors import Restart, UserError


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    return monkeypatch


def test_flags():
    assert Cluster(workers="a:1, b:2,c:3", rank=2).place() == (["a:1", "b:2", "c:3"], 2)
    assert Cluster().place() == ([], 0)
    assert Cluster(workers="a:1").place() == ([], 0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"workers": "a:1,b", "rank": 0}, "'b' is no HOST:PORT"),
        ({"workers": "a:1,b:99999", "rank": 0}, "'b:99999' is no HOST:PORT"),
        ({"workers": "a:1,http://b:2", "rank": 0}, "'http://b:2' is no HOST:PORT"),
        ({"workers": "a:1,a:1", "rank": 0}, "names one process twice"),
        ({"workers": "a:1,b:2", "rank": 2}, "--rank 2 is none of 2 --workers"),
        ({"rank": 1}, "--rank 1 is one of --workers"),
        ({"workers": "a:1,b:2", "local_workers": 2}, "both say which processes train"),
        ({"hung_after": 0.0}, "--hung_after 0.0 is too small"),
    ],
)
def test_invalid_flags_are_refused(fields, message):
    with pytest.raises(UserError, match=message):
        Cluster(**fields).place()


def test_tf_config(environment):
    """In the format of TensorFlow's documentation and of Kubernetes operators: a chief has rank 0."""
    cluster = {"chief": ["c:1"], "worker": ["w0:2", "w1:3"], "ps": ["p:4"]}
    for kind, index, rank in (("chief", 0, 0), ("worker", 0, 1), ("worker", 1, 2)):
        environment.setenv("TF_CONFIG", json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}}))
        assert Cluster().place() == (["c:1", "w0:2", "w1:3"], rank)
    assert Cluster(workers="a:1,b:2", rank=1).place() == (["a:1", "b:2"], 1)  # flags win
    environment.setenv("TF_CONFIG", config_of(["a:1", "b:2"], 1))
    assert Cluster().place() == (["a:1", "b:2"], 1)
    environment.setenv("TF_CONFIG", json.dumps({"task": {"type": "worker", "index": 0}}))
    assert Cluster().place() == ([], 0)


def test_a_process_with_an_unknown_host_is_named_at_once_and_in_the_error(tmp_path, capfd, environment):
    environment.setattr(distribute, "ANNOUNCED_AFTER", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        addresses = [f"127.0.0.1:{server.getsockname()[1]}", "no-such-host.invalid:2222"]
        group = distribute.ProcessGroup(addresses, 0, Cluster(start_within=1.0), tmp_path)
        with pytest.raises(Restart, match=r"rank 1 at no-such-host.invalid:2222: not there .*[Nn]ame"):
            group._wait_for_others()
    assert capfd.readouterr().err.count("Waiting for rank 1 at no-such-host.invalid:2222 (") == 1


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"cluster": {"worker": ["a:1"]}}', '{"cluster": {"worker": 1}, "task": 2}']
)
def test_an_invalid_tf_config_is_refused(text, environment):
    environment.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match="TF_CONFIG does not read"):
        Cluster().place()


def test_a_parameter_server_does_not_train(environment):
    environment.setenv("TF_CONFIG", json.dumps({"cluster": {"ps": ["p:1"]}, "task": {"type": "ps", "index": 0}}))
    with pytest.raises(UserError, match="makes this process a ps"):
        Cluster().place()


def test_addresses_of_this_machine():
    assert is_local(["127.0.0.1:1", "localhost:2", "127.0.1.1:3", "[::1]:4"])
    assert not is_local(["127.0.0.1:1", "node2:2"]) and not is_local(["10.0.0.1:1"])


def test_a_gpu_for_each_process(environment):
    environment.setenv("CUDA_VISIBLE_DEVICES", "2,5,GPU-uuid")
    assert _gpus(2) == ["2", "5", "GPU-uuid"]
    with pytest.raises(UserError, match="--local_workers 4 takes a GPU for each process, and there are 3"):
        _gpus(4)
    environment.setenv("CUDA_VISIBLE_DEVICES", "")
    assert _gpus(4) == []


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot do it, and warn")
def test_a_port_of_this_machine_alone_is_bound_to_its_loopback_device(capsys):
    """A socket that listens on every network, as TensorFlow's does, then accepts this machine alone."""
    with socket.socket(socket.AF_INET6) as server:
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.bind(("::", 0))
        server.listen()
        port = server.getsockname()[1]
        assert server.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16) == b""
        listen_to_this_machine_alone(port)
        assert server.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16) == b"lo\0"
        socket.create_connection(("127.0.0.1", port), timeout=2.0).close()
        assert capsys.readouterr().err == ""
    listen_to_this_machine_alone(1)  # nothing listens there
    assert "port 1 is open to the network" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "is_gpu", "chosen"),
    [("auto", True, "nccl"), ("auto", False, "ring"), ("ring", True, "ring"), ("nccl", False, "nccl")],
)
def test_gradients_go_between_gpus_where_these_compute(asked, is_gpu, chosen):
    assert Cluster(collective=asked).on(is_gpu).collective == chosen
