"""Programs that say which names a thin client does not have: of members, and of settings."""

from collections.abc import Callable, Collection, Mapping


def _python(members: Collection[str], settings: Collection[str]) -> str:
    return f"""
import inspect
import tailslide_client
from tailslide_client import AsyncClient, Client
for name in {sorted(members)}:
    if not hasattr(tailslide_client, name) and not (hasattr(Client, name) and hasattr(AsyncClient, name)):
        print(name)
for name in {sorted(settings)}:
    if not all(name in inspect.signature(kind).parameters for kind in (Client, AsyncClient)):
        print(name)
"""


def _javascript(members: Collection[str], settings: Collection[str]) -> str:
    # A setting that is not known is passed over; one that is known does not take what cannot be right.
    return f"""
import * as tailslide from "tailslide-client";
const client = new tailslide.Client();
for (const name of {sorted(members)}) {{
  if (!(name in client) && !(name in tailslide)) console.log(name);
}}
for (const name of {sorted(settings)}) {{
  try {{
    new tailslide.Client({{ [name]: /url$/i.test(name) ? "ftp://host" : name === "token" ? "a b" : -1 }});
    console.log(name);
  }} catch {{}}
}}
"""


def _go(members: Collection[str], settings: Collection[str]) -> str:
    # What is not there does not compile.
    functions = [
        "tailslide.Guard[int]" if name == "tailslide.Guard" else name
        for name in (*members, *settings)
        if name.startswith("tailslide.") and name != "tailslide.Client"
    ]
    methods = [f"(*tailslide.Client).{name}" for name in members if not name.startswith("tailslide.")]
    used = "\n".join(f"var _ = {name}" for name in sorted({*functions, *methods}))
    return f"""package main

import tailslide "github.com/tailslide/tailslide/sdk-thin/go"

{used}

func main() {{}}
"""


def _ruby(members: Collection[str], settings: Collection[str]) -> str:
    return f"""
require "tailslide_client"
there = Tailslide::Client.instance_methods(false).map(&:to_s) + ["Tailslide::Client"]
puts {sorted(members)} - there
puts {sorted(settings)} - Tailslide::Client.instance_method(:initialize).parameters.map {{ |_, name| name.to_s }}
"""


def _java(members: Collection[str], settings: Collection[str]) -> str:
    def quoted(names: Collection[str]) -> str:
        return ", ".join(f'"{name}"' for name in sorted(names))

    return f"""
import io.tailslide.client.Tailslide;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;

public class Example {{
    private static void missing(Class<?> type, List<String> names) {{
        List<String> there = Arrays.stream(type.getMethods()).map(Method::getName).collect(Collectors.toList());
        names.stream().filter(name -> !there.contains(name)).forEach(System.out::println);
    }}

    public static void main(String[] arguments) {{
        missing(Tailslide.class, List.of({quoted({*members} - {"Tailslide"})}));
        missing(Tailslide.Builder.class, List.of({quoted(settings)}));
    }}
}}
"""


def _csharp(members: Collection[str], settings: Collection[str]) -> str:
    def quoted(names: Collection[str]) -> str:
        return ", ".join(f'"{name}"' for name in sorted(names))

    return f"""
using System;
using System.Linq;
using Tailslide;

public static class Example
{{
    public static void Main()
    {{
        var members = typeof(TailslideClient).GetMembers().Select(one => one.Name).Append("TailslideClient");
        foreach (string name in new string[] {{ {quoted(members)} }}.Except(members))
            Console.WriteLine(name);
        var settings = typeof(TailslideClient).GetConstructors().Single().GetParameters().Select(one => one.Name);
        foreach (string name in new string[] {{ {quoted(settings)} }}.Except(settings))
            Console.WriteLine(name);
    }}
}}
"""


PRINTS_MISSING: Mapping[str, Callable[[Collection[str], Collection[str]], str]] = {
    "python": _python,
    "javascript": _javascript,
    "go": _go,
    "ruby": _ruby,
    "java": _java,
    "csharp": _csharp,
}
"""Of each language, what makes a program of names of members and of settings. It prints those that are not there."""
