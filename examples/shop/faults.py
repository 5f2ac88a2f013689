#!/usr/bin/env python
"""Switch the faults of the shop: `faults.py list`, `on NAME…`, `off NAME…` (or `all`), `only NAME…`.

Needs the DATABASE_URL and SHOP_WORK_FOLDER that the shop was started with: two faults change its data,
one drops an index.
"""

import argparse
import logging
import os
import sys
from collections.abc import Collection

from shop import fault_switches


def main() -> int:
    """Do what the command line says and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="every fault, and whether it is on")
    for command in ("on", "off"):
        one = commands.add_parser(command, help=f"switch faults {command}")
        one.add_argument("name", nargs="+", choices=[*fault_switches.FAULTS, "all"])
    only = commands.add_parser("only", help="switch these faults on and all others off")
    only.add_argument("name", nargs="*", choices=[*fault_switches.FAULTS, []])
    arguments = parser.parse_args()

    if arguments.command == "list":
        for name, meaning in fault_switches.FAULTS.items():
            print(f"{'on ' if fault_switches.is_on(name) else 'off'}  {name:<17} {meaning}")
        return 0
    names = set(fault_switches.FAULTS) if "all" in arguments.name else set(arguments.name)
    if arguments.command == "only":
        return _switch(off=fault_switches.switched_on() - names, on=names - fault_switches.switched_on())
    return _switch(off=set(), on=names) if arguments.command == "on" else _switch(off=names, on=set())


def _switch(*, off: Collection[str], on: Collection[str]) -> int:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    os.environ["E2EDEBUG_ENABLED"] = "0"  # what the operator does is no workflow of the shop
    logging.getLogger("e2edebug").setLevel(logging.WARNING)  # ... and needs no line that says so
    django.setup()

    from shop.fault_effects import FaultError, switch

    # The lock comes off first and goes on last: on SQLite nothing else can be changed while it is held.
    steps = [(name, False) for name in sorted(off, key=lambda name: name != "lock_wait")]
    steps += [(name, True) for name in sorted(on, key=lambda name: name == "lock_wait")]
    for name, is_on in steps:
        try:
            switch(name, on=is_on)
        except FaultError as failure:
            print(f"{name}: {failure}", file=sys.stderr)
            return 1
        print(f"{name} is {'on' if is_on else 'off'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
