"""Which processes train together: by flags or by TF_CONFIG."""

import json
import socket
import sys

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from common.cluster import Cluster, distribute
from common.cluster.cluster import config_of, is_local
from common.cluster.sockets import connection_error, listen_to_this_machine_alone, public_address
from common.cluster.supervise import _gpus, supervise
from common.errors import Restart, UserError

anything = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=5) | some.just("a:1"),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
addresses = some.lists(some.sampled_from(["a:1", "b:2", "[::1]:3", "localhost:4"]) | anything, max_size=3)
clusters = some.dictionaries(some.sampled_from(["worker", "chief", "ps"]), addresses | anything, max_size=3)
tasks = some.fixed_dictionaries(
    {}, optional={"type": some.sampled_from(["worker", "chief"]) | anything, "index": some.integers(-1, 3) | anything}
)
documents = some.fixed_dictionaries({}, optional={"cluster": clusters | anything, "task": tasks | anything}) | anything


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    return monkeypatch


def test_flags():
    assert Cluster(workers="a:1, b:2,c:3", rank=2).place() == (["a:1", "b:2", "c:3"], 2)
    assert Cluster().place() == ([], 0)
    assert Cluster(workers="a:1").place() == ([], 0)
    assert Cluster(workers="a:65535,b:1").place() == (["a:65535", "b:1"], 0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"workers": "a:1,b", "rank": 0}, '"b" is not HOST:PORT'),
        ({"workers": "a:1,b:99999", "rank": 0}, '"b:99999" is not HOST:PORT'),
        ({"workers": "a:1,b:65536", "rank": 0}, '"b:65536" is not HOST:PORT'),
        ({"workers": "a:1,b:0", "rank": 0}, '"b:0" is not HOST:PORT'),
        ({"workers": "a:1,http://b:2", "rank": 0}, '"http://b:2" is not HOST:PORT'),
        ({"workers": "a:1,a:1", "rank": 0}, "names one process twice"),
        ({"workers": "a:1,b:2", "rank": 2}, "--rank 2 is not a valid rank of 2 --workers"),
        ({"rank": 1}, "--rank 1 needs --workers"),
        ({"workers": "a:1,b:2", "local_workers": 2}, "both name the processes"),
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
        with pytest.raises(Restart, match=r"rank 1 at no-such-host.invalid:2222: not reachable .*[Nn]ame"):
            group._wait_for_others()
    assert capfd.readouterr().err.count("Waiting for rank 1 at no-such-host.invalid:2222 (") == 1


def tf_config(worker=("a:1", "b:2"), index=0, kind="worker", **more):
    """The text of a TF_CONFIG."""
    cluster = {"worker": list(worker) if isinstance(worker, tuple) else worker, **more}
    return json.dumps({"cluster": cluster, "task": {"type": kind, "index": index}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "it is not valid JSON at line 1, column 2"),
        ("[]", "it is a list, but a table of names and values is expected"),
        ("null", "it is null, but a table"),
        ("[" * 100_000, "it is nested too deeply"),
        ('{"cluster": {"worker": ["a:1"]}}', "task.type is missing"),
        ('{"cluster": {"worker": ["a:1"]}, "task": 2}', "task is 2, but a table"),
        ('{"cluster": {"worker": ["a:1"]}, "cluster": {}}', 'it has "cluster" twice'),
        (tf_config([1, 2]), r"cluster.worker\[0\] is 1, but a text is expected"),
        (tf_config("a:1,b:2"), 'cluster.worker is "a:1,b:2", but a list is expected'),
        (tf_config({"0": "a:1", "1": "b:2"}), "cluster.worker is a table, but a list is expected"),
        (tf_config(index=-1), "task.index is -1, but a whole number from 0 .* is expected"),
        (tf_config(index=float("inf")), "it has Infinity, which is not a JSON number"),
        (tf_config(index=1.0), "task.index is 1.0, but"),
        (tf_config(index=2), "task.index is 2, but a whole number from 0 to 1 is expected"),
        (tf_config(index=1, kind="chief", chief=["c:1"]), "task.index is 1, but a whole number from 0 to 0"),
        (tf_config(kind="chief"), "task.type is chief, but cluster has none"),
        (tf_config(index=10**30), "it has a whole number of 31 digits"),
    ],
)
def test_an_invalid_tf_config_is_refused(text, message, environment):
    environment.setenv("TF_CONFIG", text)
    with pytest.raises(UserError, match=f"TF_CONFIG cannot be used: {message}.*Set it like .*, or unset it"):
        Cluster().place()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a:1", "A:1"),
        ("a:1", "a.:1"),
        ("a:1", "a:01"),
        ("127.0.0.1:1", "localhost:1"),
        ("127.0.0.1:1", "[::ffff:127.0.0.2]:1"),
        ("[::1]:2", "[0:0::1]:2"),
        ("10.0.0.1:1", "[::ffff:10.0.0.1]:1"),
        ("10.0.0.1:1", "[::FFFF:a00:1]:1"),
    ],
)
def test_two_spellings_of_one_process_are_refused(one, other, environment):
    environment.setenv("TF_CONFIG", tf_config([one, other]))
    for cluster in (Cluster(), Cluster(workers=f"{one},{other}")):
        with pytest.raises(UserError, match=r"names one process twice, as .* and .*Name each once"):
            cluster.place()


