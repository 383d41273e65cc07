// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to daemon/io: counters of what becomes of our marked packets on their way.
#pragma once
#include <array>
#include <cstdint>
#include <string>

#include "daemon/io/nft_objects.h"
#include "daemon/io/nft_rule.h"
#include "daemon/io/ruleset_rules.h"

namespace synward::io {

// In the order of the way.
struct WayCounters {
  const char* to_route;  // at the end of PREROUTING
  const char* routed;    // at the start of FORWARD
  const char* passed;    // at its end
};
// Challenges in place: of SYN-ACKs no others are forwarded, a backend's are consumed.
inline constexpr WayCounters synack_counters{"synacks_to_route", "synacks_routed",
                                             "synacks_passed"};
inline constexpr WayCounters segment_counters{"segments_to_route", "segments_routed",
                                              "segments_passed"};

// As the kernel keeps numbers such as the mark.
std::array<std::uint8_t, 4> host_order(std::uint32_t value);
// The start of a rule about packets that carry our mark.
NftRule marked_rule(const RulesetPlan& plan, Family family, const std::string& chain);
// Appends the chains and the counters to a table, and their rules.
void add_way_stations(NftObjects& objects);
void add_way_rules(NftObjects& objects, const RulesetPlan& plan, Family family);

}  // namespace synward::io
