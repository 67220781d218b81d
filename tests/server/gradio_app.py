"""An environment with a UI of its own, for a process of its own: Gradio leaves threads and sockets behind."""

from typing import Any

import gradio as gr

from openenv import create_app
from tests.support.echo import EchoAction, EchoEnvironment, EchoObservation

__all__ = ["build"]


def build(
    web_manager: Any, action_fields: Any, metadata: Any, is_chat_env: bool, title: str, quick_start_md: str
) -> gr.Blocks:
    """Offer what a builder gets, as functions to be called."""

    async def play(message: str) -> dict[str, Any]:
        reset = await web_manager.reset_environment({"episode_id": "e1"})
        step = await web_manager.step_environment({"message": message})
        return {"reset": reset, "step": step, "state": web_manager.get_state()}

    def told() -> dict[str, Any]:
        names = [field["name"] for field in action_fields]
        return {"fields": names, "name": metadata.name, "chat": is_chat_env, "title": title, "start": quick_start_md}

    blocks = gr.Blocks(title=title)
    with blocks:
        text, result = gr.Textbox(), gr.JSON()
        gr.File(label="upload")
        gr.Button("Play").click(play, text, result, api_name="play")
        gr.Button("Tell").click(told, None, result, api_name="told")
    return blocks


_APPS: dict[str, dict[str, Any]] = {
    "app": {},
    "primary": {"custom_tab_name": "Board", "custom_tab_primary": True, "title_override": "Chess club"},
    "alone": {"show_default_tab": False},
}


def __getattr__(name: str) -> Any:
    """Make an app when it is asked for, as each takes a while."""
    if name not in _APPS:
        raise AttributeError(name)
    more = _APPS[name]
    return create_app(EchoEnvironment, EchoAction, EchoObservation, "painted", gradio_builder=build, **more)