@pytest.mark.parametrize(
    "host", ["10.0.0.01", "010.0.0.1", "10.0.0.256", "10.1", "167772161", "0xa.0.0.1", "1.2.3.4.5"]
)
def test_ambiguous_spellings_of_an_address_are_refused(host, environment):
    """Systems take the first five, some of them as octal numbers, or for an address of fewer parts."""
    environment.setenv("TF_CONFIG", tf_config([f"{host}:1", "10.0.0.1:1"]))
    for cluster in (Cluster(), Cluster(workers=f"10.0.0.1:1,{host}:1")):
        with pytest.raises(UserError, match=rf'"{host}:1" is not an IPv4 address.* without leading zeros'):
            cluster.place()
    assert Cluster(workers="worker.1:1,1a:1,0x:1").place()[0] == ["worker.1:1", "1a:1", "0x:1"]  # names


@settings(max_examples=25)
@given(documents)
@example({"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": "1"}})
def test_any_tf_config_is_a_place_or_a_sentence(document):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TF_CONFIG", json.dumps(document))
        try:
            addresses, rank = Cluster().place()
        except UserError:
            return
    assert 0 <= rank < max(1, len(addresses)) and len(addresses) != 1
    assert all(isinstance(address, str) for address in addresses)


def test_a_parameter_server_does_not_train(environment):
    environment.setenv("TF_CONFIG", json.dumps({"cluster": {"ps": ["p:1"]}, "task": {"type": "ps", "index": 0}}))
    with pytest.raises(UserError, match="gives this process the type ps, but"):
        Cluster().place()


def test_addresses_of_this_machine():
    assert is_local(["127.0.0.1:1", "localhost:2", "127.0.1.1:3", "[::1]:4"])
    assert not is_local(["127.0.0.1:1", "node2:2"]) and not is_local(["10.0.0.1:1"])


def test_a_gpu_for_each_process(environment):
    environment.setenv("CUDA_VISIBLE_DEVICES", "2,5,GPU-uuid")
    assert _gpus(2) == ["2", "5", "GPU-uuid"]
    with pytest.raises(UserError, match="--local_workers 4 needs a GPU for each process, but there are 3"):
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
    assert "port 1 is open to the network" in (said := capsys.readouterr().err) and "(no socket listens there)" in said


@pytest.mark.skipif(sys.platform != "linux", reason="other systems cannot do it, and warn")
def test_why_a_port_is_open_is_said(monkeypatch, capsys):
    monkeypatch.setattr(socket, "SO_BINDTODEVICE", -1)  # no such option
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        listen_to_this_machine_alone(server.getsockname()[1])
    said = " ".join(capsys.readouterr().err.split())
    assert "cannot restrict it to this machine (Invalid argument)" in said


@pytest.mark.parametrize(
    ("asked", "is_gpu", "chosen"),
    [("auto", True, "nccl"), ("auto", False, "ring"), ("ring", True, "ring"), ("nccl", False, "nccl")],
)
def test_gradients_go_between_gpus_where_these_compute(asked, is_gpu, chosen):
    assert Cluster(collective=asked).on(is_gpu).collective == chosen


