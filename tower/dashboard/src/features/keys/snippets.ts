/** A piece to paste: what its tab is called, what it is for screen readers, and the text. */
export interface SnippetText {
  name: string;
  what: string;
  code: string;
  /** What has to be there for it to work. */
  needs?: string;
}

/** What stands where Tower cannot know a value. */
export const PLACEHOLDERS = {
  key: "YOUR-SDK-KEY",
  nats: "NATS-HOST",
  redis: "REDIS-HOST",
  image: "YOUR-REGISTRY/tailslide",
} as const;

const { nats, redis, image } = PLACEHOLDERS;
const NATS = `nats://${nats}:4222`;
const REDIS = `redis://${redis}:6379`;

/** How a sidecar of an app is run. Without a key its place is marked. */
export function runSnippets(app: string, key: string | null, flag: string): SnippetText[] {
  const secret = key ?? PLACEHOLDERS.key;
  return [
    {
      name: "Shell",
      what: "the commands",
      code: `export TAILSLIDE_APP=${app}
export TAILSLIDE_NATS_URL=${NATS}
export TAILSLIDE_REDIS_URL=${REDIS}
TAILSLIDE_SDK_KEY=${secret} tailslide sidecar`,
    },
    {
      name: "sidecar.yaml",
      what: "the file",
      needs: `Run it with: TAILSLIDE_SDK_KEY=… tailslide sidecar --config sidecar.yaml. The key is never in the file. Leave out the routes if your programs only ask.`,
      code: `app: ${app}
nats: {url: "${NATS}"}
redis: {url: "${REDIS}"}
snapshot: ./${app}-flags.json        # answers from here when NATS is away at its start
flags_listen: 127.0.0.1:4141        # where programs ask
proxy_listen: 127.0.0.1:4140        # where calls come in
routes:
  - match: {path_prefix: /new}
    flag: ${flag}
    feature: http://127.0.0.1:9002   # the new path
    fallback: http://127.0.0.1:9001  # the old path
    targeting_key: {header: x-user-id}
    timeout_ms: 2000
  - upstream: http://127.0.0.1:9001  # all other calls
`,
    },
    { name: "Docker Compose", what: "the file", needs: IMAGE, code: compose(app, secret) },
    {
      name: "Kubernetes",
      what: "the manifests",
      needs: `${IMAGE} Needs Kubernetes 1.29 or newer.`,
      code: kubernetes(app, secret),
    },
    { name: "Dockerfile", what: "the Dockerfile", needs: "In a checkout of Tailslide.", code: DOCKERFILE },
  ];
}

const IMAGE = `No image is published yet: the tab Dockerfile makes ${image}.`;

const DOCKERFILE = `FROM python:3.12-slim
COPY . /src
RUN pip install --no-cache-dir /src && useradd --uid 10001 tailslide
USER 10001
ENTRYPOINT ["tailslide"]
`;

function compose(app: string, secret: string): string {
  return `services:
  ${app}:
    image: YOUR-APPLICATION
  ${app}-sidecar:
    image: ${image}
    command: [sidecar]
    # The application reaches it at 127.0.0.1:4141, and nobody else does.
    network_mode: service:${app}
    environment:
      TAILSLIDE_APP: ${app}
      TAILSLIDE_NATS_URL: ${NATS}
      TAILSLIDE_REDIS_URL: ${REDIS}
      TAILSLIDE_SDK_KEY: ${secret}
    restart: unless-stopped
`;
}

function kubernetes(app: string, secret: string): string {
  const name = app.replaceAll("_", "-");
  return `apiVersion: v1
kind: Secret
metadata:
  name: ${name}-tailslide
stringData:
  sdk-key: ${secret}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
spec:
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      initContainers:
        - name: tailslide-sidecar
          image: ${image}
          restartPolicy: Always   # a sidecar: starts before the application and stops after it
          args: [sidecar]
          env:
            - {name: TAILSLIDE_APP, value: ${app}}
            - {name: TAILSLIDE_NATS_URL, value: "${NATS}"}
            - {name: TAILSLIDE_REDIS_URL, value: "${REDIS}"}
            - name: TAILSLIDE_SDK_KEY
              valueFrom: {secretKeyRef: {name: ${name}-tailslide, key: sdk-key}}
          startupProbe:
            # It listens on 127.0.0.1 alone, so the probe runs inside.
            exec:
              command: [python, -c, "import urllib.request as r; r.urlopen('http://127.0.0.1:4141/readyz')"]
            periodSeconds: 2
            timeoutSeconds: 2
      containers:
        - name: ${name}
          image: YOUR-APPLICATION
`;
}

const SIDECAR = "http://127.0.0.1:4141";

