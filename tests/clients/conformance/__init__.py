"""The conformance table of the Flight SQL design as checks that any Flight SQL server can be asked: ours and its peers.

    contract.py     the ids, which of them only ours can be asked and why, and how a check is judged
    rpc.py          Flight as bytes over gRPC
    servers.py      how each server is started, logged in to, and what its one common table is called
    login.py, metadata.py, statements.py, running.py, sessions.py, service.py     the checks, by the letters of their ids
    __main__.py     `python -m conformance`: asks the servers and writes the table of results

Ours is held to the contract. Peers are held to the same sentences as far as the protocol or a client in use needs them;
where a sentence is only our choice (one text for every refused login, a plan without execution, exactly these table types) a
check says `if server.ours`.
"""

# Each module adds its checks to contract.CHECKS.
from conformance import login, metadata, running, service, sessions, statements  # noqa: F401
