"""How nginx as the upstream and the proxies are configured. Text alone; `proxies` writes it into files.

Each as its documentation advises, with the limits raised that 512 connections would run into: connections kept alive on
both sides for any number of requests, one worker, X-Forwarded-For, no access log, no limit on a body. What a proxy
buffers stays as its makers set it.
"""

from dataclasses import dataclass
from pathlib import Path

from proxy_bench import loads

_NGINX = """\
daemon off; master_process off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr error;
events {{ worker_connections {connections}; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 1h; client_max_body_size 0;
  client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};
  uwsgi_temp_path {folder}; scgi_temp_path {folder};
{rest}
}}
"""

# A POST is answered by an error page, since a file cannot be posted to. Mirroring makes nginx read the body
# before that; else it would answer at the head, and a proxy would have to cope with an answer amid its sending.
_UPSTREAM = """\
  default_type application/octet-stream; sendfile on; open_file_cache max=16 inactive=1h;
  client_header_buffer_size 16k; client_body_buffer_size 16k;
  server {{
    listen 127.0.0.1:{port} backlog=4096; root {root};
    location = {small} {{ default_type text/plain; return 200 '{small_body}'; }}
    location = {post} {{ alias {root}{file}; mirror /mirrored; error_page 405 =200 @posted; }}
    location = /mirrored {{ internal; return 204; }}
    location @posted {{ default_type text/plain; return 200 '{posted_body}'; }}
  }}"""

_NGINX_PROXY = """\
  upstream web {{ server 127.0.0.1:{web}; keepalive 1024; keepalive_requests 1000000000; keepalive_timeout 1h; }}
  upstream uploads {{ server 127.0.0.1:{uploads}; keepalive 16; }}
  proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $http_host;
  proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    location / {{ proxy_pass http://web; }}
    location = {upload} {{ proxy_pass http://uploads; }}
  }}"""

_HAPROXY = """\
global
  nbthread 1
  maxconn 4096
defaults
  mode http
  option forwardfor
  timeout connect 10s
  timeout client 1h
  timeout server 1h
frontend proxy
  bind 127.0.0.1:{port} backlog 4096
  use_backend uploads if {{ path {upload} }}
  default_backend web
backend web
  server one 127.0.0.1:{web}
backend uploads
  server one 127.0.0.1:{uploads}
"""

_CADDY = """\
{{
  admin off
  auto_https off
  persist_config off
  log {{
    level ERROR
  }}
}}
http://:{port} {{
  bind 127.0.0.1
  handle {upload} {{
    reverse_proxy 127.0.0.1:{uploads}
  }}
  handle {{
    reverse_proxy 127.0.0.1:{web} {{
      transport http {{
        keepalive_idle_conns_per_host 1024
      }}
    }}
  }}
}}
"""

_ENVOY = """\
static_resources:
  listeners:
  - name: proxy
    address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}
    tcp_backlog_size: 4096
    filter_chains:
    - filters:
      - name: envoy.filters.network.http_connection_manager
        typed_config:
          "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: proxy
          codec_type: HTTP1
          use_remote_address: true
          http_filters:
          - name: envoy.filters.http.router
            typed_config:
              "@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router
          route_config:
            virtual_hosts:
            - name: all
              domains: ["*"]
              routes:
              - match: {{path: {upload}}}
                route: {{cluster: uploads, timeout: 0s}}
              - match: {{prefix: /}}
                route: {{cluster: web, timeout: 0s}}
  clusters:
{clusters}"""

_ENVOY_CLUSTER = """\
  - name: {name}
    type: STATIC
    connect_timeout: 10s
    circuit_breakers:
      thresholds: [{{max_connections: 4096, max_pending_requests: 4096, max_requests: 4096}}]
    load_assignment:
      cluster_name: {name}
      endpoints:
      - lb_endpoints:
        - endpoint: {{address: {{socket_address: {{address: 127.0.0.1, port_value: {port}}}}}}}
"""


@dataclass(frozen=True)
class Ports:
    """Where things listen on loopback: nginx for all but uploads and sockets, and our own upstream for these."""

    web: int
    own: int


def nginx_upstream(port: int, folder: Path, root: Path) -> str:
    """Return the configuration of the upstream; `root` has the files."""
    server = _UPSTREAM.format(
        port=port,
        root=root,
        small=loads.Path.SMALL,
        small_body=loads.SMALL.decode(),
        post=loads.Path.POST,
        file=loads.Path.MEGABYTE,
        posted_body=loads.POSTED.decode(),
    )
    return _NGINX.format(folder=folder, connections=16384, rest=server)


def nginx_proxy(port: int, ports: Ports, folder: Path) -> str:
    """Return nginx's configuration as a proxy."""
    server = _NGINX_PROXY.format(port=port, web=ports.web, uploads=ports.own, upload=loads.Path.UPLOAD)
    return _NGINX.format(folder=folder, connections=4096, rest=server)


def haproxy(port: int, ports: Ports, _folder: Path) -> str:
    """Return HAProxy's configuration."""
    return _HAPROXY.format(port=port, web=ports.web, uploads=ports.own, upload=loads.Path.UPLOAD)


def caddy(port: int, ports: Ports, _folder: Path) -> str:
    """Return a Caddyfile."""
    return _CADDY.format(port=port, web=ports.web, uploads=ports.own, upload=loads.Path.UPLOAD)


def envoy(port: int, ports: Ports, _folder: Path) -> str:
    """Return Envoy's static configuration."""
    named = {"web": ports.web, "uploads": ports.own}
    clusters = "".join(_ENVOY_CLUSTER.format(name=name, port=its_port) for name, its_port in named.items())
    return _ENVOY.format(port=port, upload=loads.Path.UPLOAD, clusters=clusters)


def sidecar(
    app: str, flags_listen: str, proxy_listen: str, snapshot: Path, ports: Ports, flag: str | None
) -> dict[str, object]:
    """Return a sidecar's settings; with a flag, everything from nginx takes a flagged route."""
    web, own = f"http://127.0.0.1:{ports.web}", f"http://127.0.0.1:{ports.own}"
    side: dict[str, object] = {"upstream": web}
    if flag is not None:
        # The fallback's status is none that the load takes, so that a flag that is not on cannot go unseen.
        fallback = {"status": 503, "body": "the flag is off"}
        side = {"flag": flag, "feature": web, "fallback": fallback, "targeting_key": {"header": loads.USER_HEADER}}
    return {
        "app": app,
        "flags_listen": flags_listen,
        "proxy_listen": proxy_listen,
        "snapshot": str(snapshot),
        "routes": [
            {"match": {"path_prefix": str(loads.Path.UPLOAD)}, "upstream": own},
            {"match": {"path_prefix": str(loads.Path.SOCKET)}, "upstream": own},
            side,
        ],
    }
