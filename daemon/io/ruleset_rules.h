// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to daemon/io: the table of one family as messages of a transaction.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "daemon/io/nft_batch.h"
#include "daemon/io/ruleset.h"

namespace synward::io {

inline constexpr const char* table_name = "synward";
// NFPROTO_IPV4 or NFPROTO_IPV6.
using Family = std::uint16_t;

bool family_in_use(const RulesetPlan& plan, Family family);

// What stays from plan to plan: the table, its chains and counters. With a base chain the kernel
// drops every packet that waits in a queue, whoever's (nf_queue_nf_hook_drop()).
void add_frame(NftBatch& batch, const RulesetPlan& plan, Family family, RulesetParts parts);
// Its rules, and its sets, whose names are returned.
std::vector<std::string> add_contents(NftBatch& batch, const RulesetPlan& plan, Family family,
                                      RulesetParts parts);
void add_deletion_of_contents(NftBatch& batch, Family family, const std::vector<std::string>& sets);
void add_table_deletion(NftBatch& batch, Family family);

}  // namespace synward::io
