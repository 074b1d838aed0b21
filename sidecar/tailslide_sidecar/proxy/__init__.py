"""The proxy: an HTTP/1.1 engine on uvloop and llhttp, in two layers.

Pure, without I/O or clocks: what a message says and what of it may go on (`fields`, `requests`, `responses`,
`forwarding`, `refusals`), which route takes it (`routes`, `sources`), which server gets it (`balancing`), what is due
(`deadlines`). Around it the shell that moves bytes: `listener`, `client_connection`, `exchange`, `upstream_connection`,
`pool`. What a call's end means for its feature is `tailslide_sidecar.calls`.
"""
