// SPDX-License-Identifier: GPL-2.0-or-later
// Internal to daemon/io: the rules for ICMP: errors about spliced connections, and redirects.
#pragma once
#include "daemon/io/nft_objects.h"
#include "daemon/io/ruleset_rules.h"

namespace synward::io {

// Appends them to a table that has its base chains, sets and worker chains already.
void add_icmp_rules(NftObjects& objects, const RulesetPlan& plan, Family family, bool has_servers);

}  // namespace synward::io
