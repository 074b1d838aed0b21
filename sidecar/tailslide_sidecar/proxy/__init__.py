"""The proxy: an HTTP/1.1 engine on uvloop and llhttp, in two layers.

Pure, without I/O or clocks: what a message says (`tailslide_runtime.http1`, `responses`) and what of it may go on
(`forwarding`, `refusals`, `held_body`), which route takes it (`routes`, `sources`, `admission`), which
server gets it (`balancing`), what clients may take (`limits`). Around it the shell that moves bytes: `listener`,
`client_connection`, `exchange`, `tunnel`, `upstream_connection`, `pool`, with what they share of a route
(`active_route`) and what they tell (`accounts`, `access_log`, `metrics`). What a call's end means for its feature is
`tailslide_sidecar.calls`.
"""
