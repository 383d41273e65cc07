/* SPDX-License-Identifier: GPL-2.0-or-later OR BSD-2-Clause */
/*
 * Every reason for which a packet of a protected service is dropped: one list, from which the
 * counters, the Prometheus label, the log word and the tests' names are made. Compiles as BPF C,
 * C11 and C++. The order is the order of the steps in proxy/engine; a name, once released, is a
 * contract with dashboards.
 */
#ifndef SYNWARD_SHARED_REASONS_H
#define SYNWARD_SHARED_REASONS_H

/* X(name, what an operator reads in the metrics reference) */
#define SYNWARD_REASONS(X)                                                                     \
  X(truncated_by_queue, "the queue delivered fewer bytes than the packet has")                 \
  X(bad_ip_header, "IP version, header length or total length is impossible")                  \
  X(bad_extension_header, "an IPv6 extension header is malformed, or the chain is too long")   \
  X(fragment, "an IP fragment that the kernel did not put together (see nft_tproxy)")          \
  X(bad_tcp_header, "TCP header is missing, too short, or its data offset is impossible")      \
  X(bad_checksum, "IP, TCP or ICMP checksum is wrong")                                         \
  X(bad_options, "a TCP option, not of a SYN, has an impossible length or is twice there")     \
  X(port_zero, "source or destination port is zero")                                           \
  X(martian_source, "source is multicast, broadcast, loopback, our own, or the service's")     \
  X(syn_fin, "SYN together with FIN")                                                          \
  X(syn_rst, "SYN together with RST")                                                          \
  X(bad_flags, "a combination of TCP flags that no stack sends")                               \
  X(bad_icmp, "an ICMP error that does not quote its addressee's own TCP segment")             \
  X(not_a_service, "queued by a rule, yet no service listens there")                           \
  X(not_a_client, "a SYN to a translated service from here, a server's link, or its backend")  \
  X(flow_table_full, "no room for another connection (splice.connections)")                    \
  X(synack_limit, "more SYNs of its network than limits.synacks_per_prefix allows")            \
  X(ip_options_limit, "over 1000 SYNs/s of a worker had IP options or extension headers")      \
  X(replayed_cookie, "an acknowledgement whose cookie was redeemed before")                    \
  X(orphaned, "a segment of a connection whose daemon died; its sender is told by a RST")      \
  X(unknown_segment, "a segment of no connection, which redeems no challenge either")          \
  X(out_of_window, "sequence or acknowledgement outside the window of the connection")         \
  X(congestion_unheard, "marked by a router (ECN), and its backend would not tell the client") \
  X(icmp_unknown, "an ICMP error about a segment of no joined connection")                     \
  X(icmp_out_of_window, "an ICMP error about a segment that is not under way: it is forged")   \
  X(bad_backend_answer, "a backend's answer to our SYN that RFC 9293 does not allow")          \
  X(early_data_full, "early data beyond early_data.per_connection or early_data.total")        \
  X(early_data_out_of_order, "early data with a gap before it; the client sends it again")     \
  X(early_data_duplicate, "early data that is held already; the client sent it again")         \
  X(send_failed, "the kernel refused a packet that synward wanted to send")

#define SYNWARD_REASON_ENUM(name, text) synward_reason_##name,
enum synward_reason { SYNWARD_REASONS(SYNWARD_REASON_ENUM) synward_reason_count };
#undef SYNWARD_REASON_ENUM

#endif
