// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once
#include "proxy/engine/core.h"

namespace synward::engine {

// The segment acknowledges a challenge by its cookie, and is the first to.
bool redeems(Core& core, const Arrival& arrival);
Decision redeem(Core& core, const Arrival& arrival);

}  // namespace synward::engine
