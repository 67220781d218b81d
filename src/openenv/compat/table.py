"""The table: where each name of OpenEnv's is with us, which modules of theirs have it, and what we leave out.

A name means the same in every module that has it. To bring one in, add it to `HOMES` and to its modules; the stubs that
type checkers read are made of this table by `scripts/stubs`.
"""

from functools import cache

__all__ = ["HOMES", "LEFT_OUT", "MODULES", "has_module", "is_package", "left_out", "names_in"]

HOMES = {
    "openenv.auto": "AutoAction AutoEnv",
    "openenv.client": "EnvClient GenericAction GenericEnvClient SyncEnvClient",
    "openenv.client.mcp": "GenericMCPObservation MCPClientBase MCPToolClient",
    "openenv.compat.extras": """
        Message ModelTokenizer Scalar convert_to_ws_url hf_space_subdomain run_async_safely
    """,
    "openenv.compat.frames": """
        WSCloseMessage WSErrorCode WSErrorResponse WSIncomingMessage WSMCPMessage WSMCPResponse WSObservationResponse
        WSResetMessage WSStateMessage WSStateResponse WSStepMessage
    """,
    "openenv.env": "Environment EnvironmentMetadata ServerMode TaskProvider",
    "openenv.env.capacity": "ConcurrencyConfig ServerCapacityStatus SessionInfo",
    "openenv.env.http_models": """
        BaseMessage GetTaskRangeRequest GetTaskRequest HealthResponse HealthStatus ListTasksRequest NumTasksRequest
        ResetRequest ResetResponse SchemaResponse StepRequest StepResponse
    """,
    "openenv.env.interface": "ActT ObsT StateT",
    "openenv.env.mcp": """
        CallToolAction CallToolObservation JsonRpcError JsonRpcErrorCode JsonRpcRequest JsonRpcResponse ListToolsAction
        ListToolsObservation MCPEnvironment MCP_TOOL_CALL_TIMEOUT McpMethod RESERVED_TOOL_NAMES Tool ToolError
        ToolErrorType get_server_tools
    """,
    "openenv.env.payloads": "deserialize_action deserialize_action_with_preprocessing serialize_observation",
    "openenv.env.rubrics": """
        ExponentialDiscountingTrajectoryRubric Gate LLMJudge Rubric RubricDict RubricList Sequential TrajectoryRubric
        WeightedSum
    """,
    "openenv.env.transforms": "CompositeTransform NullTransform Transform",
    "openenv.errors": """
        ConcurrencyConfigurationError=ConfigurationError EnvironmentFactoryError=FactoryFailed OpenEnvError
        SessionCapacityError=AtCapacity SessionCreationError=FactoryFailed SessionNotFoundError=UnknownSession
    """,
    "openenv.evals": "EvalConfig EvalHarness EvalResult InspectAIHarness",
    "openenv.llm": "AnthropicClient LLMClient LLMResponse OpenAIClient ToolCall create_llm_client",
    "openenv.runtimes.providers": """
        ContainerProvider DockerSwarmProvider KubernetesProvider LocalDockerProvider RuntimeProvider UVProvider
    """,
    "openenv.server.app": "create_app create_fastapi_app create_web_interface_app",
    "openenv.server.http_env_server": "HTTPEnvServer",
    "openenv.server.route_config": "GetEndpointConfig register_get_endpoints",
    "openenv.server.web_manager": """
        ActionLog EpisodeState WebInterfaceManager get_quick_start_markdown load_environment_metadata
    """,
    "openenv.tools": "CodeExecResult GitServerClient PyExecutor RepoInfo",
    "openenv.types": "Action Observation State StepResult",
}
"""Where a name is; `theirs=ours` where it is called otherwise."""

_TYPES = """
    Action CodeExecResult ConcurrencyConfig EnvironmentMetadata Observation Scalar ServerCapacityStatus ServerMode
    SessionInfo State
""" + " ".join((HOMES["openenv.env.http_models"], HOMES["openenv.compat.frames"]))
_INTERFACES = """
    ActT Action Environment EnvironmentMetadata Message ModelTokenizer ObsT Observation State StateT TaskProvider
    Transform
"""
_EXCEPTIONS = """
    ConcurrencyConfigurationError EnvironmentFactoryError OpenEnvError SessionCapacityError SessionCreationError
    SessionNotFoundError
"""
_MCP_TYPES = """
    CallToolAction CallToolObservation JsonRpcError JsonRpcErrorCode JsonRpcRequest JsonRpcResponse ListToolsAction
    ListToolsObservation McpMethod RESERVED_TOOL_NAMES Tool ToolError ToolErrorType WSMCPMessage WSMCPResponse
"""
_SERVER = "HTTPEnvServer create_app create_fastapi_app"
_SERIALIZATION = HOMES["openenv.env.payloads"]
_TRANSFORMS = HOMES["openenv.env.transforms"]
_WEB = "WebInterfaceManager create_web_interface_app"
_SHAPES = f"{_TYPES} {_INTERFACES} {_EXCEPTIONS} {_MCP_TYPES}"
_ENV_SERVER = f"{_SHAPES} {_SERVER} {_SERIALIZATION} {_TRANSFORMS} {_WEB} GetEndpointConfig MCPEnvironment"
_CLIENTS = "EnvClient GenericAction GenericEnvClient MCPClientBase MCPToolClient SyncEnvClient"
_PROVIDERS = "ContainerProvider DockerSwarmProvider KubernetesProvider LocalDockerProvider"

