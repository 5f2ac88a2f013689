"""Three Galera nodes on loopback (Debian's mariadb-server and galera-4), to be killed, frozen and cut off."""

import shutil
import time
from pathlib import Path
from typing import Final

import pymysql

from support.mariadb import MariaDBServer, NoServer, free_port

PROVIDER: Final = "/usr/lib/galera/libgalera_smm.so"
SUSPECT_AFTER_S: Final = 2
"""The cluster waits so long for a silent node; Galera's default is 5 s."""


class GaleraCluster:
    """A running cluster; `nodes[0]` was the first."""

    def __init__(self) -> None:
        if not (Path(PROVIDER).exists() and shutil.which("rsync")):
            raise NoServer("The Galera tests need Debian's galera-4 and rsync: apt install galera-4 rsync")
        ports = [(free_port(), free_port(), free_port()) for _ in range(3)]
        self.nodes: list[MariaDBServer] = []
        try:
            for number, (group, transfer, state) in enumerate(ports, 1):
                self._add_node(number, ports, group, transfer, state)
        except BaseException:
            self.remove()
            raise

    def _add_node(self, number: int, ports: list[tuple[int, int, int]], group: int, transfer: int, state: int) -> None:
        address = ",".join(f"127.0.0.1:{ports_of_one[0]}" for ports_of_one in ports)
        node = MariaDBServer.prepare(
            options=[
                "--binlog-format=ROW", "--innodb-autoinc-lock-mode=2", "--wsrep-on=ON", f"--wsrep-provider={PROVIDER}",
                f"--wsrep-cluster-address=gcomm://{address}", f"--wsrep-node-name=n{number}",
                f"--wsrep-node-address=127.0.0.1:{group}", "--wsrep-sst-method=rsync",
                f"--wsrep-sst-receive-address=127.0.0.1:{state}",
                f"--wsrep-provider-options=gmcast.listen_addr=tcp://127.0.0.1:{group};"
                f"ist.recv_addr=127.0.0.1:{transfer};gcache.size=32M;evs.suspect_timeout=PT{SUSPECT_AFTER_S}S;"
                f"evs.inactive_timeout=PT{SUSPECT_AFTER_S * 2}S;evs.keepalive_period=PT0.5S;evs.install_timeout=PT4S",
                *(["--wsrep-new-cluster"] if not self.nodes else []),
            ]
        )  # fmt: skip
        self.nodes.append(node)
        node.start()
        if number == 1:
            node.options.remove("--wsrep-new-cluster")  # started again, it joins the others
            node.create_user()
        node.password = self.nodes[0].password
        wait_until_synced(node)

    def url(self, database: str, *, first: int = 0) -> str:
        """Return one URL that names every node, the one at *first* before the others."""
        nodes = [*self.nodes[first:], *self.nodes[:first]]
        hosts = ",".join(f"127.0.0.1:{node.port}" for node in nodes)
        url = nodes[0].url(database)
        return url.replace(f"127.0.0.1:{nodes[0].port}", hosts)

    def remove(self) -> None:
        for node in self.nodes:
            node.thaw_if_there()
        for node in reversed(self.nodes):
            node.remove()


def wait_until_synced(node: MariaDBServer, *, within_s: float = 90.0) -> None:
    """Return once *node* takes part; a connection and a ping succeed long before."""
    deadline = time.monotonic() + within_s
    while status_of(node, "wsrep_local_state_comment") != "Synced":
        if time.monotonic() > deadline:
            raise NoServer(f"a Galera node did not join:\n{(node.folder / 'server.log').read_text()[-3000:]}")
        time.sleep(0.1)


def wait_for_size(node: MariaDBServer, size: int, *, within_s: float = 60.0) -> None:
    """Return once *node* sees *size* nodes, itself included."""
    deadline = time.monotonic() + within_s
    while status_of(node, "wsrep_cluster_size") != str(size):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def status_of(node: MariaDBServer, name: str) -> str:
    """Return one status variable of *node*, '' when it does not answer."""
    try:
        with node.root() as connection, connection.cursor() as cursor:
            cursor.execute(f"SHOW STATUS LIKE '{name}'")
            row = cursor.fetchone()
            return "" if row is None else str(row[1])
    except pymysql.Error:
        return ""
