import type { SnippetText } from "./snippets";

const SIDECAR = "http://127.0.0.1:4141";
const CHECKOUT = "../tailslide";
const UNPUBLISHED = `The client is not published yet. These commands take it from a checkout of Tailslide in ${CHECKOUT}.`;

/** How a program asks the sidecar beside it for a flag, and reports how what it guards has ended. */
export function askSnippets(flag: string): SnippetText[] {
  return [
    {
      name: "curl",
      what: "the commands",
      code: `# One flag, for one user
curl '${SIDECAR}/v1/flags/${flag}?targeting_key=user-1'

# The same over OpenFeature's protocol (OFREP)
curl -X POST ${SIDECAR}/ofrep/v1/evaluate/flags/${flag} \\
  -H 'content-type: application/json' \\
  -d '{"context": {"targetingKey": "user-1"}}'`,
    },
    client("Python", `Python 3.9 or newer. ${UNPUBLISHED}`, PYTHON, python(flag)),
    client("JavaScript", `Node.js 18 or newer, as an ES module. ${UNPUBLISHED}`, JAVASCRIPT, javascript(flag)),
    client("Go", `Go 1.21 or newer, in your module. ${UNPUBLISHED}`, GO, go(flag)),
    client("Ruby", `Ruby 3.0 or newer. ${UNPUBLISHED}`, RUBY, ruby(flag)),
    client("Java", `Java 11 or newer, with lib/ on the class path. ${UNPUBLISHED}`, JAVA, java(flag)),
    client("C#", `.NET 6 or newer, in your project. ${UNPUBLISHED}`, CSHARP, csharp(flag)),
    {
      name: "OpenFeature (Python)",
      what: "the code",
      needs: "pip install openfeature-sdk openfeature-provider-ofrep",
      code: `from openfeature import api
from openfeature.contrib.provider.ofrep import OFREPProvider
from openfeature.evaluation_context import EvaluationContext

api.set_provider(OFREPProvider(base_url="${SIDECAR}"))
client = api.get_client()
user = EvaluationContext(targeting_key="user-1")
print(client.get_boolean_value("${flag}", False, user))
`,
    },
    {
      name: "OpenFeature (JavaScript)",
      what: "the code",
      needs: "npm install @openfeature/server-sdk @openfeature/ofrep-provider",
      code: `import { OpenFeature } from "@openfeature/server-sdk";
import { OFREPProvider } from "@openfeature/ofrep-provider";

await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl: "${SIDECAR}" }));
const client = OpenFeature.getClient();
console.log(await client.getBooleanValue("${flag}", false, { targetingKey: "user-1" }));
`,
    },
  ];
}

function client(name: string, needs: string, install: string, code: string): SnippetText {
  return { name, what: "the code", needs, install, code };
}

const PYTHON = `${CHECKOUT}/sdk-thin/python/package.sh packages
pip install packages/tailslide_client-*.whl`;

function python(flag: string): string {
  return `from tailslide_client import Client

flags = Client()  # asks the sidecar at ${SIDECAR}

if flags.is_active("${flag}", "user-1", {"country": "DE"}, default=False):
    with flags.guard("${flag}"):  # reports how it ends
        print("new path")
else:
    print("old path")
`;
}

const JAVASCRIPT = `${CHECKOUT}/sdk-thin/javascript/package.sh packages
npm install ./packages/tailslide-client-*.tgz`;

function javascript(flag: string): string {
  return `import { Client } from "tailslide-client";

const flags = new Client(); // asks the sidecar at ${SIDECAR}

if (await flags.isActive("${flag}", "user-1", { country: "DE" }, false)) {
  await flags.guard("${flag}", () => console.log("new path")); // reports how it ends
} else {
  console.log("old path");
}
`;
}

const MODULE = "github.com/tailslide/tailslide/sdk-thin/go";
const GO = `go mod edit -replace ${MODULE}=${CHECKOUT}/sdk-thin/go
go get ${MODULE}`;

function go(flag: string): string {
  return `package main

import (
	"context"
	"fmt"
	"log"

	tailslide "${MODULE}"
)

func main() {
	flags, err := tailslide.New() // asks the sidecar at ${SIDECAR}
	if err != nil {
		log.Fatal(err)
	}
	defer flags.Close()

	newPath := func() (string, error) { return "new path", nil }
	path := "old path"
	if flags.IsActive(context.Background(), "${flag}", "user-1", tailslide.Attributes{"country": "DE"}, false) {
		path, err = tailslide.Guard(flags, "${flag}", newPath, nil) // reports how it ends
	}
	fmt.Println(path, err)
}
`;
}

const RUBY = `${CHECKOUT}/sdk-thin/ruby/package.sh packages
gem install --local packages/tailslide-client-*.gem`;

function ruby(flag: string): string {
  return `require "tailslide_client"

flags = Tailslide::Client.new # asks the sidecar at ${SIDECAR}

if flags.active?("${flag}", "user-1", attributes: { country: "DE" }, default: false)
  flags.guard("${flag}") { puts "new path" } # reports how it ends
else
  puts "old path"
end
`;
}

const JAVA = `${CHECKOUT}/sdk-thin/java/package.sh lib`;

function java(flag: string): string {
  return `import io.tailslide.client.Tailslide;
import java.util.Map;

public class Example {
    public static void main(String[] arguments) {
        Tailslide flags = new Tailslide(); // asks the sidecar at ${SIDECAR}

        String path = "old path";
        if (flags.isActive("${flag}", "user-1", Map.of("country", "DE"), false)) {
            path = flags.guard("${flag}", () -> "new path"); // reports how it ends
        }
        System.out.println(path);
    }
}
`;
}

const CSHARP = `dotnet add reference ${CHECKOUT}/sdk-thin/csharp/Tailslide.Client.csproj`;

function csharp(flag: string): string {
  return `using Tailslide;

var flags = new TailslideClient(); // asks the sidecar at ${SIDECAR}

if (flags.IsActive("${flag}", "user-1", new Dictionary<string, object> { ["country"] = "DE" }, false))
{
    flags.Guard("${flag}", () => Console.WriteLine("new path")); // reports how it ends
}
else
{
    Console.WriteLine("old path");
}
`;
}
