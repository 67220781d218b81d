# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.server.app import create_web_interface_app as create_web_interface_app
from openenv.server.web_manager import ActionLog as ActionLog
from openenv.server.web_manager import EpisodeState as EpisodeState
from openenv.server.web_manager import WebInterfaceManager as WebInterfaceManager
from openenv.server.web_manager import get_quick_start_markdown as get_quick_start_markdown
from openenv.server.web_manager import load_environment_metadata as load_environment_metadata
