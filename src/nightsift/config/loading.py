"""How Hydra finds the configuration files and learns the types of their keys."""

from __future__ import annotations

from typing import Any

import hydra._internal.hydra as application
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from nightsift.config.keys import GROUPS, TASKS
from nightsift.config.targets import drop_unset, type_targets
from nightsift.shipped import conf_dir


def register_schemas(*, constructors: bool = True) -> None:
    """Make the types of all keys known to Hydra; harmless when repeated.

    Args:
        constructors: whether constructors are asked for their arguments, which imports them:
            `--help` does without.
    """
    store = ConfigStore.instance()
    for task, keys in TASKS.items():
        store.store(name=f"{task}_keys", node=keys)
    for group, keys in GROUPS.items():
        store.store(group=group, name="keys", node=keys)
    # Hydra has no hook between the configuration files and the command line.
    application.ConfigLoaderImpl = TypedLoader if constructors else ConfigLoaderImpl  # type: ignore[attr-defined]


class TypedLoader(ConfigLoaderImpl):
    """Gives nodes with a `_target_` the types and defaults of their constructors.

    It does so after the files have been put together, whoever wrote them, and before the
    command line changes them, so that every argument can be given there and is checked. What
    the command line adds is checked in the end. Configurations of other applications are left
    alone.
    """

    _targets: dict[str, Any]

    def _load_configuration_impl(
        self, config_name: str | None, overrides: list[str], *args: Any, **options: Any
    ) -> DictConfig:
        parsed = OverridesParser.create().parse_overrides(overrides)
        self._targets = {
            item.key_or_group: item.value()
            for item in parsed
            if item.key_or_group.endswith("._target_")
            and not item.is_sweep_override()
            and not item.is_delete()
        }
        cfg: DictConfig = super()._load_configuration_impl(config_name, overrides, *args, **options)
        if self._is_ours():
            type_targets(cfg)
            drop_unset(cfg)
        return cfg

    def _compose_config_from_defaults_list(self, *args: Any, **options: Any) -> DictConfig:
        cfg = super()._compose_config_from_defaults_list(*args, **options)
        if self._is_ours():
            for key, target in self._targets.items():
                if OmegaConf.select(cfg, key, throw_on_missing=False) is not None:
                    OmegaConf.update(cfg, key, target)
            type_targets(cfg)
        return cfg

    def _is_ours(self) -> bool:
        main = [source.path for source in self.get_sources() if source.provider == "main"]
        return main == [str(conf_dir())]
