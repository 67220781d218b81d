# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.server.route_config import GetEndpointConfig as GetEndpointConfig
from openenv.server.route_config import register_get_endpoints as register_get_endpoints
