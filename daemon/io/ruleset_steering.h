// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to daemon/io: where rules find the two ends of a packet, and how its client leads to a
// worker.
#pragma once
#include <cstdint>
#include <string>

#include "daemon/io/nft_objects.h"
#include "daemon/io/nft_rule.h"
#include "daemon/io/ruleset_rules.h"

namespace synward::io {

struct EndpointFields {
  NftField address;
  NftField port;                      // in the transport header
  bool address_in_transport = false;  // of a quoted packet; else in the network header
};

struct PacketFields {
  EndpointFields source, destination;
};

// Of a TCP segment.
PacketFields tcp_fields(Family family);
inline constexpr NftField tcp_flags{.offset = 13, .length = 1};
inline constexpr std::uint8_t tcp_syn = 0x02, tcp_syn_ack = 0x12;
// Of the TCP segment that an ICMP error quotes behind a plain IP header. The first 8 bytes of the
// transport header are the error's own.
PacketFields quoted_fields(Family family);
// A byte of the quoted IP header.
NftField quoted_field(std::uint32_t offset);

// Into registers 0..: the address, the port, two zero bytes; what endpoint_keys() look like.
NftRule& load(NftRule& rule, const EndpointFields& fields);
// Ends the rule, which is to be added next: to a chain KIND_N by the client's address and port.
struct Steering {
  NftObjects& objects;
  const RulesetPlan& plan;
};
void steer(NftRule& rule, const Steering& by, const EndpointFields& client, const char* kind);
std::string worker_chain(const char* kind, unsigned worker);

}  // namespace synward::io
