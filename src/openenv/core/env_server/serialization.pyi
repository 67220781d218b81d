# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.env.payloads import deserialize_action as deserialize_action
from openenv.env.payloads import deserialize_action_with_preprocessing as deserialize_action_with_preprocessing
from openenv.env.payloads import serialize_observation as serialize_observation
