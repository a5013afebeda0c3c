"""Calls one function of a component in wasmtime-py: call.py COMPONENT INTERFACE|- FUNCTION ARGUMENTS"""

import json
import os
import sys

from wasmtime import Engine, Store, WasiConfig
from wasmtime.component import Component, Linker, Variant


def argument(value):
    """A JSON value as wasmtime-py takes it; `{"ok": x}` is a result."""
    if isinstance(value, dict) and list(value) in (["ok"], ["err"]):
        (case,) = value
        return Variant(case, value[case])
    return value


component, interface, function, arguments = sys.argv[1:]
engine = Engine()
linker = Linker(engine)
linker.add_wasip2()
linker.add_wasi_http()
store = Store(engine)
wasi = WasiConfig()
wasi.env = [(k, v) for k, v in os.environ.items() if k.startswith("THOTH_")]
store.set_wasi(wasi)
store.set_wasi_http()
component = Component.from_file(engine, component)
instance = linker.instantiate(store, component)
parent = None if interface == "-" else instance.get_export_index(store, interface)
index = instance.get_export_index(store, function, parent)
result = instance.get_func(store, index)(store, *map(argument, json.loads(arguments)))
print(result.payload if isinstance(result, Variant) else result)
