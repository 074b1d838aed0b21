"""Examples of pages made into whole programs, with what they leave to their reader.

Wherever an example runs, there is a cart, and checkouts, new and old, that print which one they are. The examples
themselves stay as they are, but for the timeout: 50 ms are for sidecars and programs that run already, not for a
machine that is busy with tests.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

PATIENT: Mapping[str, tuple[str, str]] = {
    "python": ("Client()", "Client(timeout_ms=10_000)"),
    "javascript": ("new Client()", "new Client({ timeoutMs: 10_000 })"),
    "go": ("tailslide.New()", "tailslide.New(tailslide.WithTimeout(10_000_000_000))"),
    "ruby": ("Tailslide::Client.new", "Tailslide::Client.new(timeout_ms: 10_000)"),
    "java": ("new Tailslide()", "Tailslide.builder().timeout(java.time.Duration.ofSeconds(10)).build()"),
    "csharp": ("new TailslideClient()", "new TailslideClient(timeout: System.TimeSpan.FromSeconds(10))"),
}


@dataclass(frozen=True)
class Shape:
    """How a program of a language looks around statements of a page."""

    imports: str
    """A pattern of what has to stand before everything else."""
    around: Callable[[str, str], str]
    """Makes a program of imports and statements."""
    prints: str
    """The statement that prints `%s`."""


def patient(language: str, code: str) -> str:
    """Return the code, which makes one client with the defaults, with a longer timeout."""
    short, long = PATIENT[language]
    assert code.count(short) == 1, f"an example makes its client with {short}"
    return code.replace(short, long)


def program(language: str, examples: Sequence[str], *, prints: Sequence[str] = (), then: str = "") -> str:
    """Return the program of these examples, which ends by doing `then` and printing some of its variables."""
    shape = SHAPES[language]
    text = patient(language, "\n".join(examples))
    imports = dict.fromkeys(found[0] for found in re.finditer(shape.imports, text, re.MULTILINE))
    body = re.sub(shape.imports, "", text, flags=re.MULTILINE)
    return shape.around("".join(imports), "\n".join([body, then, *(shape.prints % name for name in prints)]))


def _python(imports: str, body: str) -> str:
    return f"""{imports}
class EmptyCart(Exception):
    pass

class Order:
    rejected = False

cart = "cart"

def new_checkout(*of):
    print("new checkout")
    return Order()

def old_checkout(*of):
    print("old checkout")
    return Order()

{body}
"""


def _javascript(imports: str, body: str) -> str:
    return f"""{imports or 'import { Client } from "tailslide-client";'}
class EmptyCart extends Error {{}}
const cart = "cart";
const userId = "user-42";
const checkout = (which) => async () => {{
  console.log(`${{which}} checkout`);
  return {{ rejected: false }};
}};
const newCheckout = checkout("new");
const oldCheckout = checkout("old");
{body}
"""


def _go(imports: str, body: str) -> str:
    return f"""package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"
)

{imports}
type Order struct{{ Rejected bool }}

var (
	ErrEmptyCart = errors.New("the cart is empty")
	_            = log.Fatal
	_            = time.Second
)

func newCheckout(...any) (Order, error) {{
	fmt.Println("new checkout")
	return Order{{}}, nil
}}

func oldCheckout(...any) (Order, error) {{
	fmt.Println("old checkout")
	return Order{{}}, nil
}}

func run(ctx context.Context) (order Order, err error) {{
	cart := "cart"
{body}
	return order, err
}}

func main() {{
	if _, err := run(context.Background()); err != nil {{
		log.Fatal(err)
	}}
}}
"""


def _ruby(imports: str, body: str) -> str:
    return f"""{imports}
EmptyCart = Class.new(StandardError)
Order = Struct.new(:rejected) do
  def rejected? = rejected
end

def cart = "cart"

def new_checkout(*)
  puts "new checkout"
  Order.new(false)
end

def old_checkout(*)
  puts "old checkout"
  Order.new(false)
end

{body}
"""


def _java(imports: str, body: str) -> str:
    return f"""{imports}
public class Example {{
    private static class Cart {{}}

    private static class Order {{
        boolean isRejected() {{
            return false;
        }}
    }}

    private static class EmptyCart extends RuntimeException {{
        private static final long serialVersionUID = 1;
    }}

    private static Order order;

    private static Order newCheckout(Cart cart) {{
        System.out.println("new checkout");
        return new Order();
    }}

    private static Order oldCheckout(Cart cart) {{
        System.out.println("old checkout");
        return new Order();
    }}

    public static void main(String[] arguments) {{
        Cart cart = new Cart();
        {body}
    }}
}}
"""


def _csharp(imports: str, body: str) -> str:
    # The first two are there by themselves in projects of .NET 6 and newer.
    return f"""using System;
using System.Collections.Generic;
{imports}
public static class Example
{{
    internal class Cart {{ }}

    internal class Order
    {{
        public bool IsRejected => false;
    }}

    internal class EmptyCartException : Exception {{ }}

    internal static Cart cart = new Cart();
    internal static Order order;

    internal static Order NewCheckout(Cart cart)
    {{
        Console.WriteLine("new checkout");
        return new Order();
    }}

    internal static Order OldCheckout(Cart cart)
    {{
        Console.WriteLine("old checkout");
        return new Order();
    }}

    public static void Main()
    {{
        {body}
    }}
}}
"""


SHAPES: Mapping[str, Shape] = {
    "python": Shape(r"^(?:import|from) .*\n", _python, "print(%s)"),
    "javascript": Shape(r"^import .*\n", _javascript, "console.log(%s);"),
    "go": Shape(r"^import (?:\((?:.|\n)*?^\)|.*)\n", _go, "\tfmt.Println(%s)"),
    "ruby": Shape(r"^require .*\n", _ruby, "puts %s"),
    "java": Shape(r"^import .*\n", _java, "System.out.println(%s);"),
    "csharp": Shape(r"^using [\w.]+;\n", _csharp, "Console.WriteLine(%s);"),
}
