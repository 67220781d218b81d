"""Sessions for rollout code: checked out of a pool, over one server or several."""

from openenv.pool.checkout import Checkout
from openenv.pool.lease import AsyncPooledEnv, PooledEnv
from openenv.pool.placement import PoolStats, ServerStats, Standing
from openenv.pool.pool import EnvPool

__all__ = ["AsyncPooledEnv", "Checkout", "EnvPool", "PoolStats", "PooledEnv", "ServerStats", "Standing"]
