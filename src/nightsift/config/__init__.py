"""The configuration: where its files lie, and the types that its keys have.

Keys of a task are declared in `keys`; keys of a node with a `_target_` are the arguments of the
constructor that it names (`arguments`, `targets`), and are declared there alone.
"""

from nightsift.config.loading import register_schemas

__all__ = ["register_schemas"]
