// SPDX-License-Identifier: GPL-2.0-or-later
//
// Discards, on the client's card, what is answered to spoofed sources, before it has a socket
// buffer. Everything else passes.
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/ip.h>
#include <linux/ipv6.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

SEC("xdp")
int sink(struct xdp_md *context)
{
	const void *data = (const void *)(long)context->data;
	const void *end = (const void *)(long)context->data_end;
	const struct ethhdr *ethernet = data;

	if ((const void *)(ethernet + 1) > end)
		return XDP_PASS;
	if (ethernet->h_proto == bpf_htons(ETH_P_IP)) {
		const struct iphdr *ip = (const void *)(ethernet + 1);

		if ((const void *)(ip + 1) > end)
			return XDP_PASS;
		return (ip->daddr & bpf_htonl(0xfffe0000)) == bpf_htonl(0xc6120000) ? XDP_DROP : XDP_PASS;
	}
	if (ethernet->h_proto == bpf_htons(ETH_P_IPV6)) {
		const struct ipv6hdr *ip = (const void *)(ethernet + 1);

		if ((const void *)(ip + 1) > end)
			return XDP_PASS;
		/* 2001:db8:f::/48 */
		return ip->daddr.s6_addr32[0] == bpf_htonl(0x20010db8) &&
		       ip->daddr.s6_addr16[2] == bpf_htons(0x000f) ? XDP_DROP : XDP_PASS;
	}
	return XDP_PASS;
}

char _license[] SEC("license") = "GPL";
