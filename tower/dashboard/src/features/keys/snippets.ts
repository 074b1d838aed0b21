/** A piece to paste: what its tab is called, what it is for screen readers, and the text. */
export interface SnippetText {
  name: string;
  what: string;
  code: string;
  /** What has to be there for it to work. */
  needs?: string;
  /** The commands that make it be there. */
  install?: string;
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
