// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to daemon/io: the table of one family as messages of a transaction.
#pragma once
#include <cstdint>

#include "daemon/io/nft_batch.h"
#include "daemon/io/ruleset.h"

namespace synward::io {

inline constexpr const char* table_name = "synward";
// NFPROTO_IPV4 or NFPROTO_IPV6.
using Family = std::uint16_t;

bool family_in_use(const RulesetPlan& plan, Family family);

// Appends the whole table.
void add_table(NftBatch& batch, const RulesetPlan& plan, Family family, RulesetParts parts);
void add_table_deletion(NftBatch& batch, Family family);

}  // namespace synward::io