MODULES = {
    "openenv.core": " ".join((_ENV_SERVER, _CLIENTS, HOMES["openenv.llm"], "StepResult")),
    "openenv.core.client_types": "ObsT StateT StepResult",
    "openenv.core.containers": "",
    "openenv.core.containers.runtime": f"{_PROVIDERS} RuntimeProvider UVProvider",
    "openenv.core.containers.runtime.providers": f"{_PROVIDERS} RuntimeProvider",
    "openenv.core.containers.runtime.uv_provider": "RuntimeProvider UVProvider",
    "openenv.core.env_client": "EnvClient StepResult",
    "openenv.core.env_server": _ENV_SERVER,
    "openenv.core.env_server.base_transforms": _TRANSFORMS,
    "openenv.core.env_server.exceptions": _EXCEPTIONS,
    "openenv.core.env_server.http_server": f"{_SERVER} Action Environment Observation State",
    "openenv.core.env_server.interfaces": _INTERFACES,
    "openenv.core.env_server.mcp_environment": f"{_MCP_TYPES} MCPEnvironment MCP_TOOL_CALL_TIMEOUT get_server_tools",
    "openenv.core.env_server.mcp_types": _MCP_TYPES,
    "openenv.core.env_server.route_config": HOMES["openenv.server.route_config"],
    "openenv.core.env_server.serialization": _SERIALIZATION,
    "openenv.core.env_server.types": _TYPES,
    "openenv.core.env_server.web_interface": f"{HOMES['openenv.server.web_manager']} create_web_interface_app",
    "openenv.core.evals": HOMES["openenv.evals"],
    "openenv.core.evals.base": "EvalHarness",
    "openenv.core.evals.inspect_harness": "InspectAIHarness",
    "openenv.core.evals.types": "EvalConfig EvalResult",
    "openenv.core.generic_client": "GenericAction GenericEnvClient",
    "openenv.core.llm_client": HOMES["openenv.llm"],
    "openenv.core.mcp_client": HOMES["openenv.client.mcp"],
    "openenv.core.rubrics": HOMES["openenv.env.rubrics"],
    "openenv.core.rubrics.base": "Rubric",
    "openenv.core.rubrics.containers": "Gate RubricDict RubricList Sequential WeightedSum",
    "openenv.core.rubrics.llm_judge": "LLMJudge",
    "openenv.core.rubrics.trajectory": "ExponentialDiscountingTrajectoryRubric TrajectoryRubric",
    "openenv.core.sync_client": "SyncEnvClient",
    "openenv.core.tools": "GitServerClient PyExecutor RepoInfo",
    "openenv.core.tools.git_server_client": "GitServerClient RepoInfo",
    "openenv.core.tools.local_python_executor": "PyExecutor",
    "openenv.core.utils": "convert_to_ws_url hf_space_subdomain run_async_safely",
}
"""Which names a module has; it has its submodules besides."""

_RUNTIMES = "a package that has a runtime for it can offer that by the entry point group `openenv.runtimes`"
_ACCOUNT = f"it needs an account elsewhere, and is not part of OpenEnv Runtime; {_RUNTIMES}"
_GRADIO = "is not made with Gradio in OpenEnv Runtime; `gradio_builder=` of create_app adds one that is"
LEFT_OUT = {
    "openenv.core.containers.runtime.aca_provider": f"Azure Container Apps: {_ACCOUNT}",
    "openenv.core.containers.runtime.daytona_provider": f"Daytona: {_ACCOUNT}",
    "openenv.core.containers.runtime.hf_sandbox_provider": f"the Hugging Face sandbox: {_ACCOUNT}",
    "openenv.core.containers.runtime.modal_provider": f"Modal: {_ACCOUNT}",
    "openenv.core.containers.runtime.novita_provider": f"Novita: {_ACCOUNT}",
    "openenv.core.env_server.gradio_theme": f"the theme of a page that {_GRADIO}",
    "openenv.core.env_server.gradio_ui": f"a page that {_GRADIO}",
    "openenv.core.harness": "the harness for rollouts is not part of OpenEnv Runtime; drive a client in its place",
    "openenv.core.sandbox": f"the sandboxes of the harness are not part of OpenEnv Runtime; {_RUNTIMES}",
    "openenv.discovery": "catalogs are not part of OpenEnv Runtime; AutoEnv finds what is installed, and Spaces",
    "openenv.harbor": "Harbor is not part of OpenEnv Runtime",
    "openenv.validation": "this pipeline is not part of OpenEnv Runtime; `openenv validate` checks an environment",
}
"""What we do not have, with everything below it, and the sentence that says so."""

_LEGACY = "openenv_core"


@cache
def names_in(module: str) -> dict[str, str]:
    """Give the names of a module, each with the place it is at, as `module:attribute`."""
    homes = _homes()
    return {name: homes[name] for name in MODULES[_modern(module)].split()}


def has_module(module: str) -> bool:
    """Whether there is such a module."""
    return _modern(module) in MODULES


def is_package(module: str) -> bool:
    """Whether there are modules below it."""
    return any(other.startswith(f"{_modern(module)}.") for other in MODULES)


def left_out(module: str) -> str | None:
    """Say in a sentence why a module is left out; None for one that is not."""
    known = _modern(module)
    why = next((why for name, why in LEFT_OUT.items() if f"{known}.".startswith(f"{name}.")), None)
    return why and f"{module} cannot be imported: {why}"


def _modern(module: str) -> str:
    return f"openenv.core{module.removeprefix(_LEGACY)}" if module.startswith(f"{_LEGACY}.") else module


@cache
def _homes() -> dict[str, str]:
    found = {}
    for home, names in HOMES.items():
        for each in names.split():
            theirs, _, ours = each.partition("=")
            found[theirs] = f"{home}:{ours or theirs}"
    return found
