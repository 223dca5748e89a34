"""Other ways to find campaigns, from the literature and from practice, judged on the same worlds as ours.

Each peer is a `Peer` (`protocol.py`): it sees a `Log` (the columns of an exchange store, never the truth),
and says which accounts belong together. Its settings are chosen on training worlds (`training.py`) and then
kept. The list below is literal; a peer of another project is added by appending to it in a script of one's
own.
"""

from __future__ import annotations

from peers.hunt import Hunt
from peers.limits import RateLimits
from peers.log import Log, read_log
from peers.mmd import MmdWindow
from peers.modularity import ModularityCommunities
from peers.prada import Prada
from peers.protocol import Peer
from peers.shift import EmbeddingShift
from peers.synchro import SynchroTrap
from peers.template import TemplateHash

PEERS: tuple[Peer, ...] = (
    RateLimits(),
    Hunt(),
    Prada(),
    EmbeddingShift(),
    MmdWindow(),
    SynchroTrap(),
    ModularityCommunities(),
    TemplateHash(),
)

__all__ = ["PEERS", "Log", "Peer", "read_log"]
