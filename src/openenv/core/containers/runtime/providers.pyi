# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.runtimes.providers import ContainerProvider as ContainerProvider
from openenv.runtimes.providers import DockerSwarmProvider as DockerSwarmProvider
from openenv.runtimes.providers import KubernetesProvider as KubernetesProvider
from openenv.runtimes.providers import LocalDockerProvider as LocalDockerProvider
from openenv.runtimes.providers import RuntimeProvider as RuntimeProvider
