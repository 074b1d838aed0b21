package evaluation

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// parseAddress reads an IPv4 or IPv6 address without a zone. An IPv4-mapped one becomes the IPv4 address.
func parseAddress(text string) (netip.Addr, bool) {
	address, err := netip.ParseAddr(text)
	if err != nil || address.Zone() != "" || strings.Contains(text, "%") {
		return netip.Addr{}, false
	}
	return address.Unmap(), true
}

// parseNetwork reads a network, or an address as a network of its own.
func parseNetwork(text string) (netip.Prefix, error) {
	if !strings.Contains(text, "/") {
		address, ok := parseAddress(text)
		if !ok {
			return netip.Prefix{}, errors.New("is no address")
		}
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil || !strings.HasSuffix(text, "/"+strconv.Itoa(network.Bits())) { // older ones take leading zeros
		return netip.Prefix{}, errors.New("is no network")
	}
	if network != network.Masked() {
		return netip.Prefix{}, errors.New("has bits behind its prefix")
	}
	if address := network.Addr(); address.Is4In6() && network.Bits() >= 96 {
		return netip.PrefixFrom(address.Unmap(), network.Bits()-96), nil
	}
	return network, nil
}
