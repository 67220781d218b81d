# Made by scripts/stubs; what happens is in openenv/compat.
from openenv.errors import AtCapacity as SessionCapacityError
from openenv.errors import ConfigurationError as ConcurrencyConfigurationError
from openenv.errors import FactoryFailed as EnvironmentFactoryError
from openenv.errors import FactoryFailed as SessionCreationError
from openenv.errors import OpenEnvError as OpenEnvError
from openenv.errors import UnknownSession as SessionNotFoundError
