// SPDX-License-Identifier: GPL-2.0-or-later
//
// What other chains drop is told from what routing refuses by counting on both sides of it. In
// `nft` notation:
//
//   chain prerouting_last { type filter hook prerouting priority 300;
//     mark ... tcp flags & (syn|ack) == (syn|ack) counter name synacks_to_route accept
//     mark ... counter name segments_to_route }
//   chain forward_first { type filter hook forward priority raw; ... synacks_routed ... }
//   chain forward_last { type filter hook forward priority 300; ... synacks_passed ... }
#include "daemon/io/ruleset_way.h"

#include <netinet/in.h>
// after <netinet/in.h>, whose types it would define again
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <array>
#include <cstring>

#include "daemon/io/ruleset_steering.h"

namespace synward::io {
namespace {

constexpr std::int32_t first_priority = -300, last_priority = 300;

struct Station {
  const char* chain;
  std::uint32_t hook;
  std::int32_t priority;
  const char* WayCounters::* counter;
};
constexpr std::array<Station, 3> stations{
    {{"prerouting_last", NF_INET_PRE_ROUTING, last_priority, &WayCounters::to_route},
     {"forward_first", NF_INET_FORWARD, first_priority, &WayCounters::routed},
     {"forward_last", NF_INET_FORWARD, last_priority, &WayCounters::passed}}};

}  // namespace

std::array<std::uint8_t, 4> host_order(std::uint32_t value) {
  std::array<std::uint8_t, 4> bytes;
  std::memcpy(bytes.data(), &value, sizeof value);
  return bytes;
}

NftRule marked_rule(const RulesetPlan& plan, Family family, const std::string& chain) {
  NftRule marked(family, table_name, chain);
  marked.meta(NFT_META_MARK)
      .masked(host_order(plan.mark_mask))
      .equals(host_order(plan.mark & plan.mark_mask));
  return marked;
}

void add_way_stations(NftObjects& objects) {
  for (const auto& [chain, hook, priority, counter] : stations) {
    objects.add_base_chain({.name = chain, .hook = hook, .priority = priority});
    for (const WayCounters& way : {synack_counters, segment_counters})
      objects.add_counter(way.*counter);
  }
}

void add_way_rules(NftObjects& objects, const RulesetPlan& plan, Family family) {
  constexpr std::array<std::uint8_t, 1> tcp{IPPROTO_TCP};
  constexpr std::array<std::uint8_t, 1> syn_and_ack{tcp_syn_ack};
  for (const Station& station : stations) {
    NftRule synacks = marked_rule(plan, family, station.chain);
    synacks.meta(NFT_META_L4PROTO).equals(tcp);
    synacks.transport_field(tcp_flags).masked(syn_and_ack).equals(syn_and_ack);
    objects.add_rule(synacks.count(synack_counters.*station.counter).accept(),
                     "counter of SYN-ACKs");
    NftRule others = marked_rule(plan, family, station.chain);
    objects.add_rule(others.count(segment_counters.*station.counter), "counter of segments");
  }
}

}  // namespace synward::io
