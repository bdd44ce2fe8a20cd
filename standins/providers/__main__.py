"""Start the stand-ins: python -m standins.providers --folder DIR --stripe-port N --paypal-port N."""

from __future__ import annotations

import argparse
import fcntl
import importlib
import json
import signal
import sys
import threading
from pathlib import Path

from standins.providers.deliveries import Deliverer
from standins.providers.exchange import Exchange
from standins.providers.faults import FaultPlan
from standins.providers.server import Port
from standins.providers.store import Store
from standins.providers.wire import Provider
from standins.providers.world import Clock, World

HALVES = {
    "stripe": ("standins.providers.stripe_half", "Stripe"),
    "paypal": ("standins.providers.paypal_half", "PayPal"),
}


def halves() -> dict[str, Provider]:
    """The provider halves by name; each class is made without arguments."""
    return {name: getattr(importlib.import_module(module), cls)() for name, (module, cls) in HALVES.items()}


def open_world(folder: Path, seed: int = 0) -> World:
    """The world of one folder, as it was left when the last process on it ended, however it ended."""
    folder.mkdir(parents=True, exist_ok=True)
    store = Store(folder / "providers.sqlite3")
    with store.transaction() as tx:
        ahead = int(tx.setting("clock", 0))
    found = halves()
    return World(store, Clock(ahead), FaultPlan(store, seed), Deliverer(store, found, seed), found)


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; 0 then, 1 when the folder is in use. One line names the addresses when ready."""
    parser = argparse.ArgumentParser(prog="standins.providers", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--host", default="127.0.0.1")
    for name in HALVES:
        parser.add_argument(f"--{name}-port", type=int, default=0, help="0 picks a free one")
        parser.add_argument(f"--{name}-public", default="", help="address under which browsers reach this port")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", type=Path, help="a JSON file with a fault plan")
    chosen = parser.parse_args(arguments)
    chosen.folder.mkdir(parents=True, exist_ok=True)
    with (chosen.folder / "lock").open("w") as lock:  # the kernel lets go of it however the process ends
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print(f"{chosen.folder} is in use by another process", file=sys.stderr)
            return 1
        return serve(chosen)


def serve(chosen: argparse.Namespace) -> int:
    """Open the folder and the ports, and answer until told to stop."""
    world = open_world(chosen.folder, chosen.seed)
    if chosen.faults:
        world.faults.replace(json.loads(chosen.faults.read_text()))
    exchange = Exchange(world)
    ports = []
    for name, half in world.halves.items():
        port = Port((chosen.host, getattr(chosen, f"{name}_port")), exchange, half)
        here = f"http://{chosen.host}:{port.server_address[1]}"
        world.pages[name] = (getattr(chosen, f"{name}_public") or here).rstrip("/")
        threading.Thread(target=port.serve_forever, name=name, daemon=True).start()
        ports.append((name, here, port))
    world.deliverer.start()
    stop = threading.Event()
    for wanted in (signal.SIGTERM, signal.SIGINT):
        signal.signal(wanted, lambda number, frame: stop.set())
    print(", ".join(f"{name} on {here}" for name, here, _ in ports), flush=True)
    stop.wait()
    for _, _, port in ports:
        port.server_close()  # requests under way are cut off, as by kill -9: each is one transaction
    world.store.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