TFJOB = {  # as the training operator of Kubeflow writes it
    "cluster": {"chief": ["job-chief-0.ns.svc:2222"], "worker": ["job-worker-0.ns.svc:2222"]},
    "task": {"type": "worker", "index": 0},
    "environment": "cloud",
}


def test_a_tfjob_of_kubeflow(environment):
    environment.setenv("TF_CONFIG", json.dumps(TFJOB))
    assert Cluster().place() == (["job-chief-0.ns.svc:2222", "job-worker-0.ns.svc:2222"], 1)
    environment.setenv("TF_CONFIG", json.dumps({**TFJOB, "task": {"type": "evaluator", "index": 0}}))
    with pytest.raises(UserError, match="the type evaluator, but it must be one of chief, "):
        Cluster().place()
    sparse = {"sparseCluster": {"worker": {"0": "job-worker-0.ns.svc:2222"}, "ps": []}, "task": TFJOB["task"]}
    environment.setenv("TF_CONFIG", json.dumps(sparse))
    with pytest.raises(
        UserError, match=r"has a sparseCluster, in which a process sees only part .*enableDynamicWorker"
    ):
        Cluster().place()


@pytest.mark.parametrize(
    ("host", "is_public"),
    [
        ("8.8.8.8", True),
        ("[2001:4860:4860::8888]", True),
        ("10.1.2.3", False),
        ("192.168.0.9", False),
        ("100.64.0.1", False),  # shared by the customers of a provider, as some tunnels use it
        ("[fd00::1]", False),
        ("[fe80::1%lo]", False),
        ("localhost", False),
        ("no-such-host.invalid", False),
        ("a" * 64, False),  # too long for a name
    ],
)
def test_public_addresses(host, is_public):
    assert bool(public_address(f"{host}:2222")) is is_public


def test_a_name_that_cannot_be_looked_up_is_the_reason():
    assert "label too long" in connection_error(f"{'a' * 64}:2222")


def test_a_process_does_not_listen_where_the_internet_reaches_it(tmp_path, environment):
    """By the addresses of its own name; those of others are for them to refuse."""
    known = {"mine": "203.0.114.7", "other": "10.0.0.2"}
    resolve = socket.getaddrinfo
    environment.setattr(socket, "getaddrinfo", lambda host, *rest, **more: resolve(known[host], *rest, **more))
    with (
        pytest.raises(UserError, match=r"mine:1 is 203\.0\.114\.7, which the internet can reach.*--allow_public_addr"),
        distribute.joined(Cluster(workers="mine:1,other:2"), tmp_path),
    ):
        pass
    for cluster in (
        Cluster(workers="mine:1,other:2", rank=1),
        Cluster(workers="mine:1,other:2", allow_public_address=True),
    ):
        with distribute.joined(cluster, tmp_path) as group:
            assert group.size == 2


ENDING = """import json, os, pathlib, sys
rank = json.loads(os.environ["TF_CONFIG"])["task"]["index"]
mark = pathlib.Path(sys.argv[1], str(rank))
again = mark.exists()
mark.touch()
while not pathlib.Path(sys.argv[1], str(1 - rank)).exists():
    pass
sys.exit(0 if again else 75 * rank)"""


def test_processes_start_again_until_they_end_well(tmp_path, environment, capsys):
    environment.setenv("CUDA_VISIBLE_DEVICES", "")
    command = [sys.executable, "-S", "-c", ENDING, str(tmp_path)]
    assert supervise(command, Cluster(local_workers=2), lambda: None) == 0
    assert "rank 1 needs a restart: all restart from the start." in capsys.readouterr().err


def test_processes_that_fail_or_come_no_further_end_the_training(environment):
    environment.setenv("CUDA_VISIBLE_DEVICES", "")

    def ending(code):
        return [sys.executable, "-S", "-c", f"raise SystemExit({code})"]

    assert supervise(ending(3), Cluster(local_workers=2), lambda: None) == 3
    with pytest.raises(UserError, match="Started 2 times without a new checkpoint"):
        supervise(ending(75), Cluster(local_workers=2, restarts=1), lambda: 7)
