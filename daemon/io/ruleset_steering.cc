// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/io/ruleset_steering.h"

#include <fmt/format.h>
#include <linux/netfilter.h>

namespace synward::io {
namespace {

constexpr std::uint32_t icmp_header_length = 8;

// Where a family keeps its addresses, and how long a header without options is.
struct Layout {
  NftField source, destination;
  std::uint32_t header_length;
};

constexpr Layout layout(Family family) {
  return family == NFPROTO_IPV4
             ? Layout{.source = {12, 4}, .destination = {16, 4}, .header_length = 20}
             : Layout{.source = {8, 16}, .destination = {24, 16}, .header_length = 40};
}

NftField moved(NftField field, std::uint32_t by) {
  return {.offset = field.offset + by, .length = field.length};
}

constexpr NftField source_port{.offset = 0, .length = 2};
constexpr NftField destination_port{.offset = 2, .length = 2};

}  // namespace

PacketFields tcp_fields(Family family) {
  return {.source = {.address = layout(family).source, .port = source_port},
          .destination = {.address = layout(family).destination, .port = destination_port}};
}

PacketFields quoted_fields(Family family) {
  const std::uint32_t ip = icmp_header_length;
  const std::uint32_t tcp = ip + layout(family).header_length;
  return {.source = {.address = moved(layout(family).source, ip),
                     .port = moved(source_port, tcp),
                     .address_in_transport = true},
          .destination = {.address = moved(layout(family).destination, ip),
                          .port = moved(destination_port, tcp),
                          .address_in_transport = true}};
}

NftField quoted_field(std::uint32_t offset) {
  return {.offset = icmp_header_length + offset, .length = 1};
}

NftRule& load(NftRule& rule, const EndpointFields& fields) {
  if (fields.address_in_transport)
    rule.transport_field(fields.address, 0);
  else
    rule.network_field(fields.address, 0);
  return rule.transport_field(fields.port, fields.address.length / 4);
}

void steer(NftRule& rule, const Steering& by, const EndpointFields& client, const char* kind) {
  if (by.plan.workers == 1) {
    rule.go_to(worker_chain(kind, 0));
    return;
  }
  const NftRegister hash_register = client.address.length / 4 + 1;
  load(rule, client)
      .hash({.source = 0,
             .length = client.address.length + 4,
             .modulus = by.plan.workers,
             .seed = by.plan.steering_seed,
             .destination = hash_register})
      .verdict_map(by.objects.add_verdict_map(fmt::format("{}_", kind), by.plan.workers),
                   hash_register);
}

std::string worker_chain(const char* kind, unsigned worker) {
  return fmt::format("{}_{}", kind, worker);
}

}  // namespace synward::io