/** How a program asks the sidecar beside it for a flag, with what each language brings. */
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
    { name: "Python", what: "the code", code: python(flag) },
    { name: "JavaScript", what: "the code", needs: "Node.js 18 or newer, as an ES module.", code: javascript(flag) },
    { name: "Go", what: "the code", code: go(flag) },
    { name: "Ruby", what: "the code", code: ruby(flag) },
    { name: "Java", what: "the code", needs: "Java 11 or newer.", code: java(flag) },
    { name: "C#", what: "the code", needs: ".NET 6 or newer.", code: csharp(flag) },
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

function python(flag: string): string {
  return `import json
import urllib.parse
import urllib.request


def is_on(flag: str, user: str, default: bool = False) -> bool:
    """Whether the flag is on for a user; the default if the sidecar does not answer."""
    query = urllib.parse.urlencode({"targeting_key": user})
    try:
        with urllib.request.urlopen(f"${SIDECAR}/v1/flags/{flag}?{query}", timeout=0.5) as response:
            return bool(json.load(response)["active"])
    except (OSError, ValueError):
        return default


print(is_on("${flag}", "user-1"))
`;
}

function javascript(flag: string): string {
  return `/** Whether the flag is on for a user; the default if the sidecar does not answer. */
async function isOn(flag, user, byDefault = false) {
  const query = new URLSearchParams({ targeting_key: user });
  try {
    const response = await fetch(\`${SIDECAR}/v1/flags/\${flag}?\${query}\`, {
      signal: AbortSignal.timeout(500),
    });
    return response.ok ? (await response.json()).active : byDefault;
  } catch {
    return byDefault;
  }
}

console.log(await isOn("${flag}", "user-1"));
`;
}

function go(flag: string): string {
  return `package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

var sidecar = http.Client{Timeout: 500 * time.Millisecond}

// IsOn says whether the flag is on for a user; the default if the sidecar does not answer.
func IsOn(flag, user string, byDefault bool) bool {
	query := url.Values{"targeting_key": {user}}
	response, err := sidecar.Get("${SIDECAR}/v1/flags/" + flag + "?" + query.Encode())
	if err != nil {
		return byDefault
	}
	defer response.Body.Close()
	var answer struct{ Active bool }
	if response.StatusCode != http.StatusOK || json.NewDecoder(response.Body).Decode(&answer) != nil {
		return byDefault
	}
	return answer.Active
}

func main() {
	fmt.Println(IsOn("${flag}", "user-1", false))
}
`;
}

function ruby(flag: string): string {
  return `require "json"
require "net/http"

# Whether the flag is on for a user; the default if the sidecar does not answer.
def on?(flag, user, default: false)
  uri = URI("${SIDECAR}/v1/flags/#{flag}")
  uri.query = URI.encode_www_form(targeting_key: user)
  response = Net::HTTP.start(uri.host, uri.port, open_timeout: 0.5, read_timeout: 0.5) do |http|
    http.get(uri.request_uri)
  end
  response.is_a?(Net::HTTPOK) ? JSON.parse(response.body)["active"] : default
rescue SystemCallError, IOError, Timeout::Error, JSON::ParserError
  default
end

puts on?("${flag}", "user-1")
`;
}

function java(flag: string): string {
  return `import java.io.IOException;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.time.Duration;

public class Flags {
    private static final HttpClient SIDECAR = HttpClient.newHttpClient();

    /** Whether the flag is on for a user; the default if the sidecar does not answer. */
    static boolean isOn(String flag, String user, boolean byDefault) throws InterruptedException {
        String key = URLEncoder.encode(user, StandardCharsets.UTF_8);
        URI uri = URI.create("${SIDECAR}/v1/flags/" + flag + "?targeting_key=" + key);
        HttpRequest request = HttpRequest.newBuilder(uri).timeout(Duration.ofMillis(500)).build();
        try {
            var response = SIDECAR.send(request, BodyHandlers.ofString());
            // Your JSON library reads it better; the sidecar writes it without spaces.
            return response.statusCode() == 200 ? response.body().contains("\\"active\\":true") : byDefault;
        } catch (IOException error) {
            return byDefault;
        }
    }

    public static void main(String[] arguments) throws InterruptedException {
        System.out.println(isOn("${flag}", "user-1", false));
    }
}
`;
}

function csharp(flag: string): string {
  return `using System.Text.Json;

var sidecar = new HttpClient
{
    BaseAddress = new Uri("${SIDECAR}"),
    Timeout = TimeSpan.FromMilliseconds(500),
};

// Whether the flag is on for a user; the default if the sidecar does not answer.
async Task<bool> IsOn(string flag, string user, bool byDefault = false)
{
    try
    {
        var answer = await sidecar.GetStringAsync($"/v1/flags/{flag}?targeting_key={Uri.EscapeDataString(user)}");
        return JsonDocument.Parse(answer).RootElement.GetProperty("active").GetBoolean();
    }
    catch (Exception error) when (error is HttpRequestException or TaskCanceledException or JsonException)
    {
        return byDefault;
    }
}

Console.WriteLine(await IsOn("${flag}", "user-1"));
`;
}
