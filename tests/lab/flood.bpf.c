// SPDX-License-Identifier: GPL-2.0-or-later
//
// Writes one flood frame and sends it. It is never attached to an interface: BPF_PROG_TEST_RUN
// repeats it with live frames, inside the lab only (flood_xdp.cc, guard.h). The kernel recycles
// frames as their last reader left them (a router has lowered the TTL and written other hardware
// addresses, a reply in place has changed everything), so every byte is written each time.
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "flood_state.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct flood_state);
} state_map SEC(".maps");

/* The fields below lie on even offsets but not on multiples of four. */
struct unaligned {
	__u32 word;
} __attribute__((packed));

static __always_inline __u64 next_random(struct flood_state *state)
{
	__u64 x = state->random;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	state->random = x;
	return x * 0x2545f4914f6cdd1dULL;
}

static __always_inline __u64 put32(void *at, __u32 word)
{
	((struct unaligned *)at)->word = word;
	return (__u64)(word & 0xffff) + (word >> 16);
}

static __always_inline __u16 fold(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

static __always_inline __u32 pick(const struct flood_state *state, int word, __u32 random)
{
	return (random & ~state->source_mask[word]) | state->source[word];
}

static __always_inline int is_due(struct flood_state *state)
{
	__u64 now;

	if (state->sent >= state->frames_max)
		return 0;
	if (state->rate_pps == 0)
		return 1;
	now = bpf_ktime_get_ns();
	if (state->start_ns == 0)
		state->start_ns = now;
	return state->sent < (now - state->start_ns) / 1000 * state->rate_pps / 1000000;
}

/* Ports, numbers and checksum. */
static __always_inline void write_tcp(struct flood_state *state, __u8 *tcp, __u64 sum)
{
	__u64 numbers = next_random(state);
	__u64 more = next_random(state);
	__u16 port = bpf_htons(1024 + (numbers & 0x7fff) + (numbers >> 15 & 0x3fff));

	*(__u16 *)tcp = port;
	sum += port + put32(tcp + 4, numbers >> 32);
	if (state->is_ack)
		sum += put32(tcp + 8, (__u32)more) + put32(tcp + 24, more >> 32);
	else
		sum += put32(tcp + 28, more >> 32);
	*(__u16 *)(tcp + 16) = fold(sum);
}

static __always_inline int write_ip4(struct flood_state *state, __u8 *data, __u8 *end, int length)
{
	__u64 sum;

	if (data + length > end)
		return XDP_ABORTED;
	__builtin_memcpy(data, state->frame, length);
	sum = put32(data + 26, pick(state, 3, next_random(state) >> 32));
	*(__u16 *)(data + 24) = fold(state->ip_sum + sum);
	write_tcp(state, data + FLOOD_OFFSET_TCP4, state->tcp_sum + sum);
	return XDP_TX;
}

static __always_inline int write_ip6(struct flood_state *state, __u8 *data, __u8 *end, int length)
{
	__u64 first = next_random(state);
	__u64 second = next_random(state);
	__u64 sum;

	if (data + length > end)
		return XDP_ABORTED;
	__builtin_memcpy(data, state->frame, length);
	sum = put32(data + 22, pick(state, 0, 0)) + put32(data + 26, pick(state, 1, first)) +
	      put32(data + 30, pick(state, 2, first >> 32)) + put32(data + 34, pick(state, 3, second >> 32));
	write_tcp(state, data + FLOOD_OFFSET_TCP6, state->tcp_sum + sum);
	return XDP_TX;
}

SEC("xdp")
int flood(struct xdp_md *context)
{
	__u8 *data = (__u8 *)(long)context->data;
	__u8 *end = (__u8 *)(long)context->data_end;
	__u32 key = 0;
	struct flood_state *state = bpf_map_lookup_elem(&state_map, &key);
	int action;

	if (!state || !is_due(state))
		return XDP_DROP;
	if (state->is_ipv6)
		action = state->is_ack ? write_ip6(state, data, end, FLOOD_OFFSET_TCP6 + 32)
				       : write_ip6(state, data, end, FLOOD_OFFSET_TCP6 + 40);
	else
		action = state->is_ack ? write_ip4(state, data, end, FLOOD_OFFSET_TCP4 + 32)
				       : write_ip4(state, data, end, FLOOD_OFFSET_TCP4 + 40);
	state->sent++;
	return action;
}

char _license[] SEC("license") = "GPL";
