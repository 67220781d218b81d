"""Every path and name of OpenEnv that code imports: there, ours, and the same object wherever it is found."""

import importlib
import importlib.util
import subprocess
import sys

import pytest

import openenv
from openenv.compat.table import LEFT_OUT, MODULES, has_module, is_package, left_out, names_in

MODERN = sorted(MODULES)
LEGACY = [f"openenv_core.{module.removeprefix('openenv.core.')}" for module in MODERN[1:]]

old_package = pytest.mark.filterwarnings("ignore:the package openenv_core:DeprecationWarning")

# What environments, clients, trainers and documentation are known to import from where.
USED = {
    "openenv.core": """
        Action AnthropicClient CallToolAction CallToolObservation CompositeTransform ConcurrencyConfig
        ConcurrencyConfigurationError EnvClient Environment EnvironmentFactoryError GenericAction GenericEnvClient
        GetEndpointConfig GetTaskRangeRequest GetTaskRequest HTTPEnvServer HealthResponse HealthStatus JsonRpcError
        JsonRpcErrorCode JsonRpcRequest JsonRpcResponse LLMClient LLMResponse ListTasksRequest ListToolsAction
        ListToolsObservation MCPClientBase MCPEnvironment MCPToolClient McpMethod Message ModelTokenizer NullTransform
        NumTasksRequest Observation OpenAIClient OpenEnvError RESERVED_TOOL_NAMES SchemaResponse ServerCapacityStatus
        ServerMode SessionCapacityError SessionCreationError SessionInfo SessionNotFoundError State StepResult
        SyncEnvClient TaskProvider Tool ToolCall ToolError ToolErrorType Transform WSCloseMessage WSErrorCode
        WSErrorResponse WSIncomingMessage WSMCPMessage WSMCPResponse WSObservationResponse WSResetMessage
        WSStateMessage WSStateResponse WSStepMessage WebInterfaceManager create_app create_fastapi_app
        create_llm_client create_web_interface_app deserialize_action deserialize_action_with_preprocessing
        serialize_observation BaseMessage
    """,
    "openenv.core.client_types": "ObsT StateT StepResult",
    "openenv.core.containers.runtime": """
        ContainerProvider DockerSwarmProvider KubernetesProvider LocalDockerProvider RuntimeProvider UVProvider
    """,
    "openenv.core.containers.runtime.providers": "ContainerProvider LocalDockerProvider",
    "openenv.core.containers.runtime.uv_provider": "UVProvider",
    "openenv.core.env_client": "EnvClient StepResult",
    "openenv.core.env_server": "Action Environment Message Observation State Transform create_app MCPEnvironment",
    "openenv.core.env_server.base_transforms": "CompositeTransform NullTransform",
    "openenv.core.env_server.exceptions": "ConcurrencyConfigurationError OpenEnvError SessionCapacityError",
    "openenv.core.env_server.http_server": "HTTPEnvServer create_app create_fastapi_app",
    "openenv.core.env_server.interfaces": """
        Action ActT Environment Message ModelTokenizer ObsT Observation State StateT TaskProvider Transform
    """,
    "openenv.core.env_server.mcp_environment": "CallToolAction ListToolsAction MCPEnvironment",
    "openenv.core.env_server.mcp_types": "CallToolAction CallToolObservation ListToolsAction ListToolsObservation Tool",
    "openenv.core.env_server.route_config": "GetEndpointConfig register_get_endpoints",
    "openenv.core.env_server.serialization": "deserialize_action serialize_observation",
    "openenv.core.env_server.types": """
        Action CodeExecResult ConcurrencyConfig EnvironmentMetadata Observation ResetRequest ResetResponse Scalar
        ServerCapacityStatus SessionInfo State StepRequest StepResponse WSErrorCode WSResetMessage WSStepMessage
    """,
    "openenv.core.env_server.web_interface": """
        ActionLog EpisodeState WebInterfaceManager create_web_interface_app get_quick_start_markdown
        load_environment_metadata
    """,
    "openenv.core.evals": "EvalConfig EvalHarness EvalResult InspectAIHarness",
    "openenv.core.generic_client": "GenericAction GenericEnvClient",
    "openenv.core.llm_client": "AnthropicClient LLMClient LLMResponse OpenAIClient ToolCall create_llm_client",
    "openenv.core.mcp_client": "GenericMCPObservation MCPClientBase MCPToolClient",
    "openenv.core.rubrics": """
        ExponentialDiscountingTrajectoryRubric Gate LLMJudge Rubric RubricDict RubricList Sequential TrajectoryRubric
        WeightedSum
    """,
    "openenv.core.rubrics.base": "Rubric",
    "openenv.core.rubrics.trajectory": "ExponentialDiscountingTrajectoryRubric",
    "openenv.core.sync_client": "SyncEnvClient",
    "openenv.core.tools": "GitServerClient PyExecutor RepoInfo",
    "openenv.core.tools.git_server_client": "GitServerClient RepoInfo",
    "openenv.core.utils": "convert_to_ws_url hf_space_subdomain run_async_safely",
}


