#!/usr/bin/env python
"""Switch the faults of the shop: `faults.py list`, `faults.py on NAME…`, `faults.py off NAME…` (or `all`).

Needs the DATABASE_URL and SHOP_WORK_FOLDER that the shop was started with: two faults change its data,
one drops an index.
"""

import argparse
import os
import sys

from shop import fault_switches


def main() -> int:
    """Do what the command line says and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="every fault, and whether it is on")
    for command in ("on", "off"):
        one = commands.add_parser(command, help=f"switch faults {command}")
        one.add_argument("name", nargs="+", choices=[*fault_switches.FAULTS, "all"])
    arguments = parser.parse_args()

    if arguments.command == "list":
        for name, meaning in fault_switches.FAULTS.items():
            print(f"{'on ' if fault_switches.is_on(name) else 'off'}  {name:<17} {meaning}")
        return 0
    return _switch(arguments.name, on=arguments.command == "on")


def _switch(names: list[str], *, on: bool) -> int:
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    os.environ["E2EDEBUG_ENABLED"] = "0"  # what the operator does is no workflow of the shop
    django.setup()

    from shop.fault_effects import FaultError, switch

    wanted = fault_switches.FAULTS if "all" in names else names
    # The lock goes last and comes off first: on SQLite nothing else can be changed while it is held.
    for name in sorted(wanted, key=lambda name: (name == "lock_wait") is on):
        try:
            switch(name, on=on)
        except FaultError as failure:
            print(f"{name}: {failure}", file=sys.stderr)
            return 1
        print(f"{name} is {'on' if on else 'off'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