@pytest.mark.parametrize("module", MODERN)
def test_every_entry_of_the_table_is_an_object_of_ours(module: str) -> None:
    made = importlib.import_module(module)
    missing = [name for name in names_in(module) if not hasattr(made, name)]
    assert not missing, f"{module} lacks {missing}"
    assert sorted(names_in(module)) == made.__all__
    assert set(names_in(module)) <= set(dir(made))


@pytest.mark.parametrize("module", sorted(USED))
def test_what_existing_code_imports_is_in_the_table(module: str) -> None:
    missing = set(USED[module].split()) - names_in(module).keys()
    assert not missing, f"{module} lacks {sorted(missing)}"


@old_package
def test_an_object_is_the_same_wherever_it_is_found() -> None:
    found: dict[str, set[int]] = {}
    for path in [*MODERN, *LEGACY]:
        for name in names_in(path):
            found.setdefault(name, set()).add(id(getattr(importlib.import_module(path), name)))
    assert {name for name, objects in found.items() if len(objects) > 1} == set()
    for name in ("Action", "Observation", "State", "StepResult", "EnvClient", "Environment", "create_app"):
        assert found[name] == {id(getattr(openenv, name))}


@pytest.mark.parametrize("module", sorted(LEFT_OUT))
@pytest.mark.parametrize("statement", ["import {}", "from {}.deeper import anything", "from {parent} import {name}"])
def test_what_is_left_out_says_so_in_one_sentence(module: str, statement: str) -> None:
    parent, _, name = module.rpartition(".")
    with pytest.raises(ImportError, match=r"cannot be imported: .*OpenEnv Runtime"):
        exec(statement.format(module, parent=parent, name=name))


def test_a_sandbox_elsewhere_names_the_way_in_for_third_parties() -> None:
    why = left_out("openenv.core.containers.runtime.modal_provider")
    assert why is not None
    assert "entry point group `openenv.runtimes`" in why


def test_what_is_only_called_alike_is_not_left_out() -> None:
    assert left_out("openenv.core.harnessed") is None
    assert left_out("openenv_core.harness") is not None


def test_packages_are_those_with_modules_below_them() -> None:
    assert is_package("openenv.core.env_server")
    assert is_package("openenv_core.containers")
    assert not is_package("openenv.core.env_server.types")
    assert not has_module("openenv.core.env_server.typos")


@old_package
@pytest.mark.parametrize("path", ["openenv_core", *LEGACY])
def test_the_old_package_has_every_module(path: str) -> None:
    assert importlib.util.find_spec(path) is not None


def test_the_old_package_warns_once_and_gives_the_same_objects() -> None:
    program = """
import warnings
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import openenv_core
    from openenv_core.env_server.types import Action
    from openenv_core import EnvClient
    import openenv_core.client_types
import openenv
assert [w.category for w in caught] == [DeprecationWarning] and "openenv.core" in str(caught[0].message), caught
assert caught[0].filename == "<string>", caught[0].filename
assert Action is openenv.Action and EnvClient is openenv.EnvClient
assert openenv_core.env_server.Action is Action and "Action" in dir(openenv_core)
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
